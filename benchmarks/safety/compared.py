"""Four limiters on the same drives and wishes: overshoot, and speed lost where nothing was wrong.

Every drive brakes no harder than the declared deceleration, whatever it is sent, and asked speeds
are within the speed limit. The peers hear every measurement, and use the last command of the drive.
"""

from __future__ import annotations

from numba.extending import register_jitable

from benchmarks.safety import peers, wishes
from benchmarks.safety.plant import (
    PERIOD,
    RAMP,
    Array,
    Bits,
    Counts,
    V,
    X,
    draw_drive,
    draw_end,
    move,
    uniform,
)
from benchmarks.safety.search import sense
from benchmarks.safety.world import (
    CHANGE,
    CHANGED,
    EPISODES,
    GREATEST,
    LEAST,
    LOST,
    NEAREST,
    OUTSIDE,
    OVERSHOOT,
    SAFE,
    STEPS,
    TOLERANCE,
    UNSAFE,
    Arm,
    Limiter,
    make_arm,
    reset_arm,
    step_arm,
)
from sinew_core.safety import equations as eq
from sinew_core.safety.parameters import SafetyParameters

register_jitable(eq.stopping_distance)

OURS, ROS2_CONTROL, SERVO, SOFT_LIMIT = range(4)
PEERS = {
    "ros2_control joint_limits": ROS2_CONTROL,
    "MoveIt Servo": SERVO,
    "soft limit v ≤ k (q_max - q)": SOFT_LIMIT,
}
EXACT = SafetyParameters(
    margin_rad=0.0,
    noise_rad=0.0,
    drift_rad_s=0.0,
    gain_error=0.0,
    interpolation=0.0,
    acceleration_scale=1.0,
)
DRIVES = {
    "exact drive": EXACT,
    "declared drive": SafetyParameters(jitter=0.1, max_latency_periods=2),
}
PERIOD_S = 0.01


@register_jitable
def is_safe(limiter: Limiter, arm: Arm, j: int, asked: float) -> bool:
    """Say whether a velocity can be reached within a period, and stopped from, knowing the truth.

    That is: within speed and acceleration limit, and from then on the drive can brake to rest
    before the position limit, with the greatest declared gain.
    """
    joints, period, v = limiter.joints, limiter.drive[PERIOD], arm.plant[V, j]
    if abs(asked) > joints[eq.SPEED, j] + TOLERANCE:
        return False
    if abs(asked - v) > joints[eq.SPEED_STEP, j] + TOLERANCE:
        return False
    side = 1.0 if asked > 0.0 else -1.0
    pending = max(0.5 * arm.plant[RAMP, j] * period * side * v, 0.0)
    stop = eq.stopping_distance(abs(asked), joints[eq.DECELERATION, j], period, 0.0)
    limit = limiter.bounds[GREATEST, j] if side > 0.0 else -limiter.bounds[LEAST, j]
    return bool(limiter.model[eq.GAIN] * (pending + stop) <= limit - side * arm.plant[X, j])


@register_jitable
def limit_as_peer(which: int, limiter: Limiter, arm: Arm) -> None:
    """Write what a peer sends for `arm.desired` to `arm.out`."""
    joints, bounds, period = limiter.joints, limiter.bounds, limiter.drive[PERIOD]
    factor = 1.0
    if which == SERVO:
        factor = peers.speed_factor(arm.desired, joints[eq.SPEED])
    for j in range(len(arm.out)):
        lower, upper = bounds[LEAST, j], bounds[GREATEST, j]
        asked, z, speed = arm.desired[j], arm.measured[j], joints[eq.SPEED, j]
        if which == ROS2_CONTROL:
            step = joints[eq.SPEED_STEP, j]
            arm.out[j] = peers.saturation(
                asked, z, arm.plant[V, j], lower, upper, speed, step, period
            )
        elif which == SOFT_LIMIT:
            k = joints[eq.DECELERATION, j] / speed
            arm.out[j] = peers.soft_limit(asked, z, lower, upper, speed, k)
        else:
            velocity = factor * asked
            if peers.halts(velocity, z, lower, upper, peers.SERVO_MARGIN_RAD, period):
                velocity = 0.0
            arm.out[j] = velocity


