"""What a roll-out takes and gives, and what drives the joints in it; for every kind of plant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots.arm_controller import MODES
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation import arm_control, arm_loop
from sinew_core.simulation.arm_control import (
    Signal,
    check_stability,
    command_signal,
    control_rows,
    resting_integral,
)


class CommandSequence(Protocol):
    """What a controller was told: `sinew_core.bags.recording.Commands` is one."""

    @property
    def mode(self) -> str:
        """`position`, `velocity` or `effort`."""

    @property
    def time_s(self) -> Array:
        """When each command was sent (m,), not decreasing, on the clock of the samples."""

    @property
    def values(self) -> Array:
        """The commands (m, n)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """How an arm of n joints moves, at N sample times.

    Attributes:
        position_rad: (N, n).
        velocity_rad_s: (N, n).
        effort_nm: (N, n) of the motors, in the physics step that ends at or after the sample; at
            the first sample in the first step.
    """

    position_rad: Array
    velocity_rad_s: Array
    effort_nm: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Drives:
    """What drives the joints, as the compiled loop takes it."""

    mode: int
    hold: str
    compensated: bool
    rows: Array
    delay_s: float
    integral: Array


def drives_of(
    robot: RobotModel,
    physics_rate_hz: int,
    params: SimParams,
    commands: CommandSequence,
    start: Array,
) -> Drives:
    """Return what drives an arm that starts at (n,) rad.

    Raises:
        ConfigError: the commands are of another mode, gains are wrong, or the physics rate is too
            low for them.
    """
    arm, controller = params.dynamics, params.controller
    integral = np.zeros(robot.n_joints)
    if controller is None:
        return _ideal_drives(robot, arm, commands.mode, integral)
    if commands.mode != controller.mode:
        raise ConfigError(
            f"the commands are of mode '{commands.mode}' but the controller's is "
            f"'{controller.mode}': give the controller that took them"
        )
    rows = control_rows(robot, controller, arm)
    check_stability(robot, arm, rows, physics_rate_hz, [start])
    if controller.mode == "velocity":
        integral = resting_integral(robot, params, rows, start)
    return Drives(
        mode=MODES.index(controller.mode),
        hold=controller.hold,
        compensated=controller.gravity_compensation,
        rows=rows,
        delay_s=arm.delay_s,
        integral=integral,
    )


def _ideal_drives(robot: RobotModel, arm: ArmDynamics, mode: str, integral: Array) -> Drives:
    """Return the drives that the engines have; efforts come on top of the weight's."""
    modes = {
        "velocity": arm_loop.IDEAL_VELOCITY,
        "position": arm_loop.IDEAL_POSITION,
        "effort": arm_control.EFFORT,
    }
    rows = np.zeros((4, robot.n_joints))
    rows[arm_control.STRENGTH] = arm.motor_strength
    rows[arm_control.LIMIT] = robot.limits.effort_nm if mode == "effort" else np.inf
    rows[arm_loop.HIGHEST_SPEED] = robot.limits.velocity_rad_s
    return Drives(
        mode=modes[mode],
        hold="zoh",
        compensated=mode == "effort",
        rows=rows,
        delay_s=arm.delay_s,
        integral=integral,
    )


def signal_of(
    robot: RobotModel, commands: CommandSequence, mode: int, hold: str, start: Array, zero_s: float
) -> Signal:
    """Return the signal of commands, on a clock that is 0 at the start.

    Raises:
        ConfigError: the arrays do not fit, or times decrease.
    """
    times, values = np.asarray(commands.time_s), np.asarray(commands.values)
    n = robot.n_joints
    if values.shape != (times.size, n) or (np.diff(times) < 0.0).any():
        raise ConfigError(
            f"commands are {values.shape} at {times.size} times: expected ({times.size}, {n}) at "
            "times that do not decrease"
        )
    by_position = mode in (arm_control.POSITION, arm_loop.IDEAL_POSITION)
    rest = start if by_position else np.zeros(n)
    signal = command_signal(times - zero_s, values, rest, hold=hold)
    if mode == arm_loop.IDEAL_POSITION:
        signal[3][:] = arm_control.command_period_s(times) or 1.0
    return signal


def replayed(
    robot: RobotModel, effort_time_s: Array, effort_nm: Array, zero_s: float
) -> tuple[Drives, Signal]:
    """Return what gives efforts (m, n) measured at (m,) s, and their signal from the start on.

    Raises:
        ConfigError: the arrays do not fit.
    """
    efforts, n = np.array(effort_nm, dtype=np.float64), robot.n_joints
    times = np.array(effort_time_s, dtype=np.float64)
    if efforts.shape != (times.size, n) or not times.size:
        raise ConfigError(
            f"efforts are {efforts.shape} at {times.size} times: expected (times, {n})"
        )
    ends = np.vstack([efforts[1:], efforts[-1:]])
    rises = np.append(np.diff(times), 0.0)
    times[0] = min(times[0], zero_s)
    rows = np.zeros((4, n))
    rows[arm_control.STRENGTH], rows[arm_control.LIMIT] = 1.0, np.inf
    drives = Drives(
        mode=arm_control.EFFORT,
        hold="",
        compensated=False,
        rows=rows,
        delay_s=0.0,
        integral=np.zeros(n),
    )
    return drives, (times - zero_s, efforts, ends, rises)


def start_of(robot: RobotModel, position_rad: Array, velocity_rad_s: Array) -> tuple[Array, Array]:
    """Return copies of where an arm starts.

    Raises:
        ConfigError: they are not (n,) finite numbers.
    """
    state = []
    for what, values in (("position", position_rad), ("velocity", velocity_rad_s)):
        numbers = np.array(values, dtype=np.float64)
        if numbers.shape != (robot.n_joints,) or not np.isfinite(numbers).all():
            raise ConfigError(
                f"start {what} is {numbers.tolist()!r:.80}: expected {robot.n_joints} finite "
                "numbers"
            )
        state.append(numbers)
    return state[0], state[1]
