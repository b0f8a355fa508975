"""The environment of training, whose arm is behind joint states and a safety filter."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import gymnasium
import gymnasium.utils.seeding
import numpy as np
from numpy.typing import NDArray

from sinew_core.action import ActionDecoder
from sinew_core.environments.compiled import tick_figures
from sinew_core.errors import ConfigError
from sinew_core.observation import Observation, ObservationBuilder, Signals
from sinew_core.robots.compiled import compiled_tool_position
from sinew_core.tasks.setup import TaskSetup

Float = NDArray[np.float64]
Action: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
RESETS = ("teleport", "home", "none")
_HOME_GAIN_PER_S = 2.0
_HOME_SPEED_SHARE = 0.3
_AT_HOME_RAD = 0.05
_AT_REST_RAD_S = 0.05
_HOME_WITHIN_S = 30.0
_REMEMBERED = 1000


class Interrupted(Exception):  # noqa: N818 - an operator's decision, not an error
    """The filter is no longer armed, or a control tick was missed: the episode ends early."""


class Closed(Exception):  # noqa: N818 - a request, not an error
    """The world ends: nothing of the episode under way is known to be good."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmState:
    """Measured positions (n,) rad, velocities (n,) rad/s and efforts (n,) N m of a control tick."""

    stamp_ns: int
    position: Float
    velocity: Float
    effort: Float


class World(Protocol):
    """An arm that is stepped from one control tick to the next."""

    def begin(self) -> ArmState:
        """Have the arm armed, at a new start where that is possible; return the first state.

        Raises:
            Closed: the world ends.
        """

    def step(self, command: Float) -> ArmState:
        """Send what is desired of the joints; return the state of the next control tick.

        Raises:
            Interrupted: the filter is no longer armed, or a tick was missed.
            Closed: the world ends.
        """

    def end(self) -> int:
        """Return the stamp of the newest state that the commands since `begin` have led to alone.

        What is measured later may be the work of the filter's brakes.

        Raises:
            Closed: the world ends.
        """


class GraphEnv(gymnasium.Env[Observation, Action]):
    """Runs the episodes of `ArmEnv` on a `World`; in lockstep they are equal to the last bit.

    Targets are those of `ArmEnv` for the same seed; starts are where the world begins.
    """

    def __init__(self, setup: TaskSetup, world: World, reset: str) -> None:
        """Take the setup of a task without an object.

        Raises:
            ConfigError: the task has an object, or its commands cannot drive the arm home.
        """
        mode = setup.action_spec.command_mode
        if setup.task.scene is not None:
            raise ConfigError("training over the graph sees no object: take task:=reach")
        if reset not in RESETS:
            raise ConfigError(f"reset is '{reset}': choose one of {', '.join(RESETS)}")
        if reset == "home" and mode == "joint_effort":
            raise ConfigError("reset:=home needs velocities or positions: take teleport or none")
        self._setup, self._world, self._reset, self._mode = setup, world, reset, mode
        chain = setup.robot.chain
        self._builder = ObservationBuilder(setup.observation_spec, compiled_tool_position(chain))
        self._decoder = ActionDecoder(setup.action_spec, chain)
        self._signals = Signals(setup.robot.n_joints, setup.action_spec.size)
        self._action_before = np.zeros(setup.action_spec.size)
        self._effort = np.zeros(setup.robot.n_joints)
        self._desired = np.zeros(setup.robot.n_joints)
        self._stamps: list[int] = []
        self._seen: deque[Observation] = deque(maxlen=_REMEMBERED)

    def seen(self, count: int) -> Observation:
        """Return `count` observations (count, size), evenly from those seen last."""
        places = np.linspace(0, len(self._seen) - 1, count).astype(int)
        return np.stack([self._seen[place] for place in places])

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, object] | None = None
    ) -> tuple[Observation, dict[str, object]]:
        """Begin an episode.

        Raises:
            ConfigError: for any option, none of which a graph can fulfil.
        """
        if options:
            raise ConfigError(f"reset options {sorted(options)}: a graph takes none")
        random, _ = gymnasium.utils.seeding.np_random(seed)
        task = self._setup.task
        self._stamps.clear()
        task.sample_start(random)  # keeps the target that of ArmEnv
        target = task.sample_target(random)
        state = self._world.begin()
        if self._reset == "home":
            state = self._drive_home(state)
        self._take(state)
        self._signals.target_position_base = target
        self._signals.previous_action[:] = 0.0
        self._action_before[:] = 0.0
        task.judge.reset()
        observation, _, info = self._observe()
        return observation, info

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, object]]:
        """Advance by one control period under an action (m,) in [-1, 1]."""
        signals = self._signals
        position, velocity = signals.joint_position, signals.joint_velocity
        self._decoder.decode(action, position, velocity, self._desired)
        state = self._world.step(self._desired)
        self._stamps.append(state.stamp_ns)
        self._take(state)
        self._action_before[:] = signals.previous_action
        signals.previous_action[:] = self._decoder.action
        observation, reward, info = self._observe()
        truncated = len(self._stamps) >= self._setup.task.episode_ticks
        return observation, reward, False, truncated, info

    def end(self) -> int:
        """End the episode; return how many of its steps, from the first on, were undisturbed."""
        until_ns = self._world.end()
        return sum(stamp_ns <= until_ns for stamp_ns in self._stamps)

    def _take(self, state: ArmState) -> None:
        self._signals.joint_position[:] = state.position
        self._signals.joint_velocity[:] = state.velocity
        self._effort[:] = state.effort

    def _observe(self) -> tuple[Observation, float, dict[str, object]]:
        """Judge and reward the present state as `ArmEnv` does."""
        signals, task = self._signals, self._setup.task
        observation = self._builder.build(signals)
        self._seen.append(observation.copy())
        tool, velocity = self._builder.tool_position_base, signals.joint_velocity
        distance, rms_speed, peak_speed, power, change = tick_figures(
            tool,
            signals.target_position_base,
            velocity,
            self._effort,
            signals.previous_action,
            self._action_before,
        )
        rest = task.rest_part(rms_speed, power, change)
        info: dict[str, object] = {
            "is_success": task.judge.update(distance, peak_speed),
            "achieved_goal": tool.copy(),  # all that is known of an arm is what is measured
            "seen_goal": tool.copy(),
            "target_position": signals.target_position_base.copy(),
            "distance_m": distance,
            "joint_velocity": velocity.copy(),
            "reward_rest": rest,
        }
        return observation, task.goal_part(distance, rms_speed, peak_speed) + rest, info

    def _drive_home(self, state: ArmState) -> ArmState:
        """Drive to the rest posture through the filter, in proportion to what is left.

        Raises:
            ConfigError: it is not reached in time.
        """
        robot, rates = self._setup.robot, self._setup.rates
        speed = _HOME_SPEED_SHARE * robot.limits.velocity_rad_s
        for _ in range(int(_HOME_WITHIN_S * rates.control_rate_hz)):
            left = robot.home_rad - state.position
            at_rest = np.abs(state.velocity).max() < _AT_REST_RAD_S
            if at_rest and np.abs(left).max() < _AT_HOME_RAD:
                return state
            velocity = np.clip(_HOME_GAIN_PER_S * left, -speed, speed)
            if self._mode == "joint_position":
                state = self._world.step(state.position + velocity * rates.control_period_s)
            else:
                state = self._world.step(velocity)
        raise ConfigError(
            f"the arm is {np.abs(left).max():.2f} rad off home after {_HOME_WITHIN_S:.0f} s: "
            "free its way, or take reset:=none"
        )
