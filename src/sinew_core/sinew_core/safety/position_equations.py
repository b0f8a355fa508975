r"""The equations of the position filter, over the bounds of the velocity filter.

As in `equations`, plain functions over floats and indexable rows: the node runs them as Python,
`twin` compiles them, and the results are equal to the last bit.

The filter keeps a reference p, the last published position, and its velocity v over the last
period. The desired position asks for u = (p_desired - p) / dt. Where lo <= u <= hi, with the bounds
of `equations` for a rest point that is known exactly (e- = e+ = p, G = 1, c = 0: a position drive
that hears nothing stays where it was sent), p_desired itself is published, bit for bit. Else

    p + dt clamp(sgn(e) U_0(|e|), lo, hi),    e = p_desired - p,

which goes there as fast as the arm can still stop at it. A target that stands still is overshot by
8 a dt^2 at most, because one within reach is published whatever the speed: braking at n + f steps
a dt with (n + 1) (n / 2 + f) left, that is within n + 2 + f up to n = 2, f = 1/2. It is reached at
4.5 a dt, and rest takes S_0(3.5 a dt) = 8 a dt^2.

The arm itself may be off the reference by the tracking error. The position limits shrink by it, and
a measured position that is further than that from every reference of the declared latency is a
fault: the drive no longer follows, so what is published no longer says where the arm is.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from sinew_core.safety.equations import (
    BOUNDS_CONFLICT,
    BY_ACCELERATION,
    BY_BRAKE,
    BY_POSITION,
    COMMAND,
    DECELERATION,
    FULL,
    MEASUREMENT_NOT_FINITE,
    NO_CAUSE,
    NO_FAULT,
    NOISE,
    NOT_FINITE,
    OBSERVER_EMPTY,
    OUTSIDE_LIMITS,
    PERIOD,
    REST_LOWER,
    REST_UPPER,
    SPEED,
    SPEED_STEP,
    Row,
    Rows,
    bounds,
    braked,
    largest_speed,
)

ROUNDING_RAD = 2e-15
"""What is published must pass again: two units in the last place of a position."""
CONFLICT_RAD = 1e-10
"""Rounding of positions over a braking manoeuvre of thousands of periods.

A velocity is a difference of positions: rounded by one unit in the last place, 1e-15 rad, it moves
the rest point of a brake of n periods by n 1e-15 rad, in every period anew.
"""


def follows(model: Row, history: Sequence[Row], measured: Row) -> int:
    """Return whether each joint is where some reference of the declared latency sent it.

    `history` is the ring of references; between two of them the arm may be anywhere.

    Returns:
        NO_FAULT, MEASUREMENT_NOT_FINITE or OBSERVER_EMPTY.
    """
    fault = NO_FAULT
    for j in range(len(measured)):
        z = measured[j]
        if z - z != 0.0:  # not a number, or infinite
            if fault == NO_FAULT:
                fault = MEASUREMENT_NOT_FINITE
            continue
        lower = upper = history[0][j]
        for i in range(1, len(history)):
            reference = history[i][j]
            if reference < lower:
                lower = reference
            if reference > upper:
                upper = reference
        if z < lower - model[NOISE] or z > upper + model[NOISE]:
            fault = OBSERVER_EMPTY
    return fault


def limit_position(
    joints: Sequence[Row], model: Row, state: Rows, joint: int, desired: float
) -> tuple[float, int, int]:
    """Return the position to publish for one joint, its cause, and NO_FAULT or what is wrong."""
    position = state[REST_LOWER][joint]
    lo, hi, cause_lo, cause_hi, outside = bounds(joints, model, state, joint)
    fault = OUTSIDE_LIMITS if outside else NO_FAULT
    period = model[PERIOD]
    if lo > hi:
        if lo > hi + CONFLICT_RAD / period:
            return brake_position(joints, model, state, joint), BY_BRAKE, BOUNDS_CONFLICT
        return brake_position(joints, model, state, joint), BY_POSITION, fault
    error = desired - position
    speed = error / period
    rounding = ROUNDING_RAD / period
    if lo - rounding <= speed <= hi + rounding:
        return desired, NO_CAUSE, fault
    approach = joints[SPEED][joint]
    if abs(error) < joints[FULL][joint]:
        approach = largest_speed(abs(error), joints[DECELERATION][joint], period, 0.0)
    if error < 0.0:
        approach = -approach
    cause = BY_ACCELERATION
    if approach > hi:
        approach, cause = hi, cause_hi
    elif approach < lo:
        approach, cause = lo, cause_lo
    published = position + period * approach
    return published, cause if published != desired else NO_CAUSE, fault


def brake_position(joints: Sequence[Row], model: Row, state: Rows, joint: int) -> float:
    """Return the position one period later under the fastest deceleration to rest."""
    speed = braked(state[COMMAND][joint], joints[SPEED_STEP][joint])
    return state[REST_LOWER][joint] + model[PERIOD] * speed


def reset_positions(state: Rows, history: Rows, position: Row) -> None:
    """Start one arm at rest at a measured position."""
    for j in range(len(position)):
        state[REST_LOWER][j] = state[REST_UPPER][j] = position[j]
        state[COMMAND][j] = 0.0
        for recent in history:
            recent[j] = position[j]


def step_positions(
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    history: Rows,
    head: int,
    desired: Row,
    measured: Row,
    fresh: bool,
    brake: bool,
    out: MutableSequence[float],
    causes: MutableSequence[int],
) -> int:
    """Run one cycle of one arm; arguments and result as `equations.step_arm`, in rad.

    `state` holds the reference twice, as both ends of an interval that is known exactly, and its
    velocity; `history` is the ring of references.
    """
    fault = follows(model, history, measured) if fresh else NO_FAULT
    if not brake:
        for j in range(len(desired)):
            if desired[j] - desired[j] != 0.0 and fault != OBSERVER_EMPTY:
                fault = NOT_FINITE
    stop = brake or fault >= NOT_FINITE
    for j in range(len(desired)):
        if stop:
            out[j], causes[j] = brake_position(joints, model, state, j), BY_BRAKE
        else:
            out[j], causes[j], wrong = limit_position(joints, model, state, j, desired[j])
            if wrong > fault:
                fault = wrong
    recent = history[(head + 1) % len(history)]
    for j in range(len(desired)):
        state[COMMAND][j] = (out[j] - state[REST_LOWER][j]) / model[PERIOD]
        state[REST_LOWER][j] = state[REST_UPPER][j] = recent[j] = out[j]
    return fault


def step_position_arms(
    joints: Sequence[Row],
    model: Row,
    states: Sequence[Rows],
    histories: Sequence[Rows],
    head: int,
    desired: Sequence[Row],
    measured: Sequence[Row],
    fresh: bool,
    out: Rows,
    causes: Sequence[MutableSequence[int]],
    interventions: Sequence[MutableSequence[int]],
    faults: MutableSequence[int],
) -> None:
    """Run one cycle of many arms, as `equations.step_arms`."""
    for arm in range(len(states)):
        latched = faults[arm] == OBSERVER_EMPTY
        fault = step_positions(
            joints,
            model,
            states[arm],
            histories[arm],
            head,
            desired[arm],
            measured[arm],
            fresh,
            latched,
            out[arm],
            causes[arm],
        )
        faults[arm] = OBSERVER_EMPTY if latched else fault
        for j in range(len(desired[arm])):
            if causes[arm][j] != NO_CAUSE:
                interventions[arm][j] += 1
