"""What a supervisor must know of the commands of an action mode: their hold, rest and travel.

| mode | a hold is | a command rests when | its travel is |
|---|---|---|---|
| joint_velocity | zero velocity | it is zero | velocity times period |
| joint_position | the last position sent, or the measured one | it is repeated | its step |
| joint_effort | the filter's own braking, which holds | the arm is measured at rest | as measured |

Velocities that are sent as positions have a mode of their own: `integrating`.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

from sinew_core.robots.model import RobotModel
from sinew_core.safety.effort_filter import EffortFilter
from sinew_core.safety.filter import FilterResult
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters

Values = tuple[float, ...]


class Filter(Protocol):
    """The part of the filters that is used here."""

    def reset(self, position_rad: Sequence[float]) -> None:
        """Start from rest at a position."""

    def step(
        self,
        desired: Sequence[float],
        measured_position_rad: Sequence[float] | None,
        measured_velocity_rad_s: Sequence[float] | None,
    ) -> FilterResult:
        """Clamp one command."""

    def brake(
        self,
        measured_position_rad: Sequence[float] | None,
        measured_velocity_rad_s: Sequence[float] | None,
    ) -> FilterResult:
        """Decelerate."""

    def hold(self, periods: int) -> None:
        """Account for missed periods."""


class SupervisedMode(Protocol):
    """What a supervisor uses of a `CommandMode`, which says what it means."""

    @property
    def output(self) -> Values | None:
        """What was published last (n,), None before anything was."""

    @property
    def rests(self) -> bool:
        """Whether what was published last asks for no motion."""

    def step(
        self,
        desired: Sequence[float] | None,
        position: Sequence[float] | None,
        velocity: Sequence[float],
    ) -> FilterResult:
        """Filter one command."""

    def brake(self, position: Sequence[float] | None, velocity: Sequence[float]) -> FilterResult:
        """Decelerate."""

    def skip(self, periods: int) -> None:
        """Account for missed periods."""

    def forget(self) -> None:
        """Take nothing that was published as still in force."""

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start where the arm is held."""

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return what keeps the arm at rest."""

    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the largest travel of a joint in the last period."""


class CommandMode(abc.ABC):
    """The filter of a mode, and what its commands mean to the arm.

    Wherever a position (n,) rad is None, none was measured since the last call; the velocity (n,)
    rad/s of the same time does not count then.

    Attributes:
        output: what was published last (n,), None before anything was.
        hold_needs: what a hold is made of beside measurements: nothing, the output before it, or
            all that the filter has seen.
    """

    hold_needs: ClassVar[Literal["nothing", "output", "filter"]]

    def __init__(self, arm_filter: Filter, n_joints: int) -> None:
        """Take the filter of an arm, which `start` resets."""
        self.output: Values | None = None
        self._filter = arm_filter
        self._zeros: Values = (0.0,) * n_joints

    def step(
        self,
        desired: Sequence[float] | None,
        position: Sequence[float] | None,
        velocity: Sequence[float],
    ) -> FilterResult:
        """Filter one command (n,) in the unit of the mode; None asks for no motion."""
        measured = None if position is None else velocity
        wanted = self.idle if desired is None else desired
        if wanted is not None:
            return self._published(self._filter.step(wanted, position, measured))
        held = self._filter.brake(position, measured)
        return self._published(FilterResult(held.command, held.causes, False, held.fault))

    def brake(self, position: Sequence[float] | None, velocity: Sequence[float]) -> FilterResult:
        """Decelerate for one period."""
        measured = None if position is None else velocity
        return self._published(self._filter.brake(position, measured))

    def skip(self, periods: int) -> None:
        """Account for periods in which nothing was published."""
        self._filter.hold(periods)

    def forget(self) -> None:
        """Take nothing that was published as still in force: the arm may have been placed."""
        self.output = None

    @abc.abstractmethod
    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start the filter where the arm is held, as measured (n,) rad, rad/s."""

    @abc.abstractmethod
    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return what keeps the arm at rest for a period, None while that cannot be known yet."""

    @property
    def answer(self) -> Values | None:
        """The last output (n,) in the unit of what is asked for, in which they are compared."""
        return self.output

    @property
    @abc.abstractmethod
    def idle(self) -> Values | None:
        """The command that asks for no motion, None where only the filter's braking does."""

    @property
    @abc.abstractmethod
    def rests(self) -> bool:
        """Whether what was published last asks for no motion."""

    @abc.abstractmethod
    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the largest travel of a joint that the last period must have shown."""

    def _published(self, result: FilterResult) -> FilterResult:
        self.output = result.command
        return result


class VelocityMode(CommandMode):
    """Commands in rad/s."""

    hold_needs = "nothing"

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start from rest at the measured position."""
        self._filter.reset(position)

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values:
        """Return zero velocity."""
        self.output = self._zeros
        return self._zeros

    @property
    def idle(self) -> Values:
        """Zero velocity."""
        return self._zeros

    @property
    def rests(self) -> bool:
        """Whether the last velocity is zero."""
        return self.output is None or not any(self.output)

    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the way at the last velocity."""
        return max(map(abs, self.output or self._zeros)) * period_s


class PositionMode(CommandMode):
    """Commands in rad; the last one published is the reference that the drive follows."""

    hold_needs = "output"

    def __init__(self, arm_filter: Filter, n_joints: int, *, follows_rad: float) -> None:
        """Take how far a drive that follows its reference may be off it, as measured."""
        super().__init__(arm_filter, n_joints)
        self._follows_rad = follows_rad
        self._step_rad = 0.0

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start from rest at the reference held, so that arming moves nothing."""
        self._filter.reset(self.hold(position, velocity) or position)

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return the reference; where the arm is not there any more, the measured position.

        Whoever moved it meanwhile, it is not to jump back.
        """
        self._step_rad = 0.0
        if position is not None and are_apart(self.output, position, self._follows_rad):
            self.output = tuple(position)
        return self.output

    @property
    def idle(self) -> Values | None:
        """The reference."""
        return self.output

    @property
    def rests(self) -> bool:
        """Whether the reference stands still."""
        return self._step_rad == 0.0

    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the last step of the reference."""
        return self._step_rad

    def _published(self, result: FilterResult) -> FilterResult:
        before = self.output or result.command
        self._step_rad = max(abs(b - a) for a, b in zip(before, result.command, strict=True))
        return super()._published(result)


