r"""The equations of the effort filter: best effort, from measured positions and velocities.

As in `equations`, plain functions over floats and indexable rows: the node runs them as Python,
`effort_twin` compiles them, and the results are equal to the last bit.

An effort moves all joints at once, a = M(q)^-1 (u - h(q, v)), so bounds are put on accelerations:
those after which every joint can still keep its limits (A. Del Prete, "Joint position and velocity
bounds in discrete-time acceleration/torque control of robot manipulators", RA-L 3(1), 2018). The
published effort is the closest to the desired one, as saturation in level and rate leaves it, whose
accelerations are inside. Measured positions q and velocities v are trusted, and so is the model.

Per joint and towards the upper limit, with u the velocity after the period, the bound on the
acceleration is the least of

    A                                          acceleration limit times scale
    U_0(V - v; J)                              falls to 0 before V at the jerk J
    (U_c(q_max - m - q - dt v+ / 2; A) - v) / dt

where U_c(d; A) is `largest_speed`: a constant acceleration moves a joint by dt (v + u) / 2, and
braking from u takes S_0(u) - dt u / 2, in sum dt v / 2 + S_0(u), as in `equations` for a drive that
interpolates. Departures from Del Prete's bounds:

- His joints change their acceleration at once. Here efforts change by rate dt a period, so all
  accelerations together change by J = s A, s = min_j rate_j / sum_k |M_jk| A_k, at least. From A to
  -A takes T = 2 / s: the dead time c is longer by T, and A T^2 / 6 is added to the margin.
- Where the room without T is used up as well, the joint may brake harder than A, up to the whole
  acceleration limit.
- An effort is held for a period, so M and h are taken where the arm will be in its middle.

J is what all joints can do at once, against each other: mostly there is more. Where the bounds
contradict level or rate of the efforts all the same, or each other after a start outside the
limits, every acceleration is to stay what it is under the last command, or the nearest inside its
bounds, and of the efforts that rate and level allow the one next to that is taken
(`closest_effort`). To brake all joints then would turn the accelerations of light ones around at
once, and a heavy one, near its limit, could not change its effort fast enough to bear the reaction.

*Braking* decelerates by min(A, U_0(|v|; J)) to rest, and then holds each joint where it came to
rest with a = k (q_0 - q) - d v through the inverse dynamics. For x'' = a held over a period both
poles of the closed loop lie at 1 - w when k dt^2 = w^2 and d dt = 2 w - w^2 / 2. With w = 0.3, and
0.3 / (1 + L) at a latency of L periods, it is stable with one period of delay more and for physics
that move by dt u in place of dt (v + u) / 2. A damping effort -D v instead is unstable as soon as
dt D exceeds twice the least inertia, which for a wrist at 25 Hz is next to nothing.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from sinew_core.robots.dynamics import inertia_matrix, inverse_dynamics, rotate_joints
from sinew_core.safety.closest_effort import (
    COMPOSITES,
    EFFORT_HI,
    EFFORT_LO,
    GRAVITY,
    HI,
    INERTIA,
    LO,
    MIDDLE,
    MIDDLE_SPEED,
    OFFSET,
    ROTATIONS,
    WANTED,
    WRENCHES,
    ZEROS,
    invert_inertia,
)
from sinew_core.safety.equations import (
    BY_ACCELERATION,
    BY_POSITION,
    BY_RECOVERY,
    BY_VELOCITY,
    NO_FAULT,
    OUTSIDE_LIMITS,
    Row,
    Rows,
    largest_speed,
)

# Causes beside those of `equations`.
BY_EFFORT, BY_EFFORT_RATE = 20, 21

# Rows of `joints`: constants of each joint.
(
    LOWER,
    UPPER,
    OUTER_LOWER,
    OUTER_UPPER,
    SPEED,
    STEADY,  # acceleration that may be used
    HARDEST,  # acceleration that braking may use
    DEAD_TIME,
    FULL,
    EFFORT,
    EFFORT_STEP,
) = range(11)
# Entries of `model`: constants of the arm. LONGEST: of a period, with its jitter.
PERIOD, LONGEST, STIFFNESS, DAMPING, RECOVERY, COMPENSATED, LATENESS, PATIENCE = range(8)
# Rows of `state`. POSITION and VELOCITY are measured, or predicted where no measurement came.
COMMAND, POSITION, VELOCITY, TREND, BEFORE, HELD, HOLDS, UNSEEN, N_STATE = range(9)
# Rows of `codes`, the causes of the bounds.
CAUSE_LO, CAUSE_HI = range(2)

REST_RAD_S = 0.02
"""Measured speed at which braking turns to holding."""


def write_dynamics(
    model: Row, chain: Row, bodies: Row, gravity: Row, state: Rows, vectors: Rows, matrices: Rows
) -> None:
    """Write inertia, its inverse, the gravity effort, and the command that accelerates nothing.

    An effort held over a period acts about as in its middle. Gravity is compensated for the
    measured position.
    """
    rotations, wrenches = matrices[ROTATIONS], matrices[WRENCHES]
    zeros, offset, held = vectors[ZEROS], vectors[OFFSET], vectors[GRAVITY]
    position, velocity = vectors[MIDDLE], vectors[MIDDLE_SPEED]
    n = len(held)
    half = 0.5 * model[PERIOD]
    for j in range(n):
        position[j] = state[POSITION][j] + half * state[VELOCITY][j]
        velocity[j] = state[VELOCITY][j] + half * state[TREND][j]
        held[j] = 0.0
    if model[COMPENSATED] > 0.0:
        rotate_joints(state[POSITION], chain, rotations)
        inverse_dynamics(rotations, zeros, zeros, chain, bodies, gravity, wrenches, held)
    rotate_joints(position, chain, rotations)
    inertia_matrix(rotations, chain, bodies, matrices[COMPOSITES], matrices[INERTIA])
    invert_inertia(n, matrices)
    inverse_dynamics(rotations, velocity, zeros, chain, bodies, gravity, wrenches, offset)
    for j in range(n):
        offset[j] -= held[j]


def write_effort_bounds(joints: Sequence[Row], state: Rows, vectors: Rows) -> None:
    """Write what level and rate allow of each command.

    The sum with the gravity effort keeps the level, too, as far as the rate lets it.
    """
    for j in range(len(state[COMMAND])):
        last, limit, step = state[COMMAND][j], joints[EFFORT][j], joints[EFFORT_STEP][j]
        lo = last - step if last - step > -limit else -limit
        hi = last + step if last + step < limit else limit
        held = vectors[GRAVITY][j]
        if -limit - held > lo:
            lo = -limit - held if -limit - held < hi else hi
        if limit - held < hi:
            hi = limit - held if limit - held > lo else lo
        vectors[EFFORT_LO][j], vectors[EFFORT_HI][j] = lo, hi


def sharpness(joints: Sequence[Row], period: float, inertia: Row) -> float:
    """Return s in 1/s: all accelerations at once can change by s times their limits a second."""
    n = len(joints[STEADY])
    least = 1.0 / period
    for i in range(n):
        effort = 0.0
        for j in range(n):
            effort += abs(inertia[i * n + j]) * joints[STEADY][j]
        if joints[EFFORT_STEP][i] < least * period * effort:
            least = joints[EFFORT_STEP][i] / (period * effort)
    return least


def outward_bound(
    joints: Sequence[Row], model: Row, joint: int, v: float, room: float, sharp: float
) -> tuple[float, int]:
    """Return the bound on the acceleration towards a limit with `room` left, and its cause."""
    steady, period = joints[STEADY][joint], model[LONGEST]
    bound, cause = steady, BY_ACCELERATION
    spare = joints[SPEED][joint] - v
    if spare < steady * (period + 0.5 / sharp + 0.5 * period):
        by_speed = spare / period
        if spare > 0.0:
            by_speed = largest_speed(spare, steady * sharp, period, 0.0)
        if by_speed < bound:
            bound, cause = by_speed if by_speed > -steady else -steady, BY_VELOCITY
    turn_s = 2.0 / sharp
    margin = steady * turn_s * turn_s / 6.0
    if spare > 0.0 and room > joints[FULL][joint] + joints[SPEED][joint] * turn_s + margin:
        return bound, cause
    if v > 0.0:
        room -= 0.5 * period * v
    dead = joints[DEAD_TIME][joint]
    if room < 0.0:
        back = largest_speed(-room, steady, period, dead + turn_s / period)
        speed = -back if back < model[RECOVERY] else -model[RECOVERY]
    else:
        speed = largest_speed(room - margin, steady, period, dead + turn_s / period)
    early = (speed - v) / period
    if early < bound:
        bound, cause = early if early > -steady else -steady, BY_POSITION
    late = (largest_speed(room, steady, period, dead) - v) / period
    if late < bound:
        hardest = joints[HARDEST][joint]
        bound, cause = late if late > -hardest else -hardest, BY_POSITION
    return bound, cause


def write_acceleration_bounds(
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    vectors: Rows,
    codes: Sequence[MutableSequence[int]],
    sharp: float,
) -> int:
    """Write the bounds on the accelerations, with their causes.

    ACCELERATION holds the acceleration under the last command.

    Returns:
        NO_FAULT or OUTSIDE_LIMITS.
    """
    fault = NO_FAULT
    for j in range(len(state[COMMAND])):
        q, v = state[POSITION][j], state[VELOCITY][j]
        hi, cause_hi = outward_bound(joints, model, j, v, joints[UPPER][j] - q, sharp)
        lo, cause_lo = outward_bound(joints, model, j, -v, q - joints[LOWER][j], sharp)
        lo = -lo
        outside = q < joints[OUTER_LOWER][j] or q > joints[OUTER_UPPER][j]
        if outside:
            fault = OUTSIDE_LIMITS
            lo, hi, cause_lo, cause_hi = inward(joints, model, j, q, v, lo, hi, cause_lo, cause_hi)
        if lo > hi:
            # Both ask to brake, or one does while the joint is outside: against the motion.
            if v > 0.0:
                lo, cause_lo = hi, cause_hi
            else:
                hi, cause_hi = lo, cause_lo
        vectors[LO][j], vectors[HI][j] = lo, hi
        codes[CAUSE_LO][j], codes[CAUSE_HI][j] = cause_lo, cause_hi
    return fault


def inward(
    joints: Sequence[Row],
    model: Row,
    joint: int,
    q: float,
    v: float,
    lo: float,
    hi: float,
    cause_lo: int,
    cause_hi: int,
) -> tuple[float, float, int, int]:
    """Return the bounds of a joint past its limits: inward, slowly, and not on its own."""
    period, steady = model[LONGEST], joints[STEADY][joint]
    if q > joints[OUTER_UPPER][joint]:
        slow = (-model[RECOVERY] - v) / period
        slow = slow if slow < steady else steady
        rest = -v / period if -v / period > hi else hi
        return (slow if slow > lo else lo), rest, BY_RECOVERY, cause_hi
    slow = (model[RECOVERY] - v) / period
    slow = slow if slow > -steady else -steady
    rest = -v / period if -v / period < lo else lo
    return rest, (slow if slow < hi else hi), cause_lo, BY_RECOVERY


def write_wanted(
    joints: Sequence[Row], model: Row, state: Rows, vectors: Rows, sharp: float
) -> None:
    """Write the accelerations that brake, and that hold what has come to rest."""
    for j in range(len(state[COMMAND])):
        q, v = state[POSITION][j], state[VELOCITY][j]
        if state[HOLDS][j] == 0.0 and (abs(v) <= REST_RAD_S or v * state[BEFORE][j] < 0.0):
            state[HOLDS][j], state[HELD][j] = 1.0, q
        state[BEFORE][j] = v
        steady = joints[STEADY][j]
        if state[HOLDS][j] != 0.0:
            wanted = model[STIFFNESS] * (state[HELD][j] - q) - model[DAMPING] * v
        else:
            wanted = largest_speed(abs(v), steady * sharp, model[PERIOD], 0.0)
            wanted = -wanted if v > 0.0 else wanted
        wanted = steady if wanted > steady else -steady if wanted < -steady else wanted
        lo, hi = vectors[LO][j], vectors[HI][j]
        vectors[WANTED][j] = hi if wanted > hi else lo if wanted < lo else wanted
