"""What the computers of real arms check in each command, and stop the arm for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.robots.model import RobotModel

FloatArray = NDArray[np.float64]
_ROUNDING = 1e-9
_WINDOW_PERIODS = 50
_TOO_MANY = 1.5


class Guard(Protocol):
    """Judges the commands of each period of the driver."""

    closes: bool
    """Whether it closes the connection, so that joint states end too."""

    def rest(self, command: FloatArray) -> None:
        """Begin anew at rest under a command (n,)."""

    def violation(self, command: FloatArray, came: int) -> str:
        """Return what is wrong, or ''.

        Args:
            command: (n,) in force from now on, for one period.
            came: how many commands came since the last period.
        """


class PositionGuard:
    """The command guard of the KUKA LBR: a command that it refuses closes the connection.

    Positions have to be within the limits, and from one period to the next no joint may go further
    than its velocity limit allows (lbr_fri_ros2_stack, lbr_fri_ros2, `CommandGuard`; there the
    step goes from the measured position in some versions). The arm's period is fixed; a sender
    that is faster by half in the mean does not keep to it.
    """

    closes = True

    def __init__(self, robot: RobotModel, period_s: float) -> None:
        """Take limits and the arm's period, which is the driver's."""
        limits = robot.limits
        self._names = robot.joint_names
        self._lower, self._upper = limits.position_lower_rad, limits.position_upper_rad
        self._step = limits.velocity_rad_s * period_s
        self._period_s = period_s
        self._before: FloatArray = robot.home_rad.copy()
        self._periods = self._came = 0

    def rest(self, command: FloatArray) -> None:
        """Begin anew at a position (n,) rad."""
        self._before = command.copy()
        self._periods = self._came = 0

    def violation(self, command: FloatArray, came: int) -> str:
        """Return which joint is out of range or jumps, or that too many commands come."""
        step = np.abs(command - self._before)
        self._before = command.copy()
        out = (command < self._lower - _ROUNDING) | (command > self._upper + _ROUNDING)
        if out.any():
            i = int(np.argmax(out))
            return f"{self._names[i]} is sent to {command[i]:.4f} rad, out of its range"
        over = step - self._step
        i = int(np.argmax(over))
        if over[i] > _ROUNDING:
            return (
                f"{self._names[i]} jumps by {step[i]:.4f} rad in {self._period_s * 1e3:g} ms, "
                f"its velocity limit allows {self._step[i]:.4f}"
            )
        return self._rate(came)

    def _rate(self, came: int) -> str:
        self._periods += 1
        self._came += came
        if self._periods < _WINDOW_PERIODS:
            return ""
        rate_hz = self._came / (self._periods * self._period_s)
        self._periods = self._came = 0
        if rate_hz <= _TOO_MANY / self._period_s:
            return ""
        return f"commands come at {rate_hz:.0f} Hz, the arm takes {1.0 / self._period_s:.0f}"


class StepReflex:
    """The reflex of the Franka arms at a discontinuity of what a motion generator commands.

    From one period to the next a commanded velocity may change by what the acceleration limit
    allows, a commanded position by what the velocity limit allows (FCI documentation, "Errors due
    to noncompliant commanded values": `joint_motion_generator_acceleration_discontinuity`,
    `..._velocity_discontinuity`). franka_ros2 limits no rates by itself, and holds each command
    for periods of 1 ms until the next.
    """

    closes = False

    def __init__(self, robot: RobotModel, period_s: float, mode: str) -> None:
        """Take limits, the arm's period, which is the driver's, and what the commands are."""
        limits = robot.limits
        by_position = mode == "joint_position"
        self._step = period_s * (
            limits.velocity_rad_s if by_position else limits.acceleration_rad_s2
        )
        if mode == "joint_effort":
            self._step = period_s * limits.effort_rate_nm_s
        self._names, self._period_s = robot.joint_names, period_s
        self._before: FloatArray = robot.home_rad.copy() if by_position else 0.0 * self._step

    def rest(self, command: FloatArray) -> None:
        """Begin anew at rest under a command (n,)."""
        self._before = command.copy()

    def violation(self, command: FloatArray, came: int) -> str:
        """Return which joint's command has a step that is too large."""
        step = np.abs(command - self._before)
        self._before = command.copy()
        over = step - self._step
        i = int(np.argmax(over))
        if over[i] <= _ROUNDING:
            return ""
        return (
            f"reflex: the command of {self._names[i]} steps by {step[i]:.4g} in "
            f"{self._period_s * 1e3:g} ms, allowed {self._step[i]:.4g}"
        )


def make_guard(kind: str, robot: RobotModel, period_s: float, mode: str) -> Guard | None:
    """Return the guard of a kind, None for none."""
    if kind == "positions":
        return PositionGuard(robot, period_s)
    return StepReflex(robot, period_s, mode) if kind == "steps" else None
