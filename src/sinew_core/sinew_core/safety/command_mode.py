"""What a supervisor must know of the commands of an action mode: their hold, rest and travel.

| mode | a hold is | a command rests when | its travel is |
|---|---|---|---|
| joint_velocity | zero velocity | it is zero | velocity times period |
| joint_position | the last position sent, or the measured one | it is repeated | its step |
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Protocol

from sinew_core.robots.model import RobotModel
from sinew_core.safety.filter import FilterResult
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters

Values = tuple[float, ...]


class Filter(Protocol):
    """The part of the filters that is used here."""

    def reset(self, position_rad: Sequence[float]) -> None:
        """Start from rest at a position."""

    def step(
        self, desired: Sequence[float], measured_position_rad: Sequence[float] | None
    ) -> FilterResult:
        """Clamp one command."""

    def brake(self, measured_position_rad: Sequence[float] | None) -> FilterResult:
        """Decelerate."""

    def hold(self, periods: int) -> None:
        """Account for missed periods."""


class CommandMode(abc.ABC):
    """The filter of a mode, and what its commands mean to the arm.

    Attributes:
        output: what was published last (n,), None before anything was.
    """

    def __init__(self, arm_filter: Filter, n_joints: int) -> None:
        """Take the filter of an arm, which `start` resets."""
        self.output: Values | None = None
        self._filter = arm_filter
        self._zeros: Values = (0.0,) * n_joints

    def start(self, position: Sequence[float]) -> None:
        """Start the filter from rest where the arm is held, measured at `position` (n,) rad."""
        self.hold(position)
        self._filter.reset(position)

    def step(
        self,
        desired: Sequence[float] | None,
        position: Sequence[float] | None,
        velocity: Sequence[float],
    ) -> FilterResult:
        """Filter one command (n,); None while nothing is commanded yet, which is a hold.

        Args:
            desired: in the unit of the mode.
            position: (n,) rad, None where no newer one was measured.
            velocity: (n,) rad/s, the last measured.
        """
        wanted = self._idle() if desired is None else desired
        return self._published(self._filter.step(wanted, position))

    def brake(self, position: Sequence[float] | None, velocity: Sequence[float]) -> FilterResult:
        """Decelerate for one period; arguments as `step`."""
        return self._published(self._filter.brake(position))

    def skip(self, periods: int) -> None:
        """Account for periods in which nothing was published."""
        self._filter.hold(periods)

    def forget(self) -> None:
        """Take nothing that was published as still in force: the arm may have been placed."""
        self.output = None

    @abc.abstractmethod
    def hold(self, position: Sequence[float]) -> Values | None:
        """Return what keeps the arm at rest, measured at `position` (n,) rad or () if it never was.

        None where that cannot be known yet.
        """

    @property
    @abc.abstractmethod
    def rests(self) -> bool:
        """Whether what was published last asks for no motion."""

    @abc.abstractmethod
    def travel_rad(self, period_s: float) -> float:
        """Return the largest travel of a joint that was commanded for the last period."""

    @abc.abstractmethod
    def _idle(self) -> Values:
        """Return the command that asks for no motion."""

    def _published(self, result: FilterResult) -> FilterResult:
        self.output = result.command
        return result


class VelocityMode(CommandMode):
    """Commands in rad/s."""

    def hold(self, position: Sequence[float]) -> Values:
        """Return zero velocity."""
        self.output = self._zeros
        return self._zeros

    @property
    def rests(self) -> bool:
        """Whether the last velocity is zero."""
        return self.output is None or not any(self.output)

    def travel_rad(self, period_s: float) -> float:
        """Return the way at the last velocity."""
        return max(map(abs, self.output or self._zeros)) * period_s

    def _idle(self) -> Values:
        return self._zeros


class PositionMode(CommandMode):
    """Commands in rad; the last one published is the reference that the drive follows."""

    def __init__(self, arm_filter: Filter, n_joints: int, *, follows_rad: float) -> None:
        """Take how far a drive that follows its reference may be off it, as measured."""
        super().__init__(arm_filter, n_joints)
        self._follows_rad = follows_rad
        self._step_rad = 0.0

    def start(self, position: Sequence[float]) -> None:
        """Start the filter from the reference held, so that arming moves nothing."""
        self._filter.reset(self.hold(position) or position)

    def hold(self, position: Sequence[float]) -> Values | None:
        """Return the reference; where the arm is not there any more, the measured position.

        Whoever moved it meanwhile, it is not to jump back.
        """
        reference, self._step_rad = self.output, 0.0
        if position and (
            reference is None
            or any(abs(p - q) > self._follows_rad for p, q in zip(reference, position, strict=True))
        ):
            self.output = tuple(position)
        return self.output

    @property
    def rests(self) -> bool:
        """Whether the reference stands still."""
        return self._step_rad == 0.0

    def travel_rad(self, period_s: float) -> float:
        """Return the last step of the reference."""
        return self._step_rad

    def _idle(self) -> Values:
        assert self.output is not None  # `start` came before
        return self.output

    def _published(self, result: FilterResult) -> FilterResult:
        before = self.output or result.command
        self._step_rad = max(abs(b - a) for a, b in zip(before, result.command, strict=True))
        return super()._published(result)


def make_command_mode(
    mode: str, robot: RobotModel, safety: SafetyParameters, period_s: float
) -> CommandMode:
    """Return what a supervisor needs for an action mode.

    Raises:
        ConfigError: as `make_filter`.
    """
    arm_filter = make_filter(mode, robot, safety, period_s)
    if mode == "joint_position":
        follows_rad = safety.tracking_error_rad + safety.noise_rad
        return PositionMode(arm_filter, robot.n_joints, follows_rad=follows_rad)
    return VelocityMode(arm_filter, robot.n_joints)
