"""What the trusted limiters do with one joint's velocity, written down from their behaviour.

- `saturation`: ros2_control, package joint_limits (4.x, 5.x), `compute_velocity_limits` of
  joint_limits_helpers.cpp as JointSaturationLimiter applies it: speed within the limit, not past
  the position limit within one period, within one period's acceleration of the last command, lower
  and upper swapped where they cross; beyond the position limits nothing but zero. (Newer versions
  throw further out than 0.0087 rad; here the joint goes on braking.)
- `halts` and `speed_factor`: MoveIt Servo 2.x, `jointVariablesToHalt` and
  `jointLimitVelocityScalingFactor` of moveit_servo/src/utils/common.cpp: all joints are scaled
  alike until the fastest keeps its limit, and a joint that would come within the margin of a
  position limit, moving outward, is halted. Its default halts the whole arm; here, in its favour,
  that joint alone. It knows no acceleration limit; smoothing plugins are left out.
- `soft_limit`: v <= k (q_max - q), the discrete barrier that JointSoftLimiter of joint_limits and
  the `safety_controller` of URDF describe.
"""

from __future__ import annotations

from numba.extending import register_jitable

from benchmarks.safety.plant import Array

SERVO_MARGIN_RAD = 0.1
"""`joint_limit_margins` of servo_parameters.yaml by default."""


@register_jitable
def between(value: float, lower: float, upper: float) -> float:
    """Return the value nearest to `value` in [lower, upper]."""
    return lower if value < lower else upper if value > upper else value


@register_jitable
def saturation(
    asked: float,
    position: float,
    previous: float,
    lower: float,
    upper: float,
    speed: float,
    speed_step: float,
    period: float,
) -> float:
    """Return what ros2_control's joint_limits make of a velocity; `previous` is the last command.

    `speed_step` is the change of velocity that the acceleration limit allows in a period.
    """
    least = max(-speed, (lower - position) / period)
    most = min(speed, (upper - position) / period)
    if position > upper or position < lower:
        least = most = 0.0
    least = max(least, previous - speed_step)
    most = min(most, previous + speed_step)
    if least > most:
        least, most = most, least
    return between(asked, least, most)


@register_jitable
def speed_factor(asked: Array, speeds: Array) -> float:
    """Return by what MoveIt Servo scales all joints, so that each keeps its speed limit."""
    factor = 1.0
    for j in range(len(asked)):
        if abs(asked[j]) * factor > speeds[j]:
            factor = speeds[j] / abs(asked[j])
    return factor


@register_jitable
def halts(
    velocity: float, position: float, lower: float, upper: float, margin: float, period: float
) -> bool:
    """Say whether MoveIt Servo halts a joint for where it would be after this period."""
    target = position + velocity * period
    return (velocity < 0.0 and target < lower + margin) or (
        velocity > 0.0 and target > upper - margin
    )


@register_jitable
def soft_limit(
    asked: float, position: float, lower: float, upper: float, speed: float, k: float
) -> float:
    """Return the velocity within -k (q - q_min) and k (q_max - q), each within the speed limit."""
    least = between(-k * (position - lower), -speed, speed)
    most = between(k * (upper - position), -speed, speed)
    return between(asked, least, most)
