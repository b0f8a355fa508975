"""One cycle of the effort filter: observe, bound, take the closest effort or brake, remember.

The bounds and what they are derived from are in `effort_equations`, the choice of an effort in
`closest_effort`; as there, plain functions for Python and numba.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from sinew_core.robots.dynamics import inverse_dynamics, rotate_joints
from sinew_core.safety.closest_effort import (
    ACCELERATION,
    ACTIVE,
    EFFORT_HI,
    EFFORT_LO,
    HI,
    INERTIA,
    INVERSE,
    LO,
    MULTIPLIERS,
    NORMALS,
    OFFSET,
    ROTATIONS,
    START,
    WANTED,
    WRENCHES,
    ZEROS,
    accelerate,
    write_braking,
    write_closest,
)
from sinew_core.safety.effort_equations import (
    BEFORE,
    BY_EFFORT,
    BY_EFFORT_RATE,
    CAUSE_HI,
    CAUSE_LO,
    COMMAND,
    COMPENSATED,
    EFFORT,
    EFFORT_STEP,
    HELD,
    HOLDS,
    LATENESS,
    LONGEST,
    PATIENCE,
    PERIOD,
    POSITION,
    TREND,
    UNSEEN,
    VELOCITY,
    sharpness,
    write_acceleration_bounds,
    write_dynamics,
    write_effort_bounds,
    write_wanted,
)
from sinew_core.safety.equations import (
    BY_BRAKE,
    MEASUREMENT_NOT_FINITE,
    NO_CAUSE,
    NO_FAULT,
    NOT_FINITE,
    OBSERVER_EMPTY,
    Row,
    Rows,
)

FARTHEST_RAD = 1e4
FASTEST_RAD_S = 1e3
"""A measurement beyond these is none."""
SLACK = 1e-9
"""rad/s²: rounding of an acceleration that is inside its bounds."""


def observe_state(model: Row, state: Rows, position: Row, velocity: Row, fresh: bool) -> int:
    """Take the measurements that there are; the others stay as predicted.

    Returns:
        NO_FAULT, MEASUREMENT_NOT_FINITE or, after PATIENCE periods without one, OBSERVER_EMPTY.
    """
    seen, fault = fresh, NO_FAULT
    for j in range(len(position)):
        q, v = position[j], velocity[j]
        if abs(q) <= FARTHEST_RAD and abs(v) <= FASTEST_RAD_S:
            if fresh:
                state[POSITION][j], state[VELOCITY][j] = q, v
        elif fresh:
            seen, fault = False, MEASUREMENT_NOT_FINITE
    unseen = 0.0 if seen else state[UNSEEN][0] + 1.0
    state[UNSEEN][0] = unseen
    return OBSERVER_EMPTY if unseen > model[PATIENCE] else fault


def saturate(vectors: Rows, desired: Row, out: MutableSequence[float]) -> None:
    """Write the desired effort within its bounds, itself where it is inside."""
    for j in range(len(desired)):
        lo, hi, effort = vectors[EFFORT_LO][j], vectors[EFFORT_HI][j], desired[j]
        out[j] = vectors[START][j] = hi if effort > hi else lo if effort < lo else effort


def inside(vectors: Rows) -> bool:
    """Return whether the accelerations in ACCELERATION are inside their bounds."""
    acceleration, lo, hi = vectors[ACCELERATION], vectors[LO], vectors[HI]
    for j in range(len(acceleration)):  # noqa: SIM110 - numba compiles no generators
        if not lo[j] - SLACK <= acceleration[j] <= hi[j] + SLACK:
            return False
    return True


def all_finite(values: Row) -> bool:
    """Return whether no value is infinite or not a number."""
    for j in range(len(values)):  # noqa: SIM110 - numba compiles no generators
        if values[j] - values[j] != 0.0:
            return False
    return True


def write_steady(vectors: Rows) -> None:
    """Write as wanted the accelerations of the last command, or the nearest inside their bounds."""
    acceleration, lo, hi, wanted = vectors[ACCELERATION], vectors[LO], vectors[HI], vectors[WANTED]
    for j in range(len(wanted)):
        a = acceleration[j]
        wanted[j] = hi[j] if a > hi[j] else lo[j] if a < lo[j] else a


def keep_effort_bounds(state: Rows, vectors: Rows, out: MutableSequence[float]) -> None:
    """Take rounding off, and the last effort for one that is not a number."""
    for j in range(len(out)):
        lo, hi, effort = vectors[EFFORT_LO][j], vectors[EFFORT_HI][j], out[j]
        if effort - effort != 0.0:
            effort = state[COMMAND][j]
        out[j] = hi if effort > hi else lo if effort < lo else effort


def write_causes(
    joints: Sequence[Row],
    state: Rows,
    vectors: Rows,
    normals: Row,
    codes: Sequence[MutableSequence[int]],
    count: int,
    desired: Row,
    out: Row,
    causes: MutableSequence[int],
) -> None:
    """Write why each effort differs from the desired one: what moved it most.

    That is level or rate where saturation did, else the bound with the largest part in it.
    """
    n = len(desired)
    for j in range(n):
        start, last = vectors[START][j], state[COMMAND][j]
        cause, most = NO_CAUSE, abs(start - desired[j])
        if most > 0.0:
            step = joints[EFFORT_STEP][j]
            cause = BY_EFFORT_RATE if start == last - step or start == last + step else BY_EFFORT
        if abs(out[j] - start) > most:
            most = 0.0
            for k in range(count):
                part = vectors[MULTIPLIERS][k] * abs(normals[k * n + j])
                bound = int(vectors[ACTIVE][k])
                if part > most and bound < n:
                    upper = normals[k * n + bound] > 0.0
                    cause = codes[CAUSE_HI if upper else CAUSE_LO][bound]
                    most = part
        causes[j] = cause if out[j] != desired[j] else NO_CAUSE


def remember(model: Row, state: Rows, vectors: Rows, inverse: Row, out: Row) -> None:
    """Keep the command, and predict the next state under it."""
    accelerate(inverse, vectors[OFFSET], out, vectors[ACCELERATION])
    period = model[PERIOD]
    for j in range(len(out)):
        state[COMMAND][j] = out[j]
        v, a = state[VELOCITY][j], vectors[ACCELERATION][j]
        state[TREND][j] = a
        q = state[POSITION][j] + period * (v + 0.5 * period * a)
        v += period * a
        if abs(q) <= FARTHEST_RAD and abs(v) <= FASTEST_RAD_S:
            state[POSITION][j], state[VELOCITY][j] = q, v


def predict_state(
    model: Row,
    chain: Row,
    bodies: Row,
    gravity: Row,
    state: Rows,
    vectors: Rows,
    matrices: Rows,
) -> None:
    """Predict the state over one period in which the driver held the last command."""
    state[UNSEEN][0] += 1.0
    write_dynamics(model, chain, bodies, gravity, state, vectors, matrices)
    remember(model, state, vectors, matrices[INVERSE], state[COMMAND])


def reset_effort(
    joints: Sequence[Row],
    model: Row,
    chain: Row,
    bodies: Row,
    gravity: Row,
    state: Rows,
    vectors: Rows,
    matrices: Rows,
    position: Row,
    velocity: Row,
) -> None:
    """Start one arm from a measured state, at the command that holds it there at rest."""
    for j in range(len(position)):
        for row in (COMMAND, TREND, BEFORE, HELD, HOLDS, UNSEEN):
            state[row][j] = 0.0
        state[POSITION][j] = position[j]
        state[VELOCITY][j] = velocity[j]
    if model[COMPENSATED] > 0.0:
        return
    zeros, held = vectors[ZEROS], vectors[OFFSET]
    rotate_joints(position, chain, matrices[ROTATIONS])
    inverse_dynamics(
        matrices[ROTATIONS], zeros, zeros, chain, bodies, gravity, matrices[WRENCHES], held
    )
    for j in range(len(position)):
        limit, effort = joints[EFFORT][j], held[j]
        state[COMMAND][j] = limit if effort > limit else -limit if effort < -limit else effort


def step_effort(
    joints: Sequence[Row], model: Row, chain: Row, bodies: Row, gravity: Row, state: Rows,
    vectors: Rows, matrices: Rows, codes: Sequence[MutableSequence[int]], desired: Row,
    position: Row, velocity: Row, fresh: bool, brake: bool, out: MutableSequence[float], causes:
    MutableSequence[int],
) -> int:  # fmt: skip
    """Run one cycle of one arm; rows as `effort_equations` and `closest_effort` index them.

    `position` and `velocity` (n,) count if `fresh` and where finite. Writes `out` N m and `causes`
    (n,); returns the gravest fault.
    """
    fault = observe_state(model, state, position, velocity, fresh)
    write_dynamics(model, chain, bodies, gravity, state, vectors, matrices)
    write_effort_bounds(joints, state, vectors)
    inverse = matrices[INVERSE]
    accelerate(inverse, vectors[OFFSET], state[COMMAND], vectors[ACCELERATION])
    sharp = sharpness(joints, model[LONGEST], matrices[INERTIA])
    outside = write_acceleration_bounds(joints, model, state, vectors, codes, sharp)
    if outside > fault:
        fault = outside
    if not brake and fault < NOT_FINITE and not all_finite(desired):
        fault = NOT_FINITE
    count = -1
    may_go_on = not brake and fault < NOT_FINITE and state[UNSEEN][0] <= model[LATENESS]
    if may_go_on:
        saturate(vectors, desired, out)
        accelerate(inverse, vectors[OFFSET], out, vectors[ACCELERATION])
        count = 0 if inside(vectors) else write_closest(vectors, matrices, out)
    if count < 0:
        if may_go_on:
            accelerate(inverse, vectors[OFFSET], state[COMMAND], vectors[ACCELERATION])
            write_steady(vectors)
        else:
            write_wanted(joints, model, state, vectors, sharp)
        write_braking(vectors, matrices, out)
    keep_effort_bounds(state, vectors, out)
    for j in range(len(causes)):
        causes[j] = BY_BRAKE
        if count >= 0:
            state[HOLDS][j] = 0.0
    if count >= 0:
        write_causes(joints, state, vectors, matrices[NORMALS], codes, count, desired, out, causes)
    remember(model, state, vectors, inverse, out)
    return fault


def step_effort_arms(
    joints: Sequence[Row], model: Row, chain: Row, bodies: Row, gravity: Row, states:
    Sequence[Rows], vectors: Rows, matrices: Rows, codes: Sequence[MutableSequence[int]],
    desired: Sequence[Row], positions: Sequence[Row], velocities: Sequence[Row], fresh: bool,
    out: Rows, causes: Sequence[MutableSequence[int]], interventions:
    Sequence[MutableSequence[int]], faults: MutableSequence[int],
) -> None:  # fmt: skip
    """Run one cycle of many arms, as `equations.step_arms`."""
    for arm in range(len(states)):
        latched = faults[arm] == OBSERVER_EMPTY
        fault = step_effort(
            joints, model, chain, bodies, gravity, states[arm], vectors, matrices, codes,
            desired[arm], positions[arm], velocities[arm], fresh, latched, out[arm],
            causes[arm],
        )  # fmt: skip
        faults[arm] = OBSERVER_EMPTY if latched else fault
        for j in range(len(desired[arm])):
            if causes[arm][j] != NO_CAUSE:
                interventions[arm][j] += 1
