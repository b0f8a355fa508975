"""What a supervisor must know of the commands of an action mode: their hold, rest and travel.

| mode | a hold is | a command rests when | its travel is |
|---|---|---|---|
| joint_velocity | zero velocity | it is zero | velocity times period |
| joint_position | the last position sent, until the arm is moved | it is repeated | its step |
| joint_effort | the filter's own braking, which holds | the arm is measured at rest | as measured |

Velocities that are sent as positions have a mode of their own: `integrating`.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from sinew_core.robots.model import RobotModel
from sinew_core.safety.effort_filter import EffortFilter
from sinew_core.safety.filter import FilterResult
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.whereabouts import Sight, Whereabouts

if TYPE_CHECKING:
    from sinew_core.robots.limits import JointLimits

Values = tuple[float, ...]

_ARRIVED = 0.1
"""Part of the distance that a drive may be off, to which a reference goes after a moved arm."""


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

    def __init__(
        self, arm_filter: Filter, limits: JointLimits, period_s: float, follows_rad: float
    ) -> None:
        """Take the filter of an arm, which `start` resets, its limits and the filter's period.

        `follows_rad` is how far an arm that is held may be off, as measured.
        """
        self.output: Values | None = None
        self._filter = arm_filter
        self._zeros: Values = (0.0,) * limits.n_joints
        self._follows_rad = follows_rad
        self._whereabouts = Whereabouts(limits.velocity_rad_s.tolist(), follows_rad, period_s)

    def step(
        self,
        desired: Sequence[float] | None,
        position: Sequence[float] | None,
        velocity: Sequence[float],
    ) -> FilterResult:
        """Filter one command (n,) in the unit of the mode; None asks for no motion."""
        self._whereabouts.leave(position)
        measured = None if position is None else velocity
        wanted = self.idle if desired is None else desired
        if wanted is not None:
            return self._published(self._filter.step(wanted, position, measured))
        held = self._filter.brake(position, measured)
        return self._published(FilterResult(held.command, held.causes, False, held.fault))

    def brake(self, position: Sequence[float] | None, velocity: Sequence[float]) -> FilterResult:
        """Decelerate for one period."""
        self._whereabouts.leave(position)
        return self._braked(position, velocity)

    def skip(self, periods: int) -> None:
        """Account for periods in which nothing was published."""
        self._filter.hold(periods)

    def forget(self) -> None:
        """Take nothing that was published as still in force: the arm may have been placed."""
        self.output = None
        self._whereabouts.forget()

    def sight(self, position: Sequence[float], *, at_rest: bool) -> Sight:
        """Return what a measured position (n,) rad says of the arm; call it while that is held.

        A hold is to be given the position where it says that the arm is away.
        """
        return self._whereabouts.take(position, self._reference, at_rest=at_rest)

    def unchanged(self) -> list[tuple[int, float]]:
        """Return the joints off what is held, in rad, that are measured where the hold began.

        A driver that has died may tell of them.
        """
        return [] if self._reference is None else self._whereabouts.unchanged(self._reference)

    @abc.abstractmethod
    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start the filter where the arm is held, as measured (n,) rad, rad/s."""

    @abc.abstractmethod
    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return what keeps the arm at rest for a period, None while that cannot be known yet.

        The position is one that `sight` says the arm is away at.
        """

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

    @property
    def _reference(self) -> Values | None:
        """The position that a hold keeps the arm at, None where none is sent, or not yet."""
        return None

    def _braked(self, position: Sequence[float] | None, velocity: Sequence[float]) -> FilterResult:
        measured = None if position is None else velocity
        return self._published(self._filter.brake(position, measured))

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


class ReferenceMode(CommandMode):
    """Outputs in rad; the last one is the reference that the drive follows."""

    hold_needs = "output"

    def __init__(
        self, arm_filter: Filter, limits: JointLimits, period_s: float, follows_rad: float
    ) -> None:
        """Take what `CommandMode` does."""
        super().__init__(arm_filter, limits, period_s, follows_rad)
        self._lower: list[float] = limits.position_lower_rad.tolist()
        self._upper: list[float] = limits.position_upper_rad.tolist()
        self._reaches = [period_s * v for v in limits.velocity_rad_s.tolist()]

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return the reference; it goes after an arm that was moved, as fast as that may move.

        It does not leave the limits, nor go further beyond one where the arm began there.
        """
        if position is not None:
            reference = self.output
            self.output = tuple(position) if reference is None else self._after(reference, position)
        return self.output

    @property
    def _reference(self) -> Values | None:
        return self.output

    def _begin(self, position: Sequence[float]) -> Values:
        """Return the reference to start from; the measured position where the arm is not at it."""
        if self.output is None or are_apart(self.output, position, self._follows_rad):
            self.output = tuple(position)
        return self.output

    def _after(self, reference: Values, position: Sequence[float]) -> Values:
        arrived = _ARRIVED * self._follows_rad
        limits = zip(self._lower, self._upper, self._reaches, strict=True)
        ways = zip(reference, position, limits, strict=True)
        return tuple(
            [
                p if abs(q - p) <= arrived else approached(p, q, lower, upper, reach)
                for p, q, (lower, upper, reach) in ways
            ]
        )


class PositionMode(ReferenceMode):
    """Commands in rad."""

    _step_rad = 0.0

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start from rest at the reference held, so that arming moves nothing.

        Where the arm is not there, that is the measured position.
        """
        self._step_rad = 0.0
        self._filter.reset(self._begin(position))

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return the reference, see `ReferenceMode`."""
        self._step_rad = 0.0
        return super().hold(position, velocity)

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

    def __init__(
        self, arm_filter: EffortFilter, limits: JointLimits, period_s: float, follows_rad: float
    ) -> None:
        """Take what `CommandMode` does."""
        super().__init__(arm_filter, limits, period_s, follows_rad)
        self._efforts = arm_filter
        self._held_at: Values | None = None

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start from the measured state and the effort in force, if there is one."""
        self._efforts.reset(position, velocity, self.output)
        self._held_at = tuple(position)

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return the effort that holds the arm, at another place where it was moved meanwhile.

        That goes on from the effort in force, whose rate is limited as ever.
        """
        if position is not None:
            if self.output is None or are_apart(self._held_at, position, self._follows_rad):
                self._efforts.reset(position, velocity, self.output)
            self._held_at = tuple(position)
        if self._held_at is None:
            return None
        return self._braked(position, velocity).command

    @property
    def idle(self) -> None:
        """None."""
        return None

    @property
    def rests(self) -> bool:
        """Whether the last cycle measured the arm at rest."""
        return self._efforts.at_rest

    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the way at the measured velocity: an effort does not say how far it moves.

        By the masses alone it would; but within the acceleration limits light joints are sent less
        than their friction may hold, and an arm that rightly stands still would look frozen.
        """
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
        return EffortMode(arm_filter, robot.limits, period_s, follows_rad)
    made = PositionMode if mode == "joint_position" else VelocityMode
    return made(arm_filter, robot.limits, period_s, follows_rad)


def are_apart(first: Sequence[float] | None, second: Sequence[float], distance_rad: float) -> bool:
    """Return whether a joint is further from one position than this, or the first is unknown."""
    return first is None or any(
        abs(a - b) > distance_rad for a, b in zip(first, second, strict=True)
    )


def approached(start: float, goal: float, lower: float, upper: float, reach: float) -> float:
    """Return the place nearest to a goal within reach and limits, or as far beyond as the start."""
    nearest = min(max(goal, start - reach), start + reach)
    return min(max(nearest, min(lower, start)), max(upper, start))
