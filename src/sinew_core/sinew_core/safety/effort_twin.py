"""The effort filter of many arms, compiled by numba from the node's own equations.

Equal to `EffortFilter` to the last bit: same source, same constants, no fast-math.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, MutableSequence, Sequence
from types import ModuleType

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from sinew_core.robots import dynamics
from sinew_core.robots.model import RobotModel
from sinew_core.safety import closest_effort, effort_cycle, effort_equations
from sinew_core.safety import equations as eq
from sinew_core.safety.constants import effort_constants
from sinew_core.safety.parameters import SafetyParameters

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Kernel = Callable[..., None]

register_jitable(eq.largest_speed)
_SOURCES = (dynamics, closest_effort, effort_equations, effort_cycle)
# Functions of these modules that only Python runs.
_PLAIN = (dynamics.dynamics_rows, dynamics.joint_inertia)

_vector = numba.float64[::1]
_rows = numba.float64[:, ::1]
_arms = numba.float64[:, :, ::1]
_counts = numba.int64[:, ::1]
_SIGNATURE = numba.void(
    *[_rows, _vector, _vector, _vector, _vector],
    *[_arms, _rows, _rows, _counts],
    *[_rows, _rows, _rows, numba.boolean],
    *[_rows, _counts, _counts, numba.int64[::1]],
)


def _functions(module: ModuleType) -> list[Callable[..., object]]:
    return [
        value
        for value in vars(module).values()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and value not in _PLAIN
    ]


@functools.cache
def _effort_kernel() -> Kernel:
    """Compile the effort filter, which calls into the files of several modules.

    numba's cache knows only this file, but covers what a function closes over: a hash of them all.
    """
    for module in _SOURCES:
        for function in _functions(module):
            register_jitable(function)
    text = "".join(inspect.getsource(module) for module in (eq, *_SOURCES))
    sources = hashlib.sha256(text.encode()).hexdigest()

    def step_effort_arms(
        joints: Sequence[eq.Row], model: eq.Row, chain: eq.Row, bodies: eq.Row, gravity: eq.Row,
        states: Sequence[eq.Rows], vectors: eq.Rows, matrices: eq.Rows, codes:
        Sequence[MutableSequence[int]], desired: Sequence[eq.Row], positions: Sequence[eq.Row],
        velocities: Sequence[eq.Row], fresh: bool, out: eq.Rows, causes:
        Sequence[MutableSequence[int]], interventions: Sequence[MutableSequence[int]], faults:
        MutableSequence[int],
    ) -> None:  # fmt: skip
        sources  # noqa: B018 - see above
        effort_cycle.step_effort_arms(
            joints, model, chain, bodies, gravity, states, vectors, matrices, codes, desired,
            positions, velocities, fresh, out, causes, interventions, faults,
        )  # fmt: skip

    kernel: Kernel = numba.njit(_SIGNATURE, cache=True, nogil=True)(step_effort_arms)
    return kernel


class BatchEffortFilter:
    """`EffortFilter` for N arms, over preallocated arrays.

    Attributes:
        interventions: how often each joint's command was changed since its reset (N, n_joints).
        causes: `Cause` of each joint in the last step (N, n_joints).
        faults: gravest `FilterFault` of each arm in the last step, 0 for none (N,).
        gravity_nm: gravity effort of the last arm in the last step (n_joints,), zero without
            compensation.
    """

    def __init__(
        self,
        robot: RobotModel,
        parameters: SafetyParameters,
        period_s: float,
        n_arms: int,
        *,
        gravity_compensation: bool,
    ) -> None:
        """Prepare for `n_arms` arms, each of which must be reset before the first step.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
            RobotError: if a joint carries no mass.
        """
        joints, model = effort_constants(
            robot.limits, parameters, period_s, gravity_compensation=gravity_compensation
        )
        n = robot.n_joints
        vectors, matrices = closest_effort.N_VECTORS, closest_effort.N_MATRICES
        width = n * max(n, 10)
        # A reset runs in Python, where lists are ten times as fast as arrays.
        self._constants = (joints, model, *dynamics.dynamics_rows(robot))
        self._plain_state = [[0.0] * n for _ in range(effort_equations.N_STATE)]
        self._plain_vectors = [[0.0] * n for _ in range(vectors)]
        self._plain_matrices = [[0.0] * width for _ in range(matrices)]
        self._joints, self._model = np.array(joints), np.array(model)
        self._arm = tuple(np.array(row) for row in dynamics.dynamics_rows(robot))
        self._states = np.zeros((n_arms, effort_equations.N_STATE, n))
        self._vectors, self._matrices = np.zeros((vectors, n)), np.zeros((matrices, width))
        self._codes: Counts = np.zeros((2, n), dtype=np.int64)
        self._unmeasured = np.full((n_arms, n), np.nan)
        self._kernel = _effort_kernel()
        self.gravity_nm: Array = self._vectors[closest_effort.GRAVITY]
        self.interventions: Counts = np.zeros((n_arms, n), dtype=np.int64)
        self.causes: Counts = np.zeros((n_arms, n), dtype=np.int64)
        self.faults: Counts = np.zeros(n_arms, dtype=np.int64)

    def step(
        self,
        desired: Array,
        measured_rad: Array | None,
        measured_rad_s: Array | None,
        out: Array,
    ) -> None:
        """Run one period of every arm; all arrays C-ordered float64 (N, n_joints).

        Args:
            desired: efforts, N m.
            measured_rad: measured positions, not finite where there is none; None for none at all.
            measured_rad_s: measured velocities, in the same way.
            out: efforts to publish; written; not `desired`.
        """
        fresh = measured_rad is not None and measured_rad_s is not None
        self._kernel(
            self._joints,
            self._model,
            *self._arm,
            self._states,
            self._vectors,
            self._matrices,
            self._codes,
            desired,
            measured_rad if fresh else self._unmeasured,
            measured_rad_s if fresh else self._unmeasured,
            fresh,
            out,
            self.causes,
            self.interventions,
            self.faults,
        )

    def reset(
        self, arms: int | Counts | slice, position_rad: Array, velocity_rad_s: Array | None = None
    ) -> None:
        """Start some arms from measured states (default: at rest), holding themselves.

        Args:
            arms: an index, an array of indices, or slice(None) for all.
            position_rad: (n_joints,) for one index, else (len(arms), n_joints).
            velocity_rad_s: as `position_rad`.

        Raises:
            ValueError: if a value is not finite.
        """
        velocity = np.zeros_like(position_rad) if velocity_rad_s is None else velocity_rad_s
        if not (np.isfinite(position_rad).all() and np.isfinite(velocity).all()):
            raise ValueError("position or velocity is not finite: reset from finite numbers")
        indices = np.atleast_1d(np.arange(len(self.faults))[arms])
        self.interventions[indices] = 0
        self.causes[indices] = eq.NO_CAUSE
        self.faults[indices] = eq.NO_FAULT
        shape = (len(indices), self._joints.shape[1])
        positions, velocities = (np.broadcast_to(v, shape) for v in (position_rad, velocity))
        for arm, q, v in zip(indices, positions.tolist(), velocities.tolist(), strict=True):
            effort_cycle.reset_effort(
                *self._constants, self._plain_state, self._plain_vectors, self._plain_matrices, q, v
            )
            self._states[arm] = self._plain_state
