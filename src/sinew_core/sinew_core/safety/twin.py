"""The velocity filter of many arms, compiled by numba from the node's own equations.

Equal to `VelocityFilter` to the last bit: same source, same constants, no fast-math.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from sinew_core.robots.limits import JointLimits
from sinew_core.safety import equations as eq
from sinew_core.safety.constants import filter_constants
from sinew_core.safety.parameters import SafetyParameters

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

for _helper in (
    eq.largest_speed,
    eq.braked,
    eq.reach,
    eq.observe_arm,
    eq.outward_bound,
    eq.recover,
    eq.clamp,
    eq.limit_arm,
    eq.step_arm,
):
    register_jitable(_helper)

_rows = numba.float64[:, ::1]
_arms = numba.float64[:, :, ::1]
_counts = numba.int64[:, ::1]
# Every function is in one file, so that the cache, which knows only the file of the compiled
# function, notices a change of any of them. Compiled on import, from the cache if it is there.
_step_arms: Callable[..., None] = numba.njit(
    numba.void(
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
    ),
    cache=True,
    nogil=True,
)(eq.step_arms)


class BatchVelocityFilter:
    """`VelocityFilter` for N arms with the same limits, over preallocated arrays.

    Attributes:
        interventions: how often each joint's command was changed since its reset (N, n_joints).
        causes: `Cause` of each joint in the last step (N, n_joints).
        faults: gravest `FilterFault` of each arm in the last step, 0 for none (N,).
    """

    def __init__(
        self, limits: JointLimits, parameters: SafetyParameters, period_s: float, n_arms: int
    ) -> None:
        """Prepare for `n_arms` arms; every arm must be reset before the first step.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
        """
        joints, model = filter_constants(limits, parameters, period_s)
        self._joints = np.array(joints)
        self._model = np.array(model)
        self._model_floats = model
        n = self._joints.shape[1]
        self._states = np.zeros((n_arms, 3, n))
        self._histories = np.zeros((n_arms, parameters.max_latency_periods + 1, n))
        self._head = 0
        self._unmeasured = np.full((n_arms, n), np.nan)
        self.interventions: Counts = np.zeros((n_arms, n), dtype=np.int64)
        self.causes: Counts = np.zeros((n_arms, n), dtype=np.int64)
        self.faults: Counts = np.zeros(n_arms, dtype=np.int64)

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
        indices = np.atleast_1d(np.arange(len(self.faults))[arms])
        position = np.broadcast_to(position_rad, (len(indices), self._joints.shape[1]))
        velocity = np.zeros_like(position) if velocity_rad_s is None else velocity_rad_s
        velocity = np.broadcast_to(velocity, position.shape)
        if not (np.isfinite(position).all() and np.isfinite(velocity).all()):
            raise ValueError("position or velocity is not finite: reset from finite numbers")
        for row, arm in enumerate(indices):
            eq.reset_arm(
                self._model_floats,
                self._states[arm],
                self._histories[arm],
                position[row].tolist(),
                velocity[row].tolist(),
            )
        self.interventions[indices] = 0
        self.causes[indices] = eq.NO_CAUSE
        self.faults[indices] = eq.NO_FAULT

    def step(self, desired_rad_s: Array, measured_rad: Array | None, out: Array) -> None:
        """Run one period of every arm; all arrays C-ordered float64 (N, n_joints).

        Args:
            desired_rad_s: desired velocities; may be `out`.
            measured_rad: measured positions, not finite where there is none; None for none at all.
            out: published velocities; written.
        """
        fresh = measured_rad is not None
        _step_arms(
            self._joints,
            self._model,
            self._states,
            self._histories,
            self._head,
            desired_rad_s,
            measured_rad if fresh else self._unmeasured,
            fresh,
            out,
            self.causes,
            self.interventions,
            self.faults,
        )
        self._head = (self._head + 1) % self._histories.shape[1]
