"""What an action in [-1, 1]^size asks of the joints."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import ConfigError, suggest
from sinew_core.parameters import Parameters, parameter
from sinew_core.rates import Rates
from sinew_core.robots.dynamics import dynamics_rows, joint_inertia
from sinew_core.robots.joint_acceleration import JointAccelerationSolver
from sinew_core.robots.tool_velocity import ToolVelocitySolver
from sinew_core.specs import (
    ACTION_MODES,
    TOOL_COMPONENTS,
    AccelerationMotion,
    ActionSpec,
    ToolMotion,
)

if TYPE_CHECKING:
    from sinew_core.robots.kinematics import KinematicChain
    from sinew_core.robots.model import RobotModel

FloatArray = NDArray[np.float64]
Action = NDArray[np.float32] | NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionParameters(Parameters):
    """How much of each joint's limit an action of 1 stands for."""

    velocity_fraction: float = parameter(
        0.4,
        "joint_velocity: velocity at action 1, as a fraction of its limit",
        minimum=1e-3,
        maximum=1,
    )
    position_fraction: float = parameter(
        0.4,
        "joint_position: move at action 1, as a fraction of velocity limit times control period",
        minimum=1e-3,
        maximum=1,
    )
    effort_fraction: float = parameter(
        0.1,
        "joint_effort: largest effort at action 1, as a fraction of its limit",
        minimum=1e-3,
        maximum=1,
    )
    effort_acceleration_rad_s2: float = parameter(
        5.0,
        "joint_effort: what an action of 1 accelerates its joint by at home, the others free",
        unit="rad/s²",
        minimum=1e-2,
        maximum=1e4,
    )
    acceleration_rad_s2: float = parameter(
        5.0,
        "joint_acceleration: acceleration of a joint at rest at action 1",
        unit="rad/s²",
        minimum=1e-2,
        maximum=1e3,
    )
    acceleration_speed_rad_s: float = parameter(
        0.6,
        "joint_acceleration: speed that an action of 1 leads to; the damping follows from it",
        unit="rad/s",
        minimum=1e-2,
        maximum=1e3,
    )
    tool_speed_m_s: float = parameter(
        0.3,
        "tool_velocity: speed along each axis at action 1; no joint then exceeds its "
        "velocity_fraction",
        unit="m/s",
        minimum=1e-3,
        maximum=10,
    )
    tool_damping_m: float = parameter(
        0.05,
        "tool_velocity: damping d of the Jacobian; no joint velocity per tool velocity exceeds "
        "1 / (2 d), and where the arm moves the tool by s per joint velocity it lags by "
        "d² / (s² + d²)",
        unit="m",
        minimum=1e-3,
        maximum=1,
    )
    tool_rotation_weight_m: float = parameter(
        0.1,
        "tool_velocity: length that weighs the tool's orientation against its position; 0: the "
        "tool turns as it likes",
        unit="m",
        minimum=0,
        maximum=10,
    )
    tool_return_per_m: float = parameter(
        5.0,
        "tool_velocity: how much of the way home orientation and posture return, per metre",
        unit="1/m",
        minimum=0,
        maximum=100,
    )


def make_action_spec(
    mode: str,
    robot: RobotModel,
    rates: Rates,
    parameters: ActionParameters | None = None,
) -> ActionSpec:
    """Return the action of a robot in a mode, scaled by its limits.

    Efforts are scaled by inertia, too: a tenth of the limit turns the last joint of an iiwa 14 by
    13,000 rad/s², and an arm whose joints differ so much cannot be learned to be moved.

    Args:
        mode: one of `ACTION_MODES`.
        robot: its joints, limits and inertia count.
        rates: the control rate counts.
        parameters: None for the defaults.

    Raises:
        ConfigError: for an unknown mode.
    """
    fractions, limits = parameters or ActionParameters(), robot.limits
    if mode not in ACTION_MODES:
        raise ConfigError(f"action_mode '{mode}': {suggest(mode, ACTION_MODES)}")
    tool = acceleration = None
    if mode == "joint_effort":
        scale = np.minimum(
            limits.effort_nm * fractions.effort_fraction,
            joint_inertia(robot) * fractions.effort_acceleration_rad_s2,
        )
    elif mode == "joint_position":
        scale = limits.velocity_rad_s * (fractions.position_fraction * rates.control_period_s)
    elif mode == "joint_velocity":
        scale = limits.velocity_rad_s * fractions.velocity_fraction
    elif mode == "joint_acceleration":
        scale = np.full(len(robot.joint_names), fractions.acceleration_rad_s2)
        acceleration = AccelerationMotion(
            speed_rad_s=fractions.acceleration_speed_rad_s, bodies=tuple(dynamics_rows(robot)[1])
        )
    else:
        scale = np.full(len(TOOL_COMPONENTS), fractions.tool_speed_m_s)
        tool = _tool_motion(robot, fractions)
    return ActionSpec(
        mode=mode,
        joint_names=tuple(robot.joint_names),
        scale=tuple(float(s) for s in scale),
        tool=tool,
        acceleration=acceleration,
    )


