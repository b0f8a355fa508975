"""The searches for violations: filter, drive, wishes and checks, for numba to compile as one.

An arm starts at rest near its limits, is pushed about, loses measurements, hears nonsense, and at
last its policy falls silent or its filter dies. Then it must come to rest inside. The next arm
follows.
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import register_jitable

from benchmarks.safety import wishes
from benchmarks.safety.plant import (
    DEAD_TIME,
    DRIFT,
    GAIN_ERROR,
    LATENCY,
    NOISE,
    PERIOD,
    RAMP,
    SIGN,
    START,
    Array,
    Bits,
    Counts,
    V,
    X,
    draw_drive,
    draw_end,
    draw_measurement,
    measure,
    move,
    uniform,
)
from benchmarks.safety.world import (
    EPISODES,
    GREATEST,
    LEAST,
    NOT_AT_REST,
    STEPS,
    TOLERANCE,
    Arm,
    Limiter,
    check_fault,
    check_motion,
    check_passing,
    check_range,
    make_arm,
    reset_arm,
    reset_positions,
    step_arm,
    step_positions,
)
from sinew_core.safety import equations as eq

LOSSY_PERIODS = 20
"""Measurements get lost in every second span of as many periods."""


@register_jitable
def place(rng: Bits, limiter: Limiter, j: int) -> float:
    """Return a position inside the filtered range of joint `j`, mostly near one of its ends.

    Not in the margin: there a joint is sent back, and drift may take it further out until it moves.
    """
    low, high = limiter.joints[eq.LOWER, j], limiter.joints[eq.UPPER, j]
    drive = limiter.drive
    near = 2.1 * drive[NOISE] + 2.0 * drive[DRIFT] * drive[PERIOD] * (drive[LATENCY] + 1.0)
    chance = uniform(rng)
    near = min(near + 0.2 * chance * chance * (high - low), 0.5 * (high - low))
    return float(low + near if uniform(rng) < 0.5 else high - near)


@register_jitable
def sense(rng: Bits, limiter: Limiter, arm: Arm, newest: int, elapsed: int, lossy: bool) -> None:
    """Measure every joint, each with its own age and noise; some get lost."""
    for j in range(len(arm.measured)):
        age, noise = draw_measurement(rng, limiter.drive, arm.plant, j, elapsed)
        arm.measured[j] = measure(limiter.drive, arm.plant, arm.past, newest, j, age, noise)
        if lossy and uniform(rng) < 0.2:
            arm.measured[j] = wishes.not_finite(rng)


@register_jitable
def ask_velocities(rng: Bits, limiter: Limiter, arm: Arm) -> None:
    """Ask every joint for a velocity that knows the truth."""
    joints, drive, plant = limiter.joints, limiter.drive, arm.plant
    for j in range(len(arm.desired)):
        pending = 0.5 * plant[RAMP, j] * drive[PERIOD] * plant[V, j]
        arm.desired[j] = wishes.wish_velocity(
            rng,
            arm.modes,
            arm.sides,
            j,
            joints[eq.SPEED, j],
            joints[eq.DECELERATION, j],
            drive[PERIOD],
            arm.causes[j],
            plant[X, j] + pending - limiter.bounds[LEAST, j],
            limiter.bounds[GREATEST, j] - plant[X, j] - pending,
        )
    if uniform(rng) < wishes.NOT_FINITE:
        arm.desired[int(uniform(rng) * len(arm.desired))] = wishes.not_finite(rng)


@register_jitable
def move_all(
    rng: Bits, limiter: Limiter, arm: Arm, newest: int, counts: Counts, measures: Array
) -> None:
    """Run one period of all drives under the commands of `arm.out`, and check where they went."""
    for j in range(len(arm.out)):
        end = draw_end(rng, arm.plant, j)
        least, greatest = move(limiter.drive, arm.plant, arm.past, newest, j, arm.out[j], end)
        check_range(limiter, j, least, greatest, counts, measures)


@register_jitable
def drive_on(
    rng: Bits, limiter: Limiter, arm: Arm, newest: int, counts: Counts, measures: Array
) -> None:
    """Let the filter die: the drive holds the last command for the dead time, then brakes."""
    held = int(limiter.drive[DEAD_TIME])
    for _ in range(held):
        newest = (newest + 1) % len(arm.past)
        move_all(rng, limiter, arm, newest, counts, measures)
    part = limiter.drive[DEAD_TIME] - held
    for j in range(len(arm.out)):
        v, sign = arm.plant[V, j], arm.plant[SIGN, j]
        drift = sign * limiter.drive[DRIFT] if v != 0.0 else 0.0
        scale = 1.0 + sign * limiter.drive[GAIN_ERROR]
        arm.plant[X, j] += part * limiter.drive[PERIOD] * (scale * v + drift)
        check_range(limiter, j, arm.plant[X, j], arm.plant[X, j], counts, measures)
    while np.any(arm.plant[V] != 0.0):
        for j in range(len(arm.out)):
            arm.out[j] = eq.braked(arm.plant[V, j], limiter.joints[eq.SPEED_STEP, j])
        newest = (newest + 1) % len(arm.past)
        move_all(rng, limiter, arm, newest, counts, measures)


@register_jitable
def check_velocities(limiter: Limiter, arm: Arm, counts: Counts, measures: Array) -> None:
    """Count what is wrong with the commands `arm.out`, after `arm.before`."""
    rounding = TOLERANCE * limiter.drive[PERIOD]
    for j in range(len(arm.out)):
        check_passing(arm, j, counts, measures)
        check_motion(limiter, j, arm.before[j], arm.out[j], rounding, counts)


@register_jitable
def step_velocity(
    limiter: Limiter, arm: Arm, head: int, fresh: bool, counts: Counts, measures: Array
) -> int:
    """Run one cycle of the velocity filter and check what it sends; return the fault."""
    arm.before[:] = arm.out
    fault = step_arm(
        limiter.joints,
        limiter.model,
        arm.state,
        arm.history,
        head,
        arm.desired,
        arm.measured,
        fresh,
        False,
        arm.out,
        arm.causes,
    )
    counts[STEPS] += len(arm.out)
    check_velocities(limiter, arm, counts, measures)
    return fault


@register_jitable
def fall_silent(
    rng: Bits, limiter: Limiter, arm: Arm, head: int, newest: int, counts: Counts, measures: Array
) -> None:
    """Let the policy and the measurements stop: the filter must bring the arm to rest."""
    arm.desired[:] = math.nan
    longest = 0.0
    for j in range(len(arm.out)):
        longest = max(longest, abs(arm.out[j]) / limiter.joints[eq.SPEED_STEP, j])
    for _ in range(math.ceil(longest) + 1):
        check_fault(step_velocity(limiter, arm, head, False, counts, measures), counts)
        head, newest = (head + 1) % len(arm.history), (newest + 1) % len(arm.past)
        move_all(rng, limiter, arm, newest, counts, measures)
    if np.any(arm.out != 0.0):
        counts[NOT_AT_REST] += 1


@register_jitable
def begin(rng: Bits, limiter: Limiter, arm: Arm) -> None:
    """Put the arm at rest somewhere, its measured position in `arm.measured`."""
    for j in range(len(arm.out)):
        draw_drive(rng, limiter.drive, arm.plant, j, place(rng, limiter, j))
        wishes.draw_mode(rng, arm.modes, arm.sides, j)
        arm.causes[j] = eq.NO_CAUSE
        arm.out[j] = arm.desired[j] = 0.0
    sense(rng, limiter, arm, 0, 0, False)


@register_jitable
def search_velocities(
    limiter: Limiter, n_arms: int, periods: int, rng: Bits, counts: Counts, measures: Array
) -> None:
    """Push `n_arms` about for some periods each, by velocities; `rng` (1,) and totals change."""
    arm = make_arm(limiter)
    for _ in range(n_arms):
        begin(rng, limiter, arm)
        reset_arm(limiter.model, arm.state, arm.history, arm.measured, arm.out)
        head = newest = 0
        lost = False
        for k in range(periods):
            lossy = (k // LOSSY_PERIODS) % 2 == 1
            if k > 0:
                sense(rng, limiter, arm, newest, k, lossy)
            ask_velocities(rng, limiter, arm)
            fresh = k > 0 and not (lossy and uniform(rng) < 0.3)
            fault = step_velocity(limiter, arm, head, fresh, counts, measures)
            head, newest = (head + 1) % len(arm.history), (newest + 1) % len(arm.past)
            move_all(rng, limiter, arm, newest, counts, measures)
            lost = check_fault(fault, counts)
            if lost:
                break
        counts[EPISODES] += 1
        if lost:
            continue
        if uniform(rng) < 0.5:
            drive_on(rng, limiter, arm, newest, counts, measures)
        else:
            fall_silent(rng, limiter, arm, head, newest, counts, measures)


@register_jitable
def sense_followed(rng: Bits, limiter: Limiter, arm: Arm, newest: int) -> None:
    """Measure joints that follow positions: some declared age ago, off by tracking and noise.

    The drive is between the last two references, so the age counts from the one before.
    """
    for j in range(len(arm.measured)):
        kind, chance = int(3.0 * uniform(rng)), uniform(rng)
        age = (limiter.drive[LATENCY] + 1.0) * (chance if kind == 2 else float(kind))
        back = int(age)
        one = arm.past[(newest - back) % len(arm.past), START, j]
        other = arm.past[(newest - back - 1) % len(arm.past), START, j]
        end = 1.0 if chance < 0.5 else -1.0
        off = end * limiter.model[eq.NOISE] * (1.0 if uniform(rng) < 0.8 else uniform(rng))
        arm.measured[j] = one + (age - back) * (other - one) + off * (1.0 - 1e-9)


@register_jitable
def ask_positions(rng: Bits, limiter: Limiter, arm: Arm) -> None:
    """Ask every joint for a position."""
    for j in range(len(arm.desired)):
        previous = arm.desired[j]
        arm.desired[j] = wishes.wish_position(
            rng,
            arm.modes,
            arm.sides,
            j,
            previous if previous - previous == 0.0 else arm.out[j],
            arm.out[j],
            arm.state[eq.COMMAND, j],
            limiter.joints[eq.SPEED_STEP, j],
            limiter.drive[PERIOD],
            limiter.bounds[LEAST, j],
            limiter.bounds[GREATEST, j],
        )
    if uniform(rng) < wishes.NOT_FINITE:
        arm.desired[int(uniform(rng) * len(arm.desired))] = wishes.not_finite(rng)


@register_jitable
def step_reference(
    limiter: Limiter, arm: Arm, head: int, fresh: bool, counts: Counts, measures: Array
) -> int:
    """Run one cycle of the position filter and check what it sends; return the fault."""
    period = limiter.drive[PERIOD]
    arm.before[:] = arm.state[eq.COMMAND]
    fault = step_positions(
        limiter.joints,
        limiter.model,
        arm.state,
        arm.history,
        head,
        arm.desired,
        arm.measured,
        fresh,
        False,
        arm.out,
        arm.causes,
    )
    following = (head + 1) % len(arm.history)
    counts[STEPS] += len(arm.out)
    for j in range(len(arm.out)):
        check_passing(arm, j, counts, measures)
        check_range(limiter, j, arm.out[j], arm.out[j], counts, measures)
        velocity = (arm.out[j] - arm.history[head, j]) / period
        check_motion(limiter, j, arm.before[j], velocity, TOLERANCE, counts)
        arm.past[following % len(arm.past), START, j] = arm.out[j]
    return fault


@register_jitable
def search_positions(
    limiter: Limiter, n_arms: int, periods: int, rng: Bits, counts: Counts, measures: Array
) -> None:
    """Push `n_arms` about for some periods each, by positions; `rng` (1,) and totals change."""
    arm = make_arm(limiter)
    for _ in range(n_arms):
        begin(rng, limiter, arm)
        arm.out[:] = arm.plant[X]
        arm.desired[:] = arm.out
        reset_positions(arm.state, arm.history, arm.out)
        arm.past[:, START] = arm.out
        head, lost = 0, False
        for k in range(periods):
            fresh = uniform(rng) < 0.8 or (k // LOSSY_PERIODS) % 2 == 0
            sense_followed(rng, limiter, arm, head)
            ask_positions(rng, limiter, arm)
            fault = step_reference(limiter, arm, head, fresh, counts, measures)
            head = (head + 1) % len(arm.history)
            lost = check_fault(fault, counts)
            if lost:
                break
        counts[EPISODES] += 1
        arm.desired[:] = math.nan
        longest = 0.0
        for j in range(len(arm.out)):
            speed = abs(arm.state[eq.COMMAND, j])
            longest = max(longest, speed / limiter.joints[eq.SPEED_STEP, j])
        for _ in range(math.ceil(longest) + 1):
            check_fault(step_reference(limiter, arm, head, False, counts, measures), counts)
            head = (head + 1) % len(arm.history)
        if np.any(np.abs(arm.state[eq.COMMAND]) > TOLERANCE):
            counts[NOT_AT_REST] += 1
