"""The filters of many arms, compiled by numba from the node's own equations.

Equal to those of `filter` to the last bit: same source, same constants, no fast-math.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, MutableSequence, Sequence

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from sinew_core.robots.limits import JointLimits
from sinew_core.safety import equations as eq
from sinew_core.safety import position_equations as peq
from sinew_core.safety.constants import filter_constants, position_constants
from sinew_core.safety.parameters import SafetyParameters

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

for _helper in (
    eq.largest_speed,
    eq.braked,
    eq.reach,
    eq.observe_arm,
    eq.position_speed,
    eq.recover,
    eq.clamp,
    eq.bounds,
    eq.limit_arm,
    eq.step_arm,
    peq.follows,
    peq.brake_position,
    peq.limit_position,
    peq.step_positions,
    peq.step_position_arms,
):
    register_jitable(_helper)

Kernel = Callable[..., None]
_rows = numba.float64[:, ::1]
_arms = numba.float64[:, :, ::1]
_counts = numba.int64[:, ::1]
_SIGNATURE = numba.void(
    _rows,
    numba.float64[::1],
    _arms,
    _arms,
    numba.int64,
    _rows,
    _rows,
    numba.boolean,
    _rows,
    _counts,
    _counts,
    numba.int64[::1],
)
# Compiled on import, from the disk's cache if it is there. That knows only the file of the compiled
# function, so all functions that this one calls are in the same file.
_velocity_kernel: Kernel = numba.njit(_SIGNATURE, cache=True, nogil=True)(eq.step_arms)


@functools.cache
def _position_kernel() -> Kernel:
    """Compile the position filter, which calls into the file of the velocity filter.

    numba's cache also covers what a function closes over: here a hash of both files.
    """
    sources = hashlib.sha256((inspect.getsource(eq) + inspect.getsource(peq)).encode()).hexdigest()

    def step_position_arms(
        joints: Sequence[eq.Row],
        model: eq.Row,
        states: Sequence[eq.Rows],
        histories: Sequence[eq.Rows],
        head: int,
        desired: Sequence[eq.Row],
        measured: Sequence[eq.Row],
        fresh: bool,
        out: eq.Rows,
        causes: Sequence[MutableSequence[int]],
        interventions: Sequence[MutableSequence[int]],
        faults: MutableSequence[int],
    ) -> None:
        sources  # noqa: B018 - see above
        peq.step_position_arms(
            joints,
            model,
            states,
            histories,
            head,
            desired,
            measured,
            fresh,
            out,
            causes,
            interventions,
            faults,
        )

    kernel: Kernel = numba.njit(_SIGNATURE, cache=True, nogil=True)(step_position_arms)
    return kernel


class BatchFilter:
    """A filter of N arms with the same limits, over preallocated arrays.

    Attributes:
        interventions: how often each joint's command was changed since its reset (N, n_joints).
        causes: `Cause` of each joint in the last step (N, n_joints).
        faults: gravest `FilterFault` of each arm in the last step, 0 for none (N,).
    """

    def __init__(
        self,
        joints: list[list[float]],
        model: list[float],
        ring_size: int,
        n_arms: int,
        kernel: Kernel,
    ) -> None:
        """Take the constants; every arm must be reset before the first step."""
        self._joints = np.array(joints)
        self._model = np.array(model)
        self._model_floats = model
        self._kernel = kernel
        n = self._joints.shape[1]
        self._states = np.zeros((n_arms, 3, n))
        self._histories = np.zeros((n_arms, ring_size, n))
        self._head = 0
        self._unmeasured = np.full((n_arms, n), np.nan)
        self.interventions: Counts = np.zeros((n_arms, n), dtype=np.int64)
        self.causes: Counts = np.zeros((n_arms, n), dtype=np.int64)
        self.faults: Counts = np.zeros(n_arms, dtype=np.int64)

    def step(self, desired: Array, measured_rad: Array | None, out: Array) -> None:
        """Run one period of every arm; all arrays C-ordered float64 (N, n_joints).

        Args:
            desired: what is asked for, in the unit of the filter; may be `out`.
            measured_rad: measured positions, not finite where there is none; None for none at all.
            out: what is published; written.
        """
        fresh = measured_rad is not None
        self._kernel(
            self._joints,
            self._model,
            self._states,
            self._histories,
            self._head,
            desired,
            measured_rad if fresh else self._unmeasured,
            fresh,
            out,
            self.causes,
            self.interventions,
            self.faults,
        )
        self._head = (self._head + 1) % self._histories.shape[1]

    def _begin(self, arms: int | Counts | slice, *values: Array) -> Counts:
        """Forget what was counted for some arms; return their indices.

        Raises:
            ValueError: if one of the values is not finite.
        """
        if not all(np.isfinite(value).all() for value in values):
            raise ValueError("position or velocity is not finite: reset from finite numbers")
        indices = np.atleast_1d(np.arange(len(self.faults))[arms])
        self.interventions[indices] = 0
        self.causes[indices] = eq.NO_CAUSE
        self.faults[indices] = eq.NO_FAULT
        return indices


class BatchVelocityFilter(BatchFilter):
    """`VelocityFilter` for N arms."""

    def __init__(
        self, limits: JointLimits, parameters: SafetyParameters, period_s: float, n_arms: int
    ) -> None:
        """Prepare for `n_arms` arms.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
        """
        joints, model = filter_constants(limits, parameters, period_s)
        ring_size = parameters.max_latency_periods + 1
        super().__init__(joints, model, ring_size, n_arms, _velocity_kernel)

    def reset(
        self, arms: int | Counts | slice, position_rad: Array, velocity_rad_s: Array | None = None
    ) -> None:
        """Start some arms from measured positions and the velocities in force (default: at rest).

        Args:
            arms: an index, an array of indices, or slice(None) for all.
            position_rad: (n_joints,) for one index, else (len(arms), n_joints).
            velocity_rad_s: as `position_rad`.

        Raises:
            ValueError: if a value is not finite.
        """
        velocity = np.zeros_like(position_rad) if velocity_rad_s is None else velocity_rad_s
        indices = self._begin(arms, position_rad, velocity)
        shape = (len(indices), self._joints.shape[1])
        positions, velocities = (np.broadcast_to(v, shape) for v in (position_rad, velocity))
        for arm, q, v in zip(indices, positions.tolist(), velocities.tolist(), strict=True):
            eq.reset_arm(self._model_floats, self._states[arm], self._histories[arm], q, v)


class BatchPositionFilter(BatchFilter):
    """`PositionFilter` for N arms."""

    def __init__(
        self, limits: JointLimits, parameters: SafetyParameters, period_s: float, n_arms: int
    ) -> None:
        """Prepare for `n_arms` arms.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
        """
        joints, model = position_constants(limits, parameters, period_s)
        ring_size = parameters.max_latency_periods + 2
        super().__init__(joints, model, ring_size, n_arms, _position_kernel())

    def reset(self, arms: int | Counts | slice, position_rad: Array) -> None:
        """Start some arms at rest at measured positions; arguments as `BatchVelocityFilter.reset`.

        Raises:
            ValueError: if a value is not finite.
        """
        indices = self._begin(arms, position_rad)
        positions = np.broadcast_to(position_rad, (len(indices), self._joints.shape[1]))
        for arm, q in zip(indices, positions.tolist(), strict=True):
            peq.reset_positions(self._states[arm], self._histories[arm], q)
