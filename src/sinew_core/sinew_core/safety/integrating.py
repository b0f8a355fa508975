"""Velocity commands for a drive that takes positions: filtered as velocities, sent integrated.

The filter, and so what a policy feels of it, is that of velocities; each output is the one before
it and one period further. What is sent is a position, thus exact, and the arm is off it by the
tracking error at most, age apart: to the filter that is an error of the measurement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sinew_core.safety.command_mode import ReferenceMode, Values
from sinew_core.safety.filter import FilterResult, VelocityFilter
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.whereabouts import Follows

if TYPE_CHECKING:
    from sinew_core.robots.limits import JointLimits
    from sinew_core.robots.model import RobotModel


class IntegratingMode(ReferenceMode):
    """Commands in rad/s, outputs in rad; the last output is what the drive holds."""

    def __init__(
        self, arm_filter: VelocityFilter, limits: JointLimits, period_s: float, follows: Follows
    ) -> None:
        """Take what `CommandMode` does."""
        super().__init__(arm_filter, limits, period_s, follows)
        self._velocities = arm_filter
        self._period_s = period_s
        self._velocity = self._zeros

    @property
    def answer(self) -> Values:
        """The velocity that the last output goes on by."""
        return self._velocity

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start from rest at the measured position, with the output that is held."""
        self._velocity = self._zeros
        self._begin(position)
        self._filter.reset(position)

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return the last output or None, see `ReferenceMode`."""
        self._velocity = self._zeros
        return super().hold(position, velocity)

    def skip(self, periods: int) -> None:
        """Account for periods without an output, in which the drive came to rest where it was."""
        self._velocities.stand(periods)

    @property
    def idle(self) -> Values:
        """Zero velocity."""
        return self._zeros

    @property
    def rests(self) -> bool:
        """Whether the last output repeats the one before it."""
        return not any(self._velocity)

    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the step of the last output."""
        return max(map(abs, self._velocity)) * period_s

    def _published(self, result: FilterResult) -> FilterResult:
        self._velocity = result.command
        before = self.output
        assert before is not None  # `start` has set it
        ways = zip(before, result.command, self._lower, self._upper, strict=True)
        period_s = self._period_s
        # The arm may be off by the tracking error, but nothing is sent beyond a limit, or further
        # beyond one where the arm began there.
        ahead = tuple(
            [min(max(q + period_s * v, min(low, q)), max(up, q)) for q, v, low, up in ways]
        )
        return super()._published(
            FilterResult(ahead, result.causes, result.intervened, result.fault)
        )


def make_integrating_mode(
    robot: RobotModel, safety: SafetyParameters, period_s: float
) -> IntegratingMode:
    """Return the mode for velocity commands and a drive of positions.

    Raises:
        ConfigError: if limits, parameters and period do not fit each other.
    """
    follows = Follows.assumed(safety)
    off = dataclasses.replace(safety, noise_rad=follows.measured_rad)
    arm_filter = make_filter("joint_velocity", robot, off, period_s)
    assert isinstance(arm_filter, VelocityFilter)
    return IntegratingMode(arm_filter, robot.limits, period_s, follows)