def _tool_motion(robot: RobotModel, parameters: ActionParameters) -> ToolMotion:
    speed = robot.limits.velocity_rad_s * parameters.velocity_fraction
    return ToolMotion(
        damping_m=parameters.tool_damping_m,
        rotation_weight_m=parameters.tool_rotation_weight_m,
        return_per_m=parameters.tool_return_per_m,
        home_rad=tuple(robot.home_rad.tolist()),
        joint_speed_rad_s=tuple(speed.tolist()),
    )


def nudged(spec: ActionSpec, sizes: Sequence[float]) -> ActionSpec:
    """Return an action that is discrete: a table of nudges, each of one joint, and one that rests.

    Args:
        spec: the action in [-1, 1]^n.
        sizes: (s,) of the nudges, in (0, 1]; the table has 1 + 2 n s rows: rest, then for each
            joint and size the nudge forwards and the one backwards.

    Raises:
        ConfigError: for a size outside (0, 1], or given twice.
    """
    if len(set(sizes)) != len(sizes) or not all(0.0 < size <= 1.0 for size in sizes):
        raise ConfigError(f"nudge sizes {list(sizes)}: give different ones above 0, up to 1")
    rows = [(0.0,) * spec.size]
    for joint, size, sign in itertools.product(range(spec.size), sizes, (1.0, -1.0)):
        rows.append(tuple(sign * size * (joint == other) for other in range(spec.size)))
    return dataclasses.replace(spec, nudges=tuple(rows))


class ActionDecoder:
    """Turns an action into the command that the safety filter is asked for."""

    def __init__(self, spec: ActionSpec, chain: KinematicChain) -> None:
        """Take the specification of the action, and the kinematics of its joints."""
        self.spec = spec
        self.action: FloatArray = np.zeros(spec.size)
        self._scale = np.array(spec.scale, dtype=np.float64)
        self._is_position = spec.mode == "joint_position"
        self._tool = ToolVelocitySolver(chain, spec.tool) if spec.tool else None
        self._velocity_m_s = np.zeros(spec.size)
        motion = spec.acceleration
        self._effort = JointAccelerationSolver(chain, motion, spec.scale) if motion else None

    def decode(
        self,
        action: Action,
        joint_position: FloatArray,
        joint_velocity: FloatArray,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """Return the command (n,): rad/s, rad or N m by mode; `action` keeps the clipped action.

        A position command counts from the measured position, so that a command that the filter
        holds back cannot pile up. A tool's velocity becomes joint velocities at that position, see
        `robots.tool_velocity`, and accelerations become efforts, see `robots.joint_acceleration`.
        NaN stays NaN, for the filter to refuse.

        Args:
            action: (size,), clipped to [-1, 1].
            joint_position: (n,) rad, measured at the decision.
            joint_velocity: (n,) rad/s, likewise.
            out: (n,), written and returned if given.
        """
        if out is None:
            out = np.empty(self.spec.n_joints)
        np.minimum(action, 1.0, out=self.action)
        np.maximum(self.action, -1.0, out=self.action)
        if self._tool is not None:
            velocity = np.multiply(self.action, self._scale, self._velocity_m_s)
            return self._tool.solve(velocity, joint_position, out)
        if self._effort is not None:
            return self._effort.solve(self.action, joint_position, joint_velocity, out)
        np.multiply(self.action, self._scale, out)
        if self._is_position:
            np.add(out, joint_position, out)
        return out
