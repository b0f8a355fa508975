"""The equations of one cycle of the certified position filter, up to what needs exact distances.

`certified_equations` over the reference of `position_equations`, whose rest interval is exact.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from sinew_core.safety.certified_equations import (
    ASKED,
    BRAKE,
    JERK_STEP,
    ROUNDING,
    SCALED,
    STEP,
    WISH,
    largest_within,
    outward_reach,
    scale_along_desired,
    scale_towards_brake,
    smooth_bounds,
    within_position,
)
from sinew_core.safety.equations import (
    BOUNDS_CONFLICT,
    BY_ACCELERATION,
    BY_BRAKE,
    BY_POSITION,
    BY_RECOVERY,
    COMMAND,
    NO_CAUSE,
    NO_FAULT,
    NOT_FINITE,
    OBSERVER_EMPTY,
    OUTSIDE_LIMITS,
    PERIOD,
    REST_LOWER,
    REST_UPPER,
    SPEED_STEP,
    TOLERANCE,
    Row,
    Rows,
)
from sinew_core.safety.jerk import braked_smoothly
from sinew_core.safety.position_equations import follows, limit_position

LARGEST_RAD_S = 1e6
"""What a target may ask for when the whole command is scaled; beyond that it is as far away."""


def approach_smoothly(
    joints: Sequence[Row], model: Row, state: Rows, joint: int, error: float, fastest: float
) -> tuple[float, bool]:
    """Return the fastest velocity up to `fastest` from which braking ends before the target.

    Also returns whether that is less than `fastest`.
    """
    sign = 1.0 if error > 0.0 else -1.0
    brake, before = state[BRAKE][joint], sign * state[COMMAND][joint]
    if sign * fastest <= sign * brake:
        return fastest, False
    room = abs(error)
    over = outward_reach(joints, model, joint, before, sign * fastest) - room
    if over <= 0.0:
        return fastest, False
    found, _ = largest_within(
        joints, model, joint, before, sign * brake, sign * fastest, over, room
    )
    return (brake if found == sign * brake else sign * found), True


def limit_position_smoothly(
    joints: Sequence[Row], model: Row, state: Rows, joint: int, desired: float
) -> tuple[float, int, int]:
    """Return the position to publish for a joint whose jerk limit binds, its cause, and the fault.

    As `position_equations.limit_position`; the approach ends at the target by the braking law.
    """
    position, brake = state[REST_LOWER][joint], state[BRAKE][joint]
    period, rounding = model[PERIOD], model[ROUNDING]
    lo, hi, cause_lo, cause_hi, outside = smooth_bounds(joints, model, state, joint)
    fault = OUTSIDE_LIMITS if outside else NO_FAULT
    if lo > hi + TOLERANCE:
        return position + period * brake, BY_BRAKE, BOUNDS_CONFLICT
    if lo > hi:
        return position + period * brake, BY_POSITION, fault
    error = desired - position
    speed = error / period
    if lo - rounding <= speed <= hi + rounding:
        found, _, _ = within_position(joints, model, state, joint, speed, NO_CAUSE)
        if found == speed or abs(speed - brake) <= rounding:
            return desired, NO_CAUSE, fault
    fastest, cause = (hi, cause_hi) if error > 0.0 else (lo, cause_lo)
    fastest, cause, wrong = within_position(joints, model, state, joint, fastest, cause)
    fastest, slowed = approach_smoothly(joints, model, state, joint, error, fastest)
    published = position + period * fastest
    cause = BY_ACCELERATION if slowed else cause
    return published, cause if published != desired else NO_CAUSE, max(fault, wrong)


def limit_position_either(
    joints: Sequence[Row], model: Row, state: Rows, joint: int, desired: float
) -> tuple[float, int, int]:
    """Return the position to publish for one joint, its cause, and the fault."""
    if joints[JERK_STEP][joint] < 2.0 * joints[SPEED_STEP][joint]:
        return limit_position_smoothly(joints, model, state, joint, desired)
    return limit_position(joints, model, state, joint, desired)


def asked_velocity(position: float, desired: float, period: float) -> float:
    """Return the velocity that a target asks for, bounded."""
    speed = (desired - position) / period
    return min(max(speed, -LARGEST_RAD_S), LARGEST_RAD_S)


def scale_positions(
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    desired: Row,
    out: MutableSequence[float],
    causes: MutableSequence[int],
) -> None:
    """Scale the whole step towards the targets, as `certified_equations` does."""
    period, position, asked, wish = model[PERIOD], state[REST_LOWER], state[ASKED], state[WISH]
    for j in range(len(desired)):
        asked[j] = wish[j]
        if causes[j] != NO_CAUSE:
            asked[j] = asked_velocity(position[j], desired[j], period)
    if not scale_along_desired(joints, model, state, asked, wish, causes):
        scale_towards_brake(state, asked, wish, causes)
    for j in range(len(desired)):
        if wish[j] != (out[j] - position[j]) / period:
            out[j] = position[j] + period * wish[j]


def capped_position(position: float, desired: float, cap: float, period: float) -> float:
    """Return `desired`, or what is reached towards it at the speed `cap`."""
    if desired - position > cap * period:
        return position + cap * period
    if desired - position < -cap * period:
        return position - cap * period
    return desired


def propose_positions(
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    history: Sequence[Row],
    head: int,
    desired: Row,
    measured: Row,
    fresh: bool,
    brake: bool,
    cap: Row,
    out: MutableSequence[float],
    causes: MutableSequence[int],
) -> int:
    """Write what each joint's own limits leave of `desired`, as `propose_velocities`, in rad."""
    fault = follows(model, history, measured) if fresh else NO_FAULT
    position, command, brakes = state[REST_LOWER], state[COMMAND], state[BRAKE]
    wish, period = state[WISH], model[PERIOD]
    for j in range(len(command)):
        brakes[j] = braked_smoothly(
            command[j], state[STEP][j], joints[SPEED_STEP][j], joints[JERK_STEP][j], model[ROUNDING]
        )
        if not brake and desired[j] - desired[j] != 0.0 and fault != OBSERVER_EMPTY:
            fault = NOT_FINITE
    stop = brake or fault >= NOT_FINITE
    for j in range(len(command)):
        if stop:
            out[j], causes[j] = position[j] + period * brakes[j], BY_BRAKE
        else:
            capped = capped_position(position[j], desired[j], cap[j], period)
            out[j], cause, wrong = limit_position_either(joints, model, state, j, capped)
            causes[j] = BY_RECOVERY if out[j] == capped and capped != desired[j] else cause
            fault = max(fault, wrong)
        wish[j] = (out[j] - position[j]) / period
    if not stop and model[SCALED] != 0.0:
        scale_positions(joints, model, state, desired, out, causes)
    return fault


def commit_positions(model: Row, state: Rows, recent: MutableSequence[float], out: Row) -> None:
    """Remember what is published."""
    command, step = state[COMMAND], state[STEP]
    for j in range(len(command)):
        speed = (out[j] - state[REST_LOWER][j]) / model[PERIOD]
        step[j] = speed - command[j]
        command[j] = speed
        state[REST_LOWER][j] = state[REST_UPPER][j] = recent[j] = out[j]
