"""The filters of one arm, in plain Python floats: what the safety node runs.

Small NumPy arrays would cost ten times as much for seven joints.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sinew_core.safety import equations as eq
from sinew_core.safety import position_equations as peq
from sinew_core.safety.constants import filter_constants, position_constants
from sinew_core.safety.parameters import SafetyParameters

if TYPE_CHECKING:
    from sinew_core.robots.limits import JointLimits


class Cause(enum.IntEnum):
    """Why the command of a joint differs from the desired one."""

    NONE = eq.NO_CAUSE
    POSITION = eq.BY_POSITION
    VELOCITY = eq.BY_VELOCITY
    ACCELERATION = eq.BY_ACCELERATION
    BRAKE = eq.BY_BRAKE  # braking replaced the desired command
    RECOVERY = eq.BY_RECOVERY  # outside the limits: inward, slowly
    JERK = eq.BY_JERK
    SELF_COLLISION = eq.BY_SELF_COLLISION
    FLOOR = eq.BY_FLOOR
    WORKSPACE = eq.BY_WORKSPACE
    FORBIDDEN = eq.BY_FORBIDDEN
    EFFORT = 20  # the level of an effort
    EFFORT_RATE = 21  # its change in a period


class FilterFault(enum.IntEnum):
    """What is wrong, in rising gravity; a result names the gravest.

    Attributes:
        MEASUREMENT_NOT_FINITE: treated as no measurement of that joint.
        OUTSIDE_LIMITS: a joint is surely outside its position limits; it may only move inward.
        BOUNDS_CONFLICT: lo > hi, only possible after a reset in motion; the joint brakes.
        NOT_FINITE: the desired command was not finite; the whole arm brakes.
        OBSERVER_EMPTY: the measurement contradicts the commands; brakes until a reset.
    """

    MEASUREMENT_NOT_FINITE = eq.MEASUREMENT_NOT_FINITE
    OUTSIDE_LIMITS = eq.OUTSIDE_LIMITS
    BOUNDS_CONFLICT = eq.BOUNDS_CONFLICT
    NOT_FINITE = eq.NOT_FINITE
    OBSERVER_EMPTY = eq.OBSERVER_EMPTY


class FilterResult(NamedTuple):
    """What one cycle decided.

    Attributes:
        command: what to publish (n_joints,): velocities in rad/s, or positions in rad.
        causes: why each differs from the desired one (n_joints,).
        intervened: whether any cause is not NONE.
        fault: the gravest fault of the cycle.
    """

    command: tuple[float, ...]
    causes: tuple[Cause, ...]
    intervened: bool
    fault: FilterFault | None


StepArm = Callable[..., int]
"""`equations.step_arm`, or another function of the same arguments."""

_CAUSES = {int(cause): cause for cause in Cause}
_FAULTS = (None, *FilterFault)


class ArmFilter:
    """Rows, ring and latch that the filters share.

    Exactly one call of `step` or `brake` per period; a reset first.
    """

    def __init__(
        self, joints: list[list[float]], model: list[float], ring_size: int, step_arm: StepArm
    ) -> None:
        """Take the constants, the number of commands to remember, and the equations of a cycle."""
        self._joints, self._model, self._step_arm = joints, model, step_arm
        n = len(joints[eq.SPEED])
        self.n_joints = n
        self._history = [[0.0] * n for _ in range(ring_size)]
        self._state = [[0.0] * n for _ in range(3)]
        self._head = 0
        self._latched = False
        self._ready = False
        self._zeros = [0.0] * n
        self._out = [0.0] * n
        self._codes = [eq.NO_CAUSE] * n
        self._no_causes = (Cause.NONE,) * n

    @property
    def command(self) -> tuple[float, ...]:
        """The last published values (n_joints,)."""
        return tuple(self._history[self._head])

    def step(
        self,
        desired: Sequence[float],
        measured_position_rad: Sequence[float] | None,
        measured_velocity_rad_s: Sequence[float] | None = None,
    ) -> FilterResult:
        """Observe, bound and clamp; call once per period.

        Args:
            desired: what is asked for (n_joints,), in the unit of the filter.
            measured_position_rad: a position (n_joints,) not older than the declared latency;
                None if none arrived in this period.
            measured_velocity_rad_s: only the effort filter reads it.
        """
        return self._run(self._floats(desired), measured_position_rad, self._latched)

    def brake(
        self,
        measured_position_rad: Sequence[float] | None,
        measured_velocity_rad_s: Sequence[float] | None = None,
    ) -> FilterResult:
        """Decelerate to rest as fast as certified, instead of `step`; call once per period."""
        return self._run(self._zeros, measured_position_rad, True)

    def _start(self) -> None:
        self._head = 0
        self._latched = False
        self._ready = True

    def _run(
        self, desired: list[float], measured: Sequence[float] | None, brake: bool
    ) -> FilterResult:
        if not self._ready:
            raise RuntimeError("the filter was not reset: call reset() first")
        codes, out = self._codes, self._out
        fresh = measured is not None
        code = self._step_arm(
            self._joints,
            self._model,
            self._state,
            self._history,
            self._head,
            desired,
            self._zeros if measured is None else self._floats(measured),
            fresh,
            brake,
            out,
            codes,
        )
        self._head = (self._head + 1) % len(self._history)
        return self._result(code)

    def _result(self, code: int) -> FilterResult:
        """Return what a cycle wrote to `out` and `codes`, with its fault."""
        codes, out = self._codes, self._out
        self._latched = self._latched or code == eq.OBSERVER_EMPTY
        if self._latched:
            code = eq.OBSERVER_EMPTY
        intervened = any(codes)
        causes = tuple([_CAUSES[c] for c in codes]) if intervened else self._no_causes
        return FilterResult(tuple(out), causes, intervened, _FAULTS[code])

    def _floats(self, values: Sequence[float]) -> list[float]:
        numbers = values.tolist() if isinstance(values, np.ndarray) else [float(v) for v in values]
        if len(numbers) != self.n_joints:
            raise ValueError(f"{len(numbers)} values for {self.n_joints} joints: give one each")
        return numbers

    def _finite(self, values: Sequence[float], name: str) -> list[float]:
        numbers = self._floats(values)
        if not all(v - v == 0.0 for v in numbers):
            raise ValueError(f"{name} is {numbers}: expected finite numbers to reset from")
        return numbers


class VelocityFilter(ArmFilter):
    """Clamp velocity commands so that the arm can always come to rest inside its limits.

    The equations, and what is assumed of the drive, are in `equations`.
    """

    def __init__(self, limits: JointLimits, parameters: SafetyParameters, period_s: float) -> None:
        """Prepare for one arm.

        Args:
            limits: of n_joints joints.
            parameters: assumptions about drive and measurements.
            period_s: of the filter; may be shorter than in training.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
        """
        joints, model = filter_constants(limits, parameters, period_s)
        super().__init__(joints, model, parameters.max_latency_periods + 1, eq.step_arm)

    @property
    def rest_interval_rad(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Bounds (lower, upper) of where each joint rests if commanded zero (n_joints,)."""
        return tuple(self._state[eq.REST_LOWER]), tuple(self._state[eq.REST_UPPER])

    def reset(
        self, position_rad: Sequence[float], velocity_rad_s: Sequence[float] | None = None
    ) -> None:
        """Start from a measured position (n_joints,) and the velocity in force (default: at rest).

        Raises:
            ValueError: if a length does not match or a value is not finite.
        """
        position = self._finite(position_rad, "position_rad")
        velocity = (
            self._zeros
            if velocity_rad_s is None
            else self._finite(velocity_rad_s, "velocity_rad_s")
        )
        eq.reset_arm(self._model, self._state, self._history, position, velocity)
        self._start()

    def hold(self, periods: int) -> None:
        """Account for periods in which nothing was published and the driver held the last command.

        The limits are kept as long as `periods` is at most the declared dead time. The time that it
        takes does not grow with them: braking waits for it.
        """
        if periods <= 0:
            return
        ends = self._state[eq.REST_LOWER], self._state[eq.REST_UPPER]
        before = [list(end) for end in ends]
        eq.observe_arm(self._model, self._state, self._history, self._head, self._zeros, False)
        for end, start in zip(ends, before, strict=True):
            end[:] = [q + (periods - 1) * (q - p) for q, p in zip(end, start, strict=True)]
        for _ in range(min(periods, len(self._history))):
            self._head = (self._head + 1) % len(self._history)
            self._history[self._head][:] = self._state[eq.COMMAND]

    def stand(self, periods: int) -> None:
        """Account for periods in which nothing was published and the drive came to rest.

        That is a stop faster than any that is commanded, made by a drive of positions.
        """
        if periods > 0:
            self._state[eq.COMMAND][:] = self._zeros
            self.hold(periods)


