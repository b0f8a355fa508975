r"""The certified filters of one arm: every limit by one induction over the braking manoeuvre.

*Braking.* One fixed law (`jerk`) takes the command state, velocity v and its last change w per
joint, to rest. It reads no measurement, so what it will command is known in advance: if
(u, b_1, b_2, ..., 0) follows from u, then (b_1, b_2, ..., 0) follows from b_1.

*Sets.* The observer of `equations` keeps, per joint, an interval that surely holds the rest point
h. Under a command v it moves by between g dt v - drift and G dt v + drift (mirrored for v < 0). The
position x is within kappa G dt |v| of h, on the side it comes from, and within a period never
beyond the h and x at its ends. `brake_plan` applies just that to a plan (u, b_1, ...): for period
k it gives a box B_k that holds x during that period, drift included until the arm has come to rest.
For position commands h is the reference, known exactly, and x is within the tracking error of it.

*Invariant.* After every cycle there is a plan such that, if the commands follow it,

1. |v| <= V, |w| <= A dt and |w' - w| <= J dt in all its periods,
2. every joint's rest interval stays inside its position limits less the margin, and
3. every pair has d(q) >= its threshold for all q in all boxes B_k.

*Step.* The next cycle may command u only if the plan (u, law from u) has 1 to 3 for the interval
that the observer has now, or if u = b_1. The first is checked. The second needs no check: the truth
is in the boxes of the old plan and its commands go on along it. So a cycle always has a command,
however little is known, and 1 to 3 hold for ever. The observer's new interval is within the
predicted one (a measurement only cuts it), and all checks are monotone: 2 in the ends of the
interval, and 3 because d(c) >= threshold + sum_j lever_j r_j, for centre c and half extents r,
implies the same for any c', r' within: |c_j - c'_j| <= r_j - r'_j. So b_1 would pass them, too.

*What is chosen.* First each joint by itself. With the past given, all positions of a plan are
non-decreasing in u (`jerk`), so the u that have 1 and 2 are an interval around b_1, and any point
between b_1 and one of them is one. 1 has a closed form; for 2 the reach of a plan has one and the
largest u is searched for. `limiting: joint` takes the nearest u of each joint. `scale` takes the
longest part s desired of the desired command that every joint allows, which there is where the arm
moves along it or starts from rest: its direction is kept. Where there is none, it takes the point
b + s (desired - b) with the largest s in [0, 1] that all joints allow; s = 0 always is one. Then 3
for the whole arm, between b and that (`certificate`): at s = 1, and if it is refused at a few
smaller s, found by the secant of the distances at the ends of both manoeuvres. Only what passed the
check is ever published.

*Distances.* A distance once measured at q_0 proves d(q) >= d_0 - sum_j lever_j |q_j - q_0j| on any
box. Far off, one sum over the joints proves all pairs on the hull of the manoeuvre (`hull`); then
each pair by its own last measurement. What is left is measured anew: in the middle of the hull, at
the end of the manoeuvre, and at ever shorter parts of the way in between, down to single periods.
All instants are within boxes, so there are no gaps between samples. Measurements per cycle are
bounded; what they do not prove is refused.

*Leaving.* A proof of motion needs room for its own coarseness, so a manoeuvre must end with an
allowance to spare, what a manoeuvre at recovery speed costs a proof, unless it ends no closer than
it began. So an arm at rest beside an obstacle can always be proven to leave.

*Recovery.* A pair that is certified too close at rest (at the start; later only by drift at rest)
gets the certified distance less that allowance as its threshold, which then only rises, up to
the clearance. Until there, the joints that move the pair do so at recovery speed, and a manoeuvre
must end at no lesser distance than it begins with. Joints outside their position limits, or surely
in their margin, recover as in `equations`; such a joint keeps its own command in `scale`.

Departures, beside those of `equations`:

- Where J dt >= 2 A the jerk limit cannot bind, and bounds and braking are those of `equations`, to
  the bit; the plain filters stand for these where nothing else is on.
- The jerk limit is one of commands at even periods, and after `hold` the first may exceed it:
  the law goes on from the w before it. It is shrunk by the drive's gain and twice the jitter.
- A filter that dies is covered for each joint by itself (`hold`, the driver then brakes at A). For
  pairs it is assumed that the driver brakes by this law; then every box grows by c dt G |v|.
- A delay of commands is the same for all joints of an arm: then x runs through boxes of the past.
- Drift at rest goes into the margin and into the clearance, as in `equations`.
- What is published passes again unchanged, but for joints that drift took surely into their margin
  and that were not sent back for the sake of a pair: asked again, they are sent back anew.
- Where parts overlap the levers do not hold; a way out of an overlap is judged by depth at its end.
- Between b and the joint-wise choice the certified s need not be an interval. The largest is not
  always found, and never one that is not certified.
"""

from __future__ import annotations

import math
from collections.abc import Callable, MutableSequence, Sequence
from typing import TYPE_CHECKING

from sinew_core.safety import equations as eq
from sinew_core.safety.certificate import Certificate
from sinew_core.safety.certified_constants import (
    certified_position_constants,
    certified_velocity_constants,
)
from sinew_core.safety.certified_equations import (
    BRAKE,
    HULL_LOWER,
    HULL_UPPER,
    STATE_ROWS,
    STEP,
    WISH,
    commit_velocities,
    propose_velocities,
)
from sinew_core.safety.certified_positions import commit_positions, propose_positions
from sinew_core.safety.filter import ArmFilter, PositionFilter, VelocityFilter
from sinew_core.safety.hull import is_near, write_hull
from sinew_core.safety.pair_memory import PairMemory
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
        if self._certificate is not None and state[WISH] != state[BRAKE]:
            self._prove(self._certificate, joints, model, state, desired, out, causes)
        recent = history[(head + 1) % len(history)]
        if self._period_s:
            commit_positions(model, state, recent, out)
        else:
            commit_velocities(state, recent, out)
        return fault

    def _prove(
        self,
        certificate: Certificate,
        joints: Sequence[eq.Row],
        model: eq.Row,
        state: Rows,
        desired: eq.Row,
        out: MutableSequence[float],
        causes: MutableSequence[int],
    ) -> None:
        """Prove what is proposed by what is known, else by measurements, else change it."""
        memory = self._memory
        assert memory is not None
        write_hull(joints, model, state)
        if is_near(state, memory.reference, memory.weights):
            return
        box = state[HULL_LOWER], state[HULL_UPPER]
        if memory.covers(certificate.levers, *box):
            memory.recentre(certificate.levers, *box)
        else:
            prove(certificate, memory, self._period_s, state, desired, out, causes)


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

    def stand(self, periods: int) -> None:
        """Account for periods without output, as `VelocityFilter.stand`; the drive has stopped."""
        super().stand(periods)
        if periods > 0:
            self._state[STEP][:] = self._zeros


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
