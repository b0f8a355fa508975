"""What a planned motion may use: a share of what the safety filter lets pass, and of the motors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots.arrays import Array, frozen_array
from sinew_core.robots.model import RobotModel
from sinew_core.safety import equations as eq
from sinew_core.safety.certified_constants import (
    certified_position_constants,
    certified_velocity_constants,
)
from sinew_core.safety.certified_equations import JERK_STEP
from sinew_core.safety.constants import effort_constants
from sinew_core.safety.parameters import SafetyParameters

_STEADY = 5
"""Row of `effort_constants` with the acceleration that a joint may always have."""
_FIELDS = (
    "lower_rad", "upper_rad", "velocity_rad_s", "acceleration_rad_s2", "jerk_rad_s3", "effort_nm",
    "effort_rate_nm_s",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionLimits:
    """Bounds of n joints, each (n,); all but the positions are symmetric."""

    lower_rad: Array
    upper_rad: Array
    velocity_rad_s: Array
    acceleration_rad_s2: Array
    jerk_rad_s3: Array
    effort_nm: Array
    effort_rate_nm_s: Array

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        for field in _FIELDS:
            object.__setattr__(self, field, frozen_array(getattr(self, field)))

    def stops_rad(self, position_rad: Array, velocity_rad_s: Array) -> Array:
        """Return where each joint would come to rest (N, n) if it braked: all of them by itself.

        Joints that stop at different times leave the path, and the filter asks for room there.
        """
        way = velocity_rad_s**2 / (2.0 * self.acceleration_rad_s2) + np.abs(velocity_rad_s) * (
            self.acceleration_rad_s2 / (2.0 * self.jerk_rad_s3)
        )
        stops: Array = position_rad + np.sign(velocity_rad_s) * way
        return stops


def motion_limits(
    mode: str, robot: RobotModel, safety: SafetyParameters, period_s: float, share: float
) -> MotionLimits:
    """Return `share` of what a filter of a mode allows, from the constants that it runs with.

    Positions stay so far inside that what the filter cannot know of them (noise, latency) does
    not make it slow the motion down.

    Raises:
        ConfigError: as the filter, or when home is not inside.
    """
    limits = robot.limits
    if mode == "joint_effort":
        rows, _ = effort_constants(limits, safety, period_s, gravity_compensation=True)
        lower, upper, speed, hardest = (rows[i] for i in (eq.LOWER, eq.UPPER, eq.SPEED, _STEADY))
        jerk = limits.jerk_rad_s3 * safety.jerk_scale
    else:
        velocities = mode == "joint_velocity"
        constants = certified_velocity_constants if velocities else certified_position_constants
        rows, _ = constants(limits, safety, period_s)
        lower, upper, speed = rows[eq.LOWER], rows[eq.UPPER], rows[eq.SPEED]
        hardest = rows[eq.DECELERATION]
        jerk = np.array(rows[JERK_STEP]) / period_s**2
    velocity = share * np.array(speed)
    reserve = 2.0 * safety.noise_rad + velocity * period_s * (safety.max_latency_periods + 1)
    inside = MotionLimits(
        lower_rad=np.array(lower) + reserve,
        upper_rad=np.array(upper) - reserve,
        velocity_rad_s=velocity,
        acceleration_rad_s2=share * np.array(hardest),
        jerk_rad_s3=share * np.array(jerk),
        effort_nm=share * limits.effort_nm,
        effort_rate_nm_s=share * limits.effort_rate_nm_s,
    )
    _require_home(robot, inside)
    return inside


def _require_home(robot: RobotModel, inside: MotionLimits) -> None:
    for joint, q, low, high in zip(
        robot.joint_names, robot.home_rad, inside.lower_rad, inside.upper_rad, strict=True
    ):
        if not low < q < high:
            raise ConfigError(
                f"home_rad of {joint} is {q:g}: a motion around it needs it between {low:g} and "
                f"{high:g}: change home_rad, or lower safety.margin_rad or "
                "safety.max_latency_periods"
            )