class PositionFilter(ArmFilter):
    """Pass position commands on, bit for bit, where they are safe, else what comes nearest in time.

    The equations, and what is assumed of the drive, are in `position_equations`.
    """

    def __init__(self, limits: JointLimits, parameters: SafetyParameters, period_s: float) -> None:
        """Prepare for one arm; arguments and errors as `VelocityFilter`."""
        joints, model = position_constants(limits, parameters, period_s)
        # A reference of the present cycle counts, and one more, from which the drive still comes.
        ring_size = parameters.max_latency_periods + 2
        super().__init__(joints, model, ring_size, peq.step_positions)

    def reset(self, position_rad: Sequence[float]) -> None:
        """Start at rest at a measured position (n_joints,).

        Raises:
            ValueError: if the length does not match or a value is not finite.
        """
        peq.reset_positions(self._state, self._history, self._finite(position_rad, "position_rad"))
        self._start()

    def hold(self, periods: int) -> None:
        """Account for periods in which nothing was published: the drive came to rest where it was.

        That is a stop faster than any that is commanded, made by the drive itself.
        """
        for _ in range(min(periods, len(self._history))):
            following = (self._head + 1) % len(self._history)
            self._history[following][:] = self._history[self._head]
            self._head = following
        if periods > 0:
            self._state[eq.COMMAND][:] = self._zeros
