r"""The equations of the velocity filter: one scalar source for the node and for training.

Plain functions over floats and indexable rows. The node runs them as Python over lists, `twin`
compiles them over arrays; the results are equal to the last bit.

Notation, per joint: `v` the last published command, `a` the guaranteed deceleration, `dt` the
period, `c` the dead time in periods, `m` the margin, `e-`, `e+` the interval that surely holds the
rest point (below).

    S_c(u) = dt sum_k max(u - k a dt, 0) + c dt u               stopping distance from u
    U_c(d)                                                      its inverse
    hi = min(V, v + a dt, U_c((q_max - m - e+) / G))
    lo = max(-V, v - a dt, -U_c((e- - q_min - m) / G))
    u  = clamp(u_desired, lo, hi)

Motion of one period under command v: between g v dt - drift and G v dt + drift for v > 0, with
G = (1 + jitter)(1 + gain error), g = (1 - jitter)(1 - gain error); mirrored for v < 0.

*The rest point.* The observer does not bound the position x but the point h where the joint comes
to rest if zero is commanded from now on. For a driver that holds the velocity h = x; for one that
interpolates linearly h = x + dt v / 2; for a first-order lag T, h = x + T v. In all of them h moves
by dt v in a period, so increment, bound and latency sum share one motion model and lo <= hi is kept
by induction: G S_c(v) <= q_max - m - e+ gives G S_c(v - a dt) <= G (S_c(v) - dt v) <= the same
after the period. It holds for any mix of drivers with a part of up to kappa of a period's motion
outstanding, since h lies between x and x + kappa dt v. A measurement z taken L <= L_max periods ago
bounds h by

    h <= z + noise + max_L (sum_{i<=L} motion+(v_{k-i}) + kappa G dt max(v_{k-L-1}, 0))

which holds for fractions of a period, too: between two samples the outstanding motion is a
convex or a dominated combination of the neighbouring terms.

*Drift.* A velocity error that does not scale with the command moves e+ by `drift` a period, also
while braking. A dead time larger by drift / (G a dt^2) pays for it exactly: each braking period
frees G dt a dt of it. The rest of the last one, and drift in the dead time and at rest, where
nothing is braked, goes into the margin; a joint that is surely in its margin is sent back slowly.

Departures from the usual statement of these bounds, all on the safe side:

- The interval holds h, not x; for a driver that holds or interpolates both give the same bounds.
  An unknown driver therefore needs neither c = 1/2 nor a margin of a dt^2 / 2, and its observer
  cannot come out empty because of the driver.
- Jitter also shortens motion: the negative terms carry (1 - jitter), not the gain error alone.
- The limits V and a are lowered by gain error and jitter (see `constants`), so that the arm's
  velocity and mean acceleration keep the limits, not the commands alone.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

Row = Sequence[float]
Rows = Sequence[MutableSequence[float]]

# Rows of `joints`: constants of each joint.
LOWER, UPPER, OUTER_LOWER, OUTER_UPPER, SPEED, SPEED_STEP, DECELERATION, DEAD_TIME, FULL = range(9)
# Entries of `model`: constants of the arm.
PERIOD, GAIN, MOTION_MOST, MOTION_LEAST, DRIFT, NOISE, EDGE, RECOVERY = range(8)
# Rows of `state`: interval of the rest point, and the last command.
REST_LOWER, REST_UPPER, COMMAND = range(3)

# Causes, as `filter.Cause` names them.
NO_CAUSE, BY_POSITION, BY_VELOCITY, BY_ACCELERATION, BY_BRAKE, BY_RECOVERY = range(6)
BY_JERK, BY_SELF_COLLISION, BY_FLOOR, BY_WORKSPACE, BY_FORBIDDEN = range(6, 11)
# Faults in rising priority, as `filter.FilterFault` names them.
NO_FAULT, MEASUREMENT_NOT_FINITE, OUTSIDE_LIMITS, BOUNDS_CONFLICT, NOT_FINITE, OBSERVER_EMPTY = (
    range(6)
)

TOLERANCE = 1e-11  # rad/s; rounding of the bounds shows near standstill
EMPTY_TOLERANCE = 1e-9  # rad; rounding of the interval


def stopping_distance(
    speed: float, deceleration: float, period: float, dead_time_periods: float
) -> float:
    """Return S_c(u) = dt sum_k max(u - k a dt, 0) + c dt u, the distance to rest from `speed`.

    With u = a dt (n + f), n whole and 0 <= f < 1:
    S_c = a dt^2 (n (n + 1) / 2 + (n + 1) f) + c dt u.

    Args:
        speed: u, at least 0, in rad/s.
        deceleration: a, in rad/s^2.
        period: dt, in s.
        dead_time_periods: c, how long the last command is held before braking starts.
    """
    speed_step = deceleration * period
    whole = float(math.floor(speed / speed_step))
    part = speed / speed_step - whole
    steps = 0.5 * whole * (whole + 1.0) + (whole + 1.0) * part
    return speed_step * period * steps + dead_time_periods * period * speed


def largest_speed(
    distance: float, deceleration: float, period: float, dead_time_periods: float
) -> float:
    """Return U_c(d), the largest speed that comes to rest within `distance`; exact inverse of S_c.

    With x = d / (a dt^2) and b = 1 + 2c: n = floor((sqrt(b^2 + 8x) - b) / 2),
    f = (x - n (n + 1) / 2 - c n) / (n + 1 + c), U_c = a dt (n + f); 0 for d <= 0.

    Args:
        distance: d, in rad.
        deceleration: a, in rad/s^2.
        period: dt, in s.
        dead_time_periods: c, how long the last command is held before braking starts.
    """
    if distance <= 0.0:
        return 0.0
    speed_step = deceleration * period
    x = distance / (speed_step * period)
    b = 1.0 + 2.0 * dead_time_periods
    n = float(math.floor(0.5 * (math.sqrt(b * b + 8.0 * x) - b)))
    f = (x - 0.5 * n * (n + 1.0) - dead_time_periods * n) / (n + 1.0 + dead_time_periods)
    return speed_step * (n + f)


def braked(command: float, speed_step: float) -> float:
    """Return the command one period later under the fastest deceleration to rest."""
    if command > speed_step:
        return command - speed_step
    if command < -speed_step:
        return command + speed_step
    return 0.0


def reach(model: Row, history: Sequence[Row], head: int, joint: int, sign: float) -> float:
    """Return how far `sign` h may be beyond a measured `sign` x of unknown age; at least 0.

    `history` is a ring of L_max + 1 commands, the last one at `head`; `sign` -1 mirrors.
    """
    size = len(history)
    command = sign * history[head][joint]
    most = model[EDGE] * command if command > 0.0 else 0.0
    moved = 0.0
    for age in range(1, size):
        if command > 0.0:
            moved += model[MOTION_MOST] * command + model[DRIFT]
        else:
            moved += model[MOTION_LEAST] * command + model[DRIFT]
        command = sign * history[(head - age) % size][joint]
        outstanding = model[EDGE] * command if command > 0.0 else 0.0
        if moved + outstanding > most:
            most = moved + outstanding
    return most


def observe_arm(
    model: Row, state: Rows, history: Sequence[Row], head: int, measured: Row, fresh: bool
) -> int:
    """Move the intervals of the rest points by one period and cut them with the measurement.

    Returns:
        NO_FAULT, MEASUREMENT_NOT_FINITE or OBSERVER_EMPTY.
    """
    rest_lower, rest_upper, command = state[REST_LOWER], state[REST_UPPER], state[COMMAND]
    most, least, drift = model[MOTION_MOST], model[MOTION_LEAST], model[DRIFT]
    noise, edge, ageless = model[NOISE], model[EDGE], len(history) == 1
    last = history[head]
    fault = NO_FAULT
    for j in range(len(command)):
        v = command[j]
        if v > 0.0:
            lower, upper = rest_lower[j] + (least * v - drift), rest_upper[j] + (most * v + drift)
        else:
            lower, upper = rest_lower[j] + (most * v - drift), rest_upper[j] + (least * v + drift)
        rest_lower[j], rest_upper[j] = lower, upper
        if not fresh:
            continue
        z = measured[j]
        if z - z != 0.0:  # not a number, or infinite
            if fault == NO_FAULT:
                fault = MEASUREMENT_NOT_FINITE
            continue
        if ageless:  # `reach` without its loops
            u = last[j]
            least_z = z - (noise + (-edge * u if u < 0.0 else 0.0))
            most_z = z + (noise + (edge * u if u > 0.0 else 0.0))
        else:
            least_z = z - (noise + reach(model, history, head, j, -1.0))
            most_z = z + (noise + reach(model, history, head, j, 1.0))
        lower = least_z if least_z > lower else lower
        upper = most_z if most_z < upper else upper
        if lower > upper + EMPTY_TOLERANCE:
            fault = OBSERVER_EMPTY
        else:
            rest_lower[j], rest_upper[j] = lower, upper
    return fault


def position_speed(joints: Sequence[Row], model: Row, joint: int, room: float) -> float:
    """Return the largest speed from which a joint comes to rest within `room` to its limit."""
    return largest_speed(
        room / model[GAIN], joints[DECELERATION][joint], model[PERIOD], joints[DEAD_TIME][joint]
    )


def clamp(desired: float, lo: float, hi: float, cause_lo: int, cause_hi: int) -> tuple[float, int]:
    """Return `desired` itself between lo and hi, else the bound, with the cause."""
    if desired > hi:
        return hi, cause_hi
    if desired < lo:
        return lo, cause_lo
    return desired, NO_CAUSE


def recover(
    joints: Sequence[Row], model: Row, state: Rows, joint: int, lo: float, hi: float
) -> tuple[float, float, bool]:
    """Return lo and hi of a joint surely past its filtered range, and whether past its limits.

    Within the margin it is sent back, at most within one period and at the recovery speed; past
    the limits it may move inward at that speed, but does not on its own.
    """
    rest_lower, rest_upper = state[REST_LOWER][joint], state[REST_UPPER][joint]
    speed = model[RECOVERY]
    above = rest_lower - joints[UPPER][joint]
    below = joints[LOWER][joint] - rest_upper
    if rest_lower > joints[OUTER_UPPER][joint]:
        return (-speed if lo < -speed else lo), hi, True
    if rest_upper < joints[OUTER_LOWER][joint]:
        return lo, (speed if hi > speed else hi), True
    if above > EMPTY_TOLERANCE and lo < hi:
        push = -above / model[PERIOD] if above < speed * model[PERIOD] else -speed
        push = lo if push < lo else push
        return lo, (push if push < hi else hi), False
    if below > EMPTY_TOLERANCE and lo < hi:
        push = below / model[PERIOD] if below < speed * model[PERIOD] else speed
        push = hi if push > hi else push
        return (push if push > lo else lo), hi, False
    return lo, hi, False


def bounds(
    joints: Sequence[Row], model: Row, state: Rows, joint: int
) -> tuple[float, float, int, int, bool]:
    """Return lo, hi, the cause of each, and whether the joint is surely past its limits."""
    v = state[COMMAND][joint]
    rest_lower, rest_upper = state[REST_LOWER][joint], state[REST_UPPER][joint]
    lower, upper = joints[LOWER][joint], joints[UPPER][joint]
    step, full = joints[SPEED_STEP][joint], joints[FULL][joint]
    hi = below = joints[SPEED][joint]
    cause_hi = cause_lo = BY_VELOCITY
    if v + step < hi:
        hi, cause_hi = v + step, BY_ACCELERATION
    if step - v < below:
        below, cause_lo = step - v, BY_ACCELERATION
    if upper - rest_upper < full:
        speed = position_speed(joints, model, joint, upper - rest_upper)
        if speed < hi:
            hi, cause_hi = speed, BY_POSITION
    if rest_lower - lower < full:
        speed = position_speed(joints, model, joint, rest_lower - lower)
        if speed < below:
            below, cause_lo = speed, BY_POSITION
    lo = -below
    if rest_lower <= upper and rest_upper >= lower:
        return lo, hi, cause_lo, cause_hi, False
    inner_lo, inner_hi, outside = recover(joints, model, state, joint, lo, hi)
    cause_lo = BY_RECOVERY if inner_lo != lo else cause_lo
    cause_hi = BY_RECOVERY if inner_hi != hi else cause_hi
    return inner_lo, inner_hi, cause_lo, cause_hi, outside


def limit_arm(
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    desired: Row,
    out: MutableSequence[float],
    causes: MutableSequence[int],
) -> int:
    """Clamp each desired velocity between lo and hi, and write the command and its cause.

    Where lo > hi braking wins; the bounds are never swapped. Below the tolerance that is rounding
    at the position limit.

    Returns:
        NO_FAULT, OUTSIDE_LIMITS or BOUNDS_CONFLICT.
    """
    command = state[COMMAND]
    fault = NO_FAULT
    for j in range(len(command)):
        v, u = command[j], desired[j]
        lo, hi, cause_lo, cause_hi, outside = bounds(joints, model, state, j)
        if outside and fault == NO_FAULT:
            fault = OUTSIDE_LIMITS
        if lo > hi + TOLERANCE:
            fault = BOUNDS_CONFLICT
            out[j], cause = braked(v, joints[SPEED_STEP][j]), BY_BRAKE
        elif lo > hi:
            out[j], cause = braked(v, joints[SPEED_STEP][j]), BY_POSITION
        else:
            out[j], cause = clamp(u, lo, hi, cause_lo, cause_hi)
        causes[j] = cause if out[j] != u else NO_CAUSE
    return fault


def reset_arm(model: Row, state: Rows, history: Rows, position: Row, velocity: Row) -> None:
    """Start one arm from a measured position and the velocity commanded so far.

    The first step moves the interval by a period that may not have passed yet, so it is widened
    by that motion: both are held.
    """
    for recent in history:
        for j in range(len(position)):
            recent[j] = velocity[j]
    for j in range(len(position)):
        v = velocity[j]
        lower = position[j] - (model[NOISE] + reach(model, history, 0, j, -1.0))
        upper = position[j] + (model[NOISE] + reach(model, history, 0, j, 1.0))
        if v > 0.0:
            lower -= model[MOTION_LEAST] * v
        else:
            upper -= model[MOTION_LEAST] * v
        state[REST_LOWER][j] = lower
        state[REST_UPPER][j] = upper
        state[COMMAND][j] = v


def step_arm(
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
    """Run one cycle of one arm: observe, limit (or brake), and remember the command.

    `joints` (9, n), `model` (8,), `state` (3, n) as the constants above index them; `history`
    (L_max + 1, n) is the ring of commands with the last at `head`, written after it. `measured`
    (n,) counts if `fresh` and where finite. Writes `out` and `causes` (n,); returns the gravest
    fault.
    """
    fault = observe_arm(model, state, history, head, measured, fresh)
    if not brake:
        for j in range(len(desired)):
            if desired[j] - desired[j] != 0.0 and fault != OBSERVER_EMPTY:
                fault = NOT_FINITE
    command = state[COMMAND]
    if brake or fault >= NOT_FINITE:
        for j in range(len(command)):
            out[j] = braked(command[j], joints[SPEED_STEP][j])
            causes[j] = BY_BRAKE
    else:
        limited = limit_arm(joints, model, state, desired, out, causes)
        if limited > fault:
            fault = limited
    recent = history[(head + 1) % len(history)]
    for j in range(len(command)):
        command[j] = out[j]
        recent[j] = out[j]
    return fault


def step_arms(
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
    """Run one cycle of many arms; shapes as in `step_arm` with the arm in front.

    An arm whose interval was empty brakes until it is reset; `interventions` counts causes.
    """
    for arm in range(len(states)):
        latched = faults[arm] == OBSERVER_EMPTY
        fault = step_arm(
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
