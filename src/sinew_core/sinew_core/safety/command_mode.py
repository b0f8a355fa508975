"""What a supervisor must know of the commands of an action mode: their hold, rest and travel.

| mode | a hold is | a command rests when | its travel is |
|---|---|---|---|
| joint_velocity | zero velocity | it is zero | velocity times period |
| joint_position | the last position sent, where the arm is there | it is repeated | its step |
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
from sinew_core.safety.whereabouts import Distances, Follows, Sight, Whereabouts

if TYPE_CHECKING:
    from sinew_core.robots.limits import JointLimits

Values = tuple[float, ...]

_PROBE_S = 1.0
"""How long a reference goes slowly, before it is known that no drive follows it."""


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
    _sends_positions: ClassVar[bool] = False

    def __init__(
        self, arm_filter: Filter, limits: JointLimits, period_s: float, follows: Follows
    ) -> None:
        """Take the filter of an arm, which `start` resets, its limits and the filter's period.

        `follows` says how far an arm that is held may be off.
        """
        self.output: Values | None = None
        self._filter = arm_filter
        self._zeros: Values = (0.0,) * limits.n_joints
        self._follows_rad = follows.measured_rad
        self._whereabouts = Whereabouts(
            limits.velocity_rad_s.tolist(), follows, period_s, patient=self._sends_positions
        )

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

    def sight(self, time_ns: int, position: Sequence[float]) -> Sight:
        """Return what a measured position (n,) rad says of the arm; call it while that is held.

        The time is when it came, by a steady clock. A hold is to be given the position where this
        says that the arm is away.
        """
        return self._whereabouts.take(time_ns, position, self._reference)

    def astray(self) -> Distances:
        """Return the joints off what is held, in rad, for which nothing is sent."""
        reference, whereabouts = self._reference, self._whereabouts
        return [] if reference is None or not whereabouts.astray else whereabouts.off(reference)

    def unchanged(self) -> Distances:
        """Return the joints off what is held, in rad, that are measured where the hold began.

        A driver that has died may tell of them.
        """
        return [] if self._reference is None else self._whereabouts.unchanged(self._reference)

    @abc.abstractmethod
    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start the filter where the arm is held, as measured (n,) rad, rad/s."""

    @abc.abstractmethod
    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return what keeps the arm at rest for a period, None where that cannot be known.

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
    _sends_positions = True

    def __init__(
        self, arm_filter: Filter, limits: JointLimits, period_s: float, follows: Follows
    ) -> None:
        """Take what `CommandMode` does."""
        super().__init__(arm_filter, limits, period_s, follows)
        self._lower: list[float] = limits.position_lower_rad.tolist()
        self._upper: list[float] = limits.position_upper_rad.tolist()
        self._reaches = [period_s * v for v in limits.velocity_rad_s.tolist()]
        slowly = period_s * self._whereabouts.probe_rad / _PROBE_S
        self._slow_reaches = [min(slowly, reach) for reach in self._reaches]
        self._set_out: Values | None = None

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return the reference, None while the arm is not there.

        It goes after an arm that was moved: slowly while a drive that is on would show, then as
        fast as the arm may move. It does not leave the limits, nor go further beyond one where the
        arm began there.
        """
        if position is not None and self.output is not None:
            self.output = self._after(self.output, position)
            return self.output
        if position is None and self._whereabouts.astray:
            # No replay comes here, so that nothing may change.
            return None
        self._set_out = None
        if position is not None:
            self.output = tuple(position)
        return self.output

    def forget(self) -> None:
        """Hold where the arm is measured next."""
        super().forget()
        self._set_out = None

    @property
    def _reference(self) -> Values | None:
        return self.output

    def _begin(self, position: Sequence[float]) -> Values:
        """Return the reference to start from; the measured position where the arm is not at it."""
        self._set_out = None
        if self.output is None or are_apart(self.output, position, self._follows_rad):
            self.output = tuple(position)
        return self.output

    def _after(self, reference: Values, position: Sequence[float]) -> Values:
        self._set_out = self._set_out or reference
        far = are_apart(self._set_out, reference, self._whereabouts.probe_rad)
        reaches = self._reaches if far else self._slow_reaches
        arrived = self._whereabouts.arrived_rad
        limits = zip(self._lower, self._upper, reaches, strict=True)
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
        self, arm_filter: EffortFilter, limits: JointLimits, period_s: float, follows: Follows
    ) -> None:
        """Take what `CommandMode` does."""
        super().__init__(arm_filter, limits, period_s, follows)
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
    follows = Follows.assumed(safety)
    if isinstance(arm_filter, EffortFilter):
        return EffortMode(arm_filter, robot.limits, period_s, follows)
    made = PositionMode if mode == "joint_position" else VelocityMode
    return made(arm_filter, robot.limits, period_s, follows)


def are_apart(first: Sequence[float] | None, second: Sequence[float], distance_rad: float) -> bool:
    """Return whether a joint is further from one position than this, or the first is unknown."""
    return first is None or any(
        abs(a - b) > distance_rad for a, b in zip(first, second, strict=True)
    )


def approached(start: float, goal: float, lower: float, upper: float, reach: float) -> float:
    """Return the place nearest to a goal within reach and limits, or as far beyond as the start."""
    nearest = min(max(goal, start - reach), start + reach)
    return min(max(nearest, min(lower, start)), max(upper, start))
