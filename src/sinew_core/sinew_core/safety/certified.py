r"""TODO"""

from __future__ import annotations

import math
from collections.abc import Callable, MutableSequence, Sequence
from typing import TYPE_CHECKING

from sinew_core.safety import equations as eq
from sinew_core.safety.certificate import Certificate, PairMemory
from sinew_core.safety.certified_constants import (
    certified_position_constants,
    certified_velocity_constants,
)
from sinew_core.safety.certified_equations import (
    BRAKE,
    STATE_ROWS,
    STEP,
    WISH,
    commit_velocities,
    propose_velocities,
)
from sinew_core.safety.certified_positions import commit_positions, propose_positions
from sinew_core.safety.filter import ArmFilter, PositionFilter, VelocityFilter
from sinew_core.safety.hull import is_near, write_hull
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.watched import make_certificate

if TYPE_CHECKING:
    from sinew_core.collision import CollisionModel
    from sinew_core.robots.limits import JointLimits

Rows = list[list[float]]


def prove(
    certificate: Certificate,
    memory: PairMemory,
    period_s: float,
    state: Rows,
    desired: eq.Row,
    out: MutableSequence[float],
    causes: MutableSequence[int],
) -> None:
    """Change WISH, `out` and `causes` of a proposed cycle where no proof is found for WISH.

    Args:
        certificate: proves it.
        memory: of the arm.
        period_s: of a filter of positions; 0 for one of velocities.
        state: rows of `certified_equations`.
        desired: (n,) what was asked for.
        out: (n,) what was proposed.
        causes: (n,) of the changes.
    """
    proposed = list(state[WISH])
    cause = certificate.decide(memory, state)
    for j, wish in enumerate(state[WISH]):
        if wish != proposed[j]:
            out[j] = state[eq.REST_LOWER][j] + period_s * wish if period_s else wish
            causes[j] = cause if out[j] != desired[j] else eq.NO_CAUSE


class _Cycle:
    """A cycle of a certified filter, called as `equations.step_arm`."""

    def __init__(
        self,
        propose: Callable[..., int],
        certificate: Certificate | None,
        n_joints: int,
        period_s: float,
    ) -> None:
        """Take the equations; `period_s` is 0 for a filter of velocities."""
        self._propose, self._certificate, self._period_s = propose, certificate, period_s
        self._memory = certificate.new_memory() if certificate else None
        self._cap: MutableSequence[float] = [math.inf] * n_joints
        if self._memory is not None:
            self._cap = self._memory.cap

    def begin(self, state: Rows) -> None:
        """Start from rest or from the velocity in force, with a step of 0."""
        for j in range(len(state[STEP])):
            state[STEP][j] = 0.0
        if self._certificate is not None and self._memory is not None:
            self._certificate.begin(self._memory, state)

    def __call__(
        self,
        joints: Sequence[eq.Row],
        model: eq.Row,
        state: Rows,
        history: Rows,
        head: int,
        desired: eq.Row,
        measured: eq.Row,
        fresh: bool,
        brake: bool,
        out: MutableSequence[float],
        causes: MutableSequence[int],
    ) -> int:
        """Propose, prove, and remember what is published."""
        fault = self._propose(
            joints,
            model,
            state,
            history,
            head,
            desired,
            measured,
            fresh,
            brake,
            self._cap,
            out,
            causes,
        )
        certificate, memory = self._certificate, self._memory
        if certificate and memory and state[WISH] != state[BRAKE]:
            write_hull(joints, model, state)
            if not is_near(state, memory.reference, memory.weights):
                if certificate.is_covered(memory, state):
                    certificate.recentre(memory, state)
                else:
                    prove(certificate, memory, self._period_s, state, desired, out, causes)
        recent = history[(head + 1) % len(history)]
        if self._period_s:
            commit_positions(model, state, recent, out)
        else:
            commit_velocities(state, recent, out)
        return fault


class CertifiedVelocityFilter(VelocityFilter):
    """`VelocityFilter` with every limit of this module."""

    def __init__(
        self,
        limits: JointLimits,
        parameters: SafetyParameters,
        period_s: float,
        distances: CollisionModel | None = None,
    ) -> None:
        """Prepare for one arm.

        Args:
            limits: of n_joints joints.
            parameters: assumptions about drive and measurements.
            period_s: of the filter; may be shorter than in training.
            distances: of what keeps apart; None where nothing does.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
        """
        joints, model = certified_velocity_constants(limits, parameters, period_s)
        certificate = make_certificate(distances, parameters, joints, model)
        self._cycle = _Cycle(propose_velocities, certificate, len(joints[0]), 0.0)
        # Not of VelocityFilter, whose constants are fewer.
        ArmFilter.__init__(self, joints, model, parameters.max_latency_periods + 1, self._cycle)
        self._state = [[0.0] * self.n_joints for _ in range(STATE_ROWS)]

    def reset(
        self, position_rad: Sequence[float], velocity_rad_s: Sequence[float] | None = None
    ) -> None:
        """Start from a measured position (n_joints,) and the velocity in force (default: at rest).

        Raises:
            ValueError: if a length does not match or a value is not finite.
        """
        super().reset(position_rad, velocity_rad_s)
        self._cycle.begin(self._state)


class CertifiedPositionFilter(PositionFilter):
    """`PositionFilter` with every limit of this module."""

    def __init__(
        self,
        limits: JointLimits,
        parameters: SafetyParameters,
        period_s: float,
        distances: CollisionModel | None = None,
    ) -> None:
        """Prepare for one arm; arguments and errors as `CertifiedVelocityFilter`."""
        joints, model = certified_position_constants(limits, parameters, period_s)
        certificate = make_certificate(distances, parameters, joints, model)
        self._cycle = _Cycle(propose_positions, certificate, len(joints[0]), period_s)
        # Not of PositionFilter, whose constants are fewer.
        ArmFilter.__init__(self, joints, model, parameters.max_latency_periods + 2, self._cycle)
        self._state = [[0.0] * self.n_joints for _ in range(STATE_ROWS)]

    def reset(self, position_rad: Sequence[float]) -> None:
        """Start at rest at a measured position (n_joints,).

        Raises:
            ValueError: if the length does not match or a value is not finite.
        """
        super().reset(position_rad)
        self._cycle.begin(self._state)

    def hold(self, periods: int) -> None:
        """Account for periods without output, as `PositionFilter.hold`; the drive has stopped."""
        super().hold(periods)
        if periods > 0:
            self._state[STEP][:] = self._zeros