@register_jitable
def send(which: int, limiter: Limiter, arm: Arm, head: int, fresh: bool) -> None:
    """Write what one of the limiters sends for `arm.desired` to `arm.out`."""
    if which != OURS:
        limit_as_peer(which, limiter, arm)
        return
    step_arm(
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


@register_jitable
def ask_within_speed(rng: Bits, limiter: Limiter, arm: Arm) -> None:
    """Ask for velocities within the speed limit: pushes, turns, noise and rest."""
    for j in range(len(arm.desired)):
        if uniform(rng) < wishes.SWITCH:
            wishes.draw_mode(rng, arm.modes, arm.sides, j)
        mode, chance = arm.modes[j], uniform(rng)
        if mode == wishes.NOISE:
            arm.desired[j] = (2.0 * chance - 1.0) * limiter.joints[eq.SPEED, j]
        elif mode == wishes.STILL:
            arm.desired[j] = 0.0
        else:
            arm.desired[j] = arm.sides[j] * limiter.joints[eq.SPEED, j]


@register_jitable
def count_change(limiter: Limiter, arm: Arm, j: int, counts: Counts, measures: Array) -> None:
    """Count how a command was changed, apart for those that were safe and those that were not."""
    asked, change = arm.desired[j], abs(arm.out[j] - arm.desired[j])
    if change != 0.0:
        counts[CHANGED] += 1
    if is_safe(limiter, arm, j, asked):
        counts[SAFE] += 1
        measures[LOST] += change
    else:
        counts[UNSAFE] += 1
        measures[CHANGE] += change


@register_jitable
def move_within_acceleration(
    rng: Bits, limiter: Limiter, arm: Arm, newest: int, counts: Counts, measures: Array
) -> None:
    """Run one period of drives that follow `arm.out` as fast as their acceleration allows."""
    for j in range(len(arm.out)):
        v, step = arm.plant[V, j], limiter.joints[eq.SPEED_STEP, j]
        command = peers.between(arm.out[j], v - step, v + step)
        end = draw_end(rng, arm.plant, j)
        least, greatest = move(limiter.drive, arm.plant, arm.past, newest, j, command, end)
        room = min(least - limiter.bounds[LEAST, j], limiter.bounds[GREATEST, j] - greatest)
        measures[NEAREST] = min(measures[NEAREST], room)
        measures[OVERSHOOT] = max(measures[OVERSHOOT], -room)
        if room < -TOLERANCE:
            counts[OUTSIDE] += 1


@register_jitable
def compare(
    which: int,
    limiter: Limiter,
    n_arms: int,
    periods: int,
    wanted: Bits,
    chance: Bits,
    counts: Counts,
    measures: Array,
) -> None:
    """Drive `n_arms` from rest for some periods each through one limiter.

    `wanted` (1,) draws the wishes and starts, alike for every limiter; `chance` (1,) the errors.
    """
    arm = make_arm(limiter)
    for _ in range(n_arms):
        for j in range(len(arm.out)):
            low, high = limiter.bounds[LEAST, j], limiter.bounds[GREATEST, j]
            start = low + (0.1 + 0.8 * uniform(wanted)) * (high - low)
            draw_drive(chance, limiter.drive, arm.plant, j, start)
            wishes.draw_mode(wanted, arm.modes, arm.sides, j)
            arm.out[j] = 0.0
        head = newest = 0
        for k in range(periods):
            sense(chance, limiter, arm, newest, k, False)
            if k == 0:
                reset_arm(limiter.model, arm.state, arm.history, arm.measured, arm.out)
            ask_within_speed(wanted, limiter, arm)
            send(which, limiter, arm, head, k > 0)
            head, newest = (head + 1) % len(arm.history), (newest + 1) % len(arm.past)
            for j in range(len(arm.out)):
                count_change(limiter, arm, j, counts, measures)
            move_within_acceleration(chance, limiter, arm, newest, counts, measures)
            counts[STEPS] += len(arm.out)
        counts[EPISODES] += 1
