"""The safety filter around any Gymnasium environment whose actions move joints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import gymnasium
import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots.limits import JointLimits
from sinew_core.robots.model import RobotModel
from sinew_core.safety.filter import FilterResult, PositionFilter, VelocityFilter
from sinew_core.safety.make import MOTION_MODES, make_filter, make_motion_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.watched import watches_pairs

Observation = TypeVar("Observation")
Action = TypeVar("Action")
Info = dict[str, Any]  # Gymnasium's own type
Joints = Sequence[float]
"""One number per joint, a list or an array."""


class SafeEnv(gymnasium.Wrapper[Observation, Action, Observation, Action]):
    """An environment that only sees commands from which its arm can stop inside all limits.

    Each step is one period of the filter: it observes the joint positions, and passes the action on
    as it is where it is safe. Else the environment gets the nearest safe command, and braking where
    the action is not finite or the arm does not do what it was commanded.

    `info` of each step gets, beside what the environment says: interventions (joints whose command
    was changed), causes (`Cause` of each joint), filter_fault (`FilterFault`, 0 for none) and
    safe_command (n,) in rad/s or rad.

    Args:
        env: steps its joints by one period under each action.
        robot: a model, or limits alone, which say nothing of what could collide.
        mode: `joint_velocity` or `joint_position`: what actions command.
        period_s: of one step of the environment, in s.
        read_position: gives the joints' positions (n,) rad from observation and info of the last
            reset or step; None or a number that is not finite where they are unknown.
        to_command: gives the joints' velocities (n,) rad/s or positions (n,) rad of an action.
        to_action: gives the action of such a command.
        parameters: what is assumed of the environment's drive, and which limits hold.
    """

    def __init__(
        self,
        env: gymnasium.Env[Observation, Action],
        robot: RobotModel | JointLimits,
        mode: str,
        period_s: float,
        *,
        read_position: Callable[[Observation, Info], Joints | None],
        to_command: Callable[[Action], Joints],
        to_action: Callable[[Joints], Action],
        parameters: SafetyParameters | None = None,
    ) -> None:
        """Make the filter.

        Raises:
            ConfigError: for another mode, parameters that do not fit, or limits alone where the
                parameters ask for distances.
            RobotError: if a collision shape of the robot cannot be used.
        """
        super().__init__(env)
        self._read, self._to_command, self._to_action = read_position, to_command, to_action
        self._filter = _make_filter(robot, mode, parameters or SafetyParameters(), period_s)
        self._position: Joints | None = None

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begin an episode; the arm must be at rest.

        Raises:
            ValueError: if its position is unknown.
        """
        observation, info = self.env.reset(seed=seed, options=dict(options) if options else None)
        position = self._read(observation, info)
        if position is None:
            raise ValueError("joint positions are unknown after a reset: read_position gave None")
        self._filter.reset(position)
        self._position = position
        return observation, info

    def step(self, action: Action) -> tuple[Observation, Any, bool, bool, Info]:
        """Advance by one period under what is safe of an action."""
        result = self._filter.step(self._to_command(action), self._position)
        safe = self._to_action(result.command) if result.intervened else action
        observation, reward, terminated, truncated, info = self.env.step(safe)
        self._position = self._read(observation, info)
        return observation, reward, terminated, truncated, {**info, **_told(result)}


def _told(result: FilterResult) -> Info:
    return {
        "interventions": sum(cause != 0 for cause in result.causes),
        "causes": result.causes,
        "filter_fault": int(result.fault or 0),
        "safe_command": np.array(result.command),
    }


def _make_filter(
    robot: RobotModel | JointLimits, mode: str, parameters: SafetyParameters, period_s: float
) -> VelocityFilter | PositionFilter:
    if isinstance(robot, JointLimits):
        if watches_pairs(parameters):
            raise ConfigError(
                "joint limits alone say nothing of shapes: give a RobotModel, or turn off "
                "self_collision and floor and leave boxes and workspace empty"
            )
        return make_motion_filter(mode, robot, parameters, period_s)
    made = make_filter(mode, robot, parameters, period_s)
    if not isinstance(made, VelocityFilter | PositionFilter):
        raise ConfigError(f"mode '{mode}': SafeEnv takes {' or '.join(MOTION_MODES)}")
    return made
