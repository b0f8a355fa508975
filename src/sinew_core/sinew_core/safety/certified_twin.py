"""The certified filters of many arms: compiled where no exact distance is needed.

Equal to those of `certified` to the last bit: the same equations, compiled, and for arms that need
exact distances the same Python.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, MutableSequence, Sequence
from typing import TYPE_CHECKING

import numba
import numpy as np
from numba.extending import register_jitable

from sinew_core.safety import certified_cycle, certified_equations, certified_positions, hull, jerk
from sinew_core.safety import equations as eq
from sinew_core.safety import position_equations as peq
from sinew_core.safety.certificate import Certificate
from sinew_core.safety.certified import prove
from sinew_core.safety.certified_constants import (
    certified_position_constants,
    certified_velocity_constants,
)
from sinew_core.safety.certified_cycle import KnownPairs, count
from sinew_core.safety.certified_equations import STATE_ROWS, STEP, commit_velocities
from sinew_core.safety.certified_positions import commit_positions
from sinew_core.safety.pair_memory import PairMemory
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.twin import (
    Array,
    BatchFilter,
    BatchPositionFilter,
    BatchVelocityFilter,
    Counts,
)
from sinew_core.safety.watched import make_certificate

if TYPE_CHECKING:
    from sinew_core.collision import CollisionModel
    from sinew_core.robots.limits import JointLimits

_MODULES = (jerk, certified_equations, certified_positions, hull, certified_cycle)

for _module in _MODULES:
    for _name, _function in inspect.getmembers(_module, inspect.isfunction):
        if _function.__module__ == _module.__name__:
            register_jitable(_function)

Kernel = Callable[..., int]


@functools.cache
def _kernel() -> Kernel:
    """Compile the cycle; numba's cache covers the hash of all files that it is made of.

    The arrays of `KnownPairs` are the last arguments of the compiled function: unpacking a tuple of
    them would take longer than the cycle.
    """
    files = "".join(inspect.getsource(module) for module in (eq, peq, *_MODULES))
    sources = hashlib.sha256(files.encode()).hexdigest()

    def step_certified_arms(
        positions: bool, joints: Sequence[eq.Row], model: eq.Row, states: Sequence[eq.Rows],
        histories: Sequence[eq.Rows], head: int, desired: Sequence[eq.Row],
        measured: Sequence[eq.Row], fresh: bool, out: eq.Rows,
        causes: Sequence[MutableSequence[int]], interventions: Sequence[MutableSequence[int]],
        faults: MutableSequence[int], pending: MutableSequence[int], levers: eq.Rows,
        anchors: Array, distances: Array, enough: Array, references: Array, weights: Array,
        caps: Array,
    ) -> int:  # fmt: skip
        sources  # noqa: B018 - see above
        known = KnownPairs(levers, anchors, distances, enough, references, weights, caps)
        return certified_cycle.step_certified_arms(
            positions, joints, model, states, histories, head, desired, measured, fresh, known, out,
            causes, interventions, faults, pending,
        )  # fmt: skip

    kernel: Kernel = numba.njit(cache=True, nogil=True)(step_certified_arms)
    return kernel


class _Cycle:
    """A cycle of certified filters of many arms, called as the kernels of `twin`."""

    def __init__(
        self,
        joints: list[list[float]],
        model: list[float],
        certificate: Certificate | None,
        n_arms: int,
        period_s: float,
    ) -> None:
        """Take the constants; `period_s` is 0 for filters of velocities."""
        self._joints, self._model = joints, model
        self._certificate, self._period_s = certificate, period_s
        self._kernel = _kernel()
        n, pairs = len(joints[0]), certificate.n_pairs if certificate else 0
        self._thresholds = np.zeros((n_arms, pairs))
        levers = certificate.levers if certificate else np.zeros((n, 0))
        self._known = KnownPairs(
            levers=levers,  # type: ignore[arg-type]  # rows of an array
            anchors=np.zeros((n_arms, n, pairs)),
            distances=np.zeros((n_arms, pairs)),
            enough=np.zeros((n_arms, pairs)),
            references=np.zeros((n_arms, n)),
            weights=np.zeros((n_arms, n)),
            caps=np.full((n_arms, n), np.inf),
        )
        self._memories = [self._memory(arm) for arm in range(n_arms)]
        self._pending = np.zeros(n_arms, dtype=np.int64)

    def begin(self, arms: Counts, states: Array) -> None:
        """Start some arms, whose `states` (N, rows, n) were reset, with a step of 0."""
        for arm in arms.tolist():
            states[arm, STEP] = 0.0
            if self._certificate is not None:
                state = states[arm].tolist()
                self._certificate.begin(self._memories[arm], state)
                states[arm] = state

    def __call__(
        self,
        joints: Array,
        model: Array,
        states: Array,
        histories: Array,
        head: int,
        desired: Array,
        measured: Array,
        fresh: bool,
        out: Array,
        causes: Counts,
        interventions: Counts,
        faults: Counts,
    ) -> None:
        """Run one period of every arm."""
        if np.may_share_memory(desired, out):
            desired = desired.copy()
        left = self._kernel(
            self._period_s > 0.0,
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
            self._pending,
            *self._known,
        )
        following = (head + 1) % histories.shape[1]
        for arm in np.flatnonzero(self._pending).tolist() if left else ():
            recent = histories[arm, following]
            self._finish(arm, states[arm], recent, desired[arm], out[arm], causes[arm])
            count(causes[arm], interventions[arm])

    def _finish(
        self, arm: int, state: Array, recent: Array, desired: Array, out: Array, causes: Counts
    ) -> None:
        """Prove what the kernel proposed for one arm, and remember what is published."""
        assert self._certificate is not None
        rows, command, changes = state.tolist(), out.tolist(), causes.tolist()
        prove(
            self._certificate,
            self._memories[arm],
            self._period_s,
            rows,
            desired.tolist(),
            command,
            changes,
        )
        published = [0.0] * len(command)
        if self._period_s:
            commit_positions(self._model, rows, published, command)
        else:
            commit_velocities(rows, published, command)
        state[:], recent[:], out[:], causes[:] = rows, published, command, changes

    def _memory(self, arm: int) -> PairMemory:
        """Return views on the memory of an arm."""
        known = self._known
        return PairMemory(
            known.anchors[arm],
            known.distances[arm],
            known.enough[arm],
            self._thresholds[arm],
            known.references[arm],
            known.weights[arm],
            known.caps[arm],
            [],
        )


class BatchCertifiedVelocityFilter(BatchVelocityFilter):
    """`CertifiedVelocityFilter` for N arms."""

    def __init__(
        self,
        limits: JointLimits,
        parameters: SafetyParameters,
        period_s: float,
        n_arms: int,
        distances: CollisionModel | None = None,
    ) -> None:
        """Prepare for `n_arms` arms; the other arguments as `CertifiedVelocityFilter`.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
        """
        joints, model = certified_velocity_constants(limits, parameters, period_s)
        certificate = make_certificate(distances, parameters, joints, model)
        self._cycle = _Cycle(joints, model, certificate, n_arms, 0.0)
        # Not of BatchVelocityFilter, whose constants are fewer.
        ring_size = parameters.max_latency_periods + 1
        BatchFilter.__init__(self, joints, model, ring_size, n_arms, self._cycle)
        self._states = np.zeros((n_arms, STATE_ROWS, limits.n_joints))

    def reset(
        self, arms: int | Counts | slice, position_rad: Array, velocity_rad_s: Array | None = None
    ) -> None:
        """Start some arms; arguments and errors as `BatchVelocityFilter.reset`."""
        super().reset(arms, position_rad, velocity_rad_s)
        self._cycle.begin(np.atleast_1d(np.arange(len(self.faults))[arms]), self._states)


class BatchCertifiedPositionFilter(BatchPositionFilter):
    """`CertifiedPositionFilter` for N arms."""

    def __init__(
        self,
        limits: JointLimits,
        parameters: SafetyParameters,
        period_s: float,
        n_arms: int,
        distances: CollisionModel | None = None,
    ) -> None:
        """Prepare for `n_arms` arms; arguments and errors as `BatchCertifiedVelocityFilter`."""
        joints, model = certified_position_constants(limits, parameters, period_s)
        certificate = make_certificate(distances, parameters, joints, model)
        self._cycle = _Cycle(joints, model, certificate, n_arms, period_s)
        # Not of BatchPositionFilter, whose constants are fewer.
        ring_size = parameters.max_latency_periods + 2
        BatchFilter.__init__(self, joints, model, ring_size, n_arms, self._cycle)
        self._states = np.zeros((n_arms, STATE_ROWS, limits.n_joints))

    def reset(self, arms: int | Counts | slice, position_rad: Array) -> None:
        """Start some arms; arguments and errors as `BatchPositionFilter.reset`."""
        super().reset(arms, position_rad)
        self._cycle.begin(np.atleast_1d(np.arange(len(self.faults))[arms]), self._states)