class EffortMode(CommandMode):
    """Commands in N m: none of them is rest, so the filter's braking has to hold the arm."""

    hold_needs = "filter"

    def __init__(self, arm_filter: EffortFilter, n_joints: int, *, follows_rad: float) -> None:
        """Take how far an arm that is held may move from one measurement to the next."""
        super().__init__(arm_filter, n_joints)
        self._efforts = arm_filter
        self._follows_rad = follows_rad
        self._held_at: Values | None = None

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start from the measured state and the effort in force, if there is one."""
        self._efforts.reset(position, velocity, self.output)
        self._held_at = tuple(position)

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return the effort that holds the arm, anew where it was moved away meanwhile."""
        if position is not None:
            if self.output is None or are_apart(self._held_at, position, self._follows_rad):
                self._efforts.reset(position, velocity)
            self._held_at = tuple(position)
        if self._held_at is None:
            return None
        return self.brake(position, velocity).command

    @property
    def idle(self) -> None:
        """None."""
        return None

    @property
    def rests(self) -> bool:
        """Whether the last cycle measured the arm at rest."""
        return self._efforts.at_rest

    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the way at the measured velocity: an effort does not say how far it moves."""
        return max(map(abs, velocity)) * period_s

    def forget(self) -> None:
        """Start anew where the arm is measured next."""
        super().forget()
        self._held_at = None


def make_command_mode(
    mode: str,
    robot: RobotModel,
    safety: SafetyParameters,
    period_s: float,
    *,
    gravity_compensation: bool = True,
) -> CommandMode:
    """Return what a supervisor needs for an action mode; arguments and errors as `make_filter`."""
    arm_filter = make_filter(
        mode, robot, safety, period_s, gravity_compensation=gravity_compensation
    )
    follows_rad = safety.tracking_error_rad + safety.noise_rad
    if isinstance(arm_filter, EffortFilter):
        return EffortMode(arm_filter, robot.n_joints, follows_rad=follows_rad)
    if mode == "joint_position":
        return PositionMode(arm_filter, robot.n_joints, follows_rad=follows_rad)
    return VelocityMode(arm_filter, robot.n_joints)


def are_apart(first: Sequence[float] | None, second: Sequence[float], distance_rad: float) -> bool:
    """Return whether a joint is further from one position than this, or the first is unknown."""
    return first is None or any(
        abs(a - b) > distance_rad for a, b in zip(first, second, strict=True)
    )
