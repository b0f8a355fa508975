r"""The equations of one cycle of the certified filters, up to what needs exact distances.

As in `equations`, plain functions over floats and indexable rows: the node runs them as Python,
`certified_twin` compiles them. What they prove, and how, is in `certified`.

Rows and entries go on where those of `equations` end.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from sinew_core.safety.equations import (
    BOUNDS_CONFLICT,
    BY_ACCELERATION,
    BY_BRAKE,
    BY_JERK,
    BY_POSITION,
    BY_RECOVERY,
    BY_VELOCITY,
    COMMAND,
    DRIFT,
    EMPTY_TOLERANCE,
    LOWER,
    MOTION_LEAST,
    MOTION_MOST,
    NO_CAUSE,
    NO_FAULT,
    NOT_FINITE,
    OBSERVER_EMPTY,
    OUTSIDE_LIMITS,
    REST_LOWER,
    REST_UPPER,
    SPEED,
    SPEED_STEP,
    TOLERANCE,
    UPPER,
    Row,
    Rows,
    bounds,
    clamp,
    observe_arm,
    recover,
)
from sinew_core.safety.jerk import brake_lobes, braked_smoothly, largest_step

# Rows of `joints` after those of `equations`: the largest change of a period's change of velocity,
# and the room beyond which no braking manoeuvre reaches.
JERK_STEP, SMOOTH_FULL = 9, 10
# Entries of `model` after those of `equations`: rad moved per rad/s while a dead filter's last
# command holds, what the arm may be off its rest interval, rounding of commands in rad/s, and
# whether a command is scaled as a whole.
HOLD, RADIUS, ROUNDING, SCALED = 8, 9, 10, 11
# Rows of `state` after those of `equations`: the last change of the command, the next command of
# the braking law, the velocity that would be commanded, the one that was asked for, and the hull
# of the braking manoeuvre.
STEP, BRAKE, WISH, ASKED, HULL_LOWER, HULL_UPPER = 3, 4, 5, 6, 7, 8
STATE_ROWS = 9

ROOT_STEPS = 14
CLOSE_RAD = 1e-8
"""How near to a position limit the search for the largest certified command ends."""
CLOSE_SHARE = 0.01
"""It also ends with the command known to that part of what was unknown: the reach has jumps, since
each period of braking adds its drift."""
ROUNDING_RAD = 1e-12
"""Of a position over a braking manoeuvre: what was certified must pass again."""


def outward_reach(
    joints: Sequence[Row], model: Row, joint: int, before: float, command: float
) -> float:
    """Return by how much the upper end of the rest interval rises under `command` and braking.

    That is a period of `command`, after `before`, and then the braking law; `hold` is added at the
    peak, where a filter that dies moves the arm furthest. For the lower end mirror both commands.
    """
    step = command - before
    if command <= 0.0 and step <= 0.0:
        return 0.0
    area, periods, peak, area_back, periods_back, peak_back = brake_lobes(
        command, step, joints[SPEED_STEP][joint], joints[JERK_STEP][joint], model[ROUNDING]
    )
    if command > 0.0 or (step > 0.0 and command == 0.0):
        return model[MOTION_MOST] * area + model[DRIFT] * periods + model[HOLD] * peak
    if area_back == 0.0:
        return 0.0
    risen = model[MOTION_MOST] * area_back - model[MOTION_LEAST] * area
    risen += model[DRIFT] * (periods + periods_back)
    return max(risen, 0.0) + model[HOLD] * peak_back


def reach_at_most(
    joints: Sequence[Row], model: Row, joint: int, before: float, command: float
) -> float:
    """Return a cheap bound of `outward_reach`, about twice as far: all periods at the peak.

    The step falls to zero in y / D, braking grows to W and ends in W / D each, and lasts peak / W
    in between; every part by less than one period more.
    """
    step = command - before
    y = step if step > 0.0 else 0.0
    peak = command if command > 0.0 else 0.0
    speed_step, jerk_step = joints[SPEED_STEP][joint], joints[JERK_STEP][joint]
    lead = y / jerk_step
    peak += 0.5 * y * (lead + 1.0)
    periods = peak / speed_step + 2.0 * speed_step / jerk_step + lead + 6.0
    return (model[MOTION_MOST] * peak + model[DRIFT]) * periods + model[HOLD] * peak


def largest_within(
    joints: Sequence[Row],
    model: Row,
    joint: int,
    before: float,
    safe: float,
    unsafe: float,
    over_unsafe: float,
    room: float,
) -> tuple[float, float]:
    """Return the largest command found in [safe, unsafe) whose reach is within `room`.

    A search by false position with the weights of Anderson and Björck (BIT 13, 1973); what it
    returns was evaluated itself. `over_unsafe` is by how much the reach of `unsafe` exceeds `room`.
    Also returns by how much that of `safe` does, if it does: then `safe` is returned.
    """
    over_safe = outward_reach(joints, model, joint, before, safe) - room
    if over_safe >= 0.0:
        return safe, over_safe
    weight_safe, weight_unsafe = over_safe, over_unsafe
    close = CLOSE_SHARE * (unsafe - safe)
    for _ in range(ROOT_STEPS):
        if over_safe > -CLOSE_RAD or unsafe - safe < close:
            break
        middle = safe - (unsafe - safe) * (weight_safe / (weight_unsafe - weight_safe))
        if not safe < middle < unsafe:
            break
        over = outward_reach(joints, model, joint, before, middle) - room
        if over <= 0.0:
            kept = 1.0 - over / weight_safe
            weight_unsafe *= kept if kept > 0.0 else 0.5
            safe = middle
            over_safe = weight_safe = over
        else:
            kept = 1.0 - over / weight_unsafe
            weight_safe *= kept if kept > 0.0 else 0.5
            unsafe = middle
            weight_unsafe = over
    return safe, 0.0


def smooth_bound(
    joints: Sequence[Row], joint: int, command: float, step: float, brake: float
) -> tuple[float, int]:
    """Return hi of velocity, acceleration and jerk limits, and its cause; never below `brake`.

    A growing speed overshoots while its step falls to zero: v + S(w') <= V. lo is the negative of
    the same function with all arguments mirrored.
    """
    speed_step, jerk_step = joints[SPEED_STEP][joint], joints[JERK_STEP][joint]
    bound, cause = command + speed_step, BY_ACCELERATION
    if command + (step + jerk_step) < bound:
        bound, cause = command + (step + jerk_step), BY_JERK
    speed = joints[SPEED][joint]
    # More than S(W) below the limit no step reaches it.
    if speed - command < 0.5 * speed_step * (speed_step / jerk_step + 1.0) + jerk_step:
        if speed - command > jerk_step:
            speed = command + largest_step(speed - command, jerk_step)
        if speed < bound:
            bound, cause = speed, BY_VELOCITY
    return (bound if bound > brake else brake), cause


def smooth_bounds(
    joints: Sequence[Row], model: Row, state: Rows, joint: int
) -> tuple[float, float, int, int, bool]:
    """Return lo, hi, their causes and whether the joint is surely past its limits.

    As `equations.bounds`, but for a joint whose jerk limit binds, and without the position limits.
    """
    v, w, brake = state[COMMAND][joint], state[STEP][joint], state[BRAKE][joint]
    hi, cause_hi = smooth_bound(joints, joint, v, w, brake)
    lo, cause_lo = smooth_bound(joints, joint, -v, -w, -brake)
    lo = -lo
    if (
        state[REST_LOWER][joint] <= joints[UPPER][joint]
        and state[REST_UPPER][joint] >= joints[LOWER][joint]
    ):
        return lo, hi, cause_lo, cause_hi, False
    inner_lo, inner_hi, outside = recover(joints, model, state, joint, lo, hi)
    cause_lo = BY_RECOVERY if inner_lo != lo else cause_lo
    cause_hi = BY_RECOVERY if inner_hi != hi else cause_hi
    return inner_lo, inner_hi, cause_lo, cause_hi, outside


def room_outward(joints: Sequence[Row], state: Rows, joint: int, sign: float) -> float:
    """Return the room from the rest interval to the position limit on the side of `sign`."""
    if sign > 0.0:
        return joints[UPPER][joint] - state[REST_UPPER][joint]
    return state[REST_LOWER][joint] - joints[LOWER][joint]


def within_position(
    joints: Sequence[Row], model: Row, state: Rows, joint: int, wish: float, cause: int
) -> tuple[float, int, int]:
    """Return the command nearest to `wish` whose braking manoeuvre ends inside the position limits.

    Between the next braking command, which needs no proof, and `wish` the reach only grows.

    Returns:
        The command, its cause, and NO_FAULT or BOUNDS_CONFLICT.
    """
    brake = state[BRAKE][joint]
    if wish == brake:
        return wish, cause, NO_FAULT
    sign = 1.0 if wish > brake else -1.0
    room = room_outward(joints, state, joint, sign)
    if room >= joints[SMOOTH_FULL][joint]:
        return wish, cause, NO_FAULT
    room = room if room > 0.0 else 0.0
    before = sign * state[COMMAND][joint]
    if reach_at_most(joints, model, joint, before, sign * wish) <= room:
        return wish, cause, NO_FAULT
    over_wish = outward_reach(joints, model, joint, before, sign * wish) - room
    if over_wish <= ROUNDING_RAD:
        return wish, cause, NO_FAULT
    found, over = largest_within(
        joints, model, joint, before, sign * brake, sign * wish, over_wish, room
    )
    if over > EMPTY_TOLERANCE:
        return brake, BY_BRAKE, BOUNDS_CONFLICT
    return (brake if found == sign * brake else sign * found), BY_POSITION, NO_FAULT


def limit_velocity(
    joints: Sequence[Row], model: Row, state: Rows, joint: int, desired: float
) -> tuple[float, int, int]:
    """Return the velocity for one joint by itself, its cause, and NO_FAULT or what is wrong."""
    smooth = joints[JERK_STEP][joint] < 2.0 * joints[SPEED_STEP][joint]
    if smooth:
        lo, hi, cause_lo, cause_hi, outside = smooth_bounds(joints, model, state, joint)
    else:
        lo, hi, cause_lo, cause_hi, outside = bounds(joints, model, state, joint)
    fault = OUTSIDE_LIMITS if outside else NO_FAULT
    if lo > hi + TOLERANCE:
        return state[BRAKE][joint], BY_BRAKE, BOUNDS_CONFLICT
    if lo > hi:
        return state[BRAKE][joint], BY_POSITION, fault
    wish, cause = clamp(desired, lo, hi, cause_lo, cause_hi)
    if smooth:
        wish, cause, wrong = within_position(joints, model, state, joint, wish, cause)
        fault = max(fault, wrong)
    return wish, cause, fault


def scale_towards_brake(
    state: Rows, desired: Row, wish: MutableSequence[float], causes: MutableSequence[int]
) -> None:
    """Replace `wish`, limited joint by joint, by the point furthest from braking to `desired`.

    b + s (desired - b) with the largest s in [0, 1] that no joint's limit forbids; all joints that
    this changes carry the cause of the joint that decides. A joint that recovers is left out.
    """
    brake = state[BRAKE]
    share, decisive = 1.0, NO_CAUSE
    for j in range(len(desired)):
        if wish[j] == desired[j] or causes[j] == BY_RECOVERY:
            continue
        allowed = (wish[j] - brake[j]) / (desired[j] - brake[j]) if desired[j] != brake[j] else 0.0
        allowed = allowed if allowed > 0.0 else 0.0
        if allowed < share:
            share, decisive = allowed, causes[j]
    if share == 1.0:
        return
    for j in range(len(desired)):
        if causes[j] == BY_RECOVERY:
            continue
        scaled = brake[j] + share * (desired[j] - brake[j])
        if abs(scaled - brake[j]) < abs(wish[j] - brake[j]):
            wish[j] = scaled
        if wish[j] != desired[j]:
            causes[j] = decisive


def scale_along_desired(
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    desired: Row,
    wish: MutableSequence[float],
    causes: MutableSequence[int],
) -> bool:
    """Replace `wish` by the longest part of `desired` that every joint allows, if there is one."""
    share, decisive = 1.0, NO_CAUSE
    for j in range(len(desired)):
        if wish[j] == desired[j] or causes[j] == BY_RECOVERY:
            continue
        allowed = wish[j] / desired[j] if desired[j] != 0.0 else 0.0
        if not allowed > 0.0:
            return False
        if allowed < share:
            share, decisive = allowed, causes[j]
    if share == 1.0:
        return True
    for j in range(len(desired)):
        scaled = share * desired[j]
        if causes[j] == BY_RECOVERY or wish[j] == scaled:
            continue
        if limit_velocity(joints, model, state, j, scaled)[0] != scaled:
            return False
    for j in range(len(desired)):
        if causes[j] != BY_RECOVERY:
            if abs(share * desired[j]) < abs(wish[j]):
                wish[j] = share * desired[j]
            causes[j] = decisive if wish[j] != desired[j] else NO_CAUSE
    return True


def limit_velocities(
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    desired: Row,
    cap: Row,
    causes: MutableSequence[int],
) -> int:
    """Write to WISH what each joint by itself allows of `desired`; return the gravest fault."""
    wish = state[WISH]
    limited = NO_FAULT
    for j in range(len(desired)):
        u = capped = desired[j]
        if u > cap[j]:
            capped = cap[j]
        elif u < -cap[j]:
            capped = -cap[j]
        w, cause, wrong = limit_velocity(joints, model, state, j, capped)
        wish[j] = w
        if w == u:
            cause = NO_CAUSE
        elif w == capped:
            cause = BY_RECOVERY
        causes[j] = cause
        if wrong > limited:
            limited = wrong
    return limited


def propose_velocities(
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
    """Observe, and write what each joint's own limits leave of `desired` to `out` and WISH.

    Arguments as `equations.step_arm`; `cap` (n,) limits the speed near what is too close. BRAKE
    gets what the braking law commands next. Returns the gravest fault.
    """
    fault = observe_arm(model, state, history, head, measured, fresh)
    command, step, brakes, wish = state[COMMAND], state[STEP], state[BRAKE], state[WISH]
    speed_step, jerk_step = joints[SPEED_STEP], joints[JERK_STEP]
    for j in range(len(command)):
        brakes[j] = braked_smoothly(
            command[j], step[j], speed_step[j], jerk_step[j], model[ROUNDING]
        )
        if not brake and desired[j] - desired[j] != 0.0 and fault != OBSERVER_EMPTY:
            fault = NOT_FINITE
    if brake or fault >= NOT_FINITE:
        for j in range(len(command)):
            out[j] = wish[j] = brakes[j]
            causes[j] = BY_BRAKE
        return fault
    limited = limit_velocities(joints, model, state, desired, cap, causes)
    if model[SCALED] != 0.0 and not scale_along_desired(
        joints, model, state, desired, wish, causes
    ):
        scale_towards_brake(state, desired, wish, causes)
    for j in range(len(command)):
        out[j] = wish[j]
    return max(fault, limited)


def commit_velocities(state: Rows, recent: MutableSequence[float], out: Row) -> None:
    """Remember what is published."""
    command, step = state[COMMAND], state[STEP]
    for j in range(len(command)):
        step[j] = out[j] - command[j]
        command[j] = recent[j] = out[j]
