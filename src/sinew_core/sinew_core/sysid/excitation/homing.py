"""The way from wherever an arm is to the start of a plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.excitation.reference import Reference

_PEAK_SPEED, _PEAK_ACCELERATION = 1.875, 5.7735
"""Of the minimum-jerk profile, over distance / time and distance / time squared."""
_ACCELERATION_SHARE = 0.1
"""Of the acceleration limits: home is approached gently."""


def way_home(
    robot: RobotModel, start_rad: Sequence[float], *, speed_rad_s: float, rate_hz: int
) -> Reference:
    """Return a straight line in joint space from (n,) rad to home, at rest at both ends.

    T. Flash and N. Hogan 1985: q = start + distance (10 s^3 - 15 s^4 + 6 s^5), s = t / duration.
    No joint is faster than `speed_rad_s`.
    """
    start = np.array(start_rad)
    distance = robot.home_rad - start
    hardest = _ACCELERATION_SHARE * robot.limits.acceleration_rad_s2
    fastest = np.minimum(speed_rad_s, robot.limits.velocity_rad_s)
    duration_s = max(
        float((_PEAK_SPEED * np.abs(distance) / fastest).max()),
        float(np.sqrt(_PEAK_ACCELERATION * np.abs(distance) / hardest).max()),
        1.0 / rate_hz,
    )
    count = int(np.ceil(duration_s * rate_hz))
    s = np.arange(count + 1) / count
    lasts_s = count / rate_hz
    return Reference(
        time_s=np.arange(count + 1) / rate_hz,
        position_rad=start + _scaled(s**3 * (10.0 - 15.0 * s + 6.0 * s**2), distance),
        velocity_rad_s=_scaled(30.0 * s**2 * (1.0 - s) ** 2, distance) / lasts_s,
        acceleration_rad_s2=_scaled(60.0 * s * (1.0 - s) * (1.0 - 2.0 * s), distance) / lasts_s**2,
    )


def _scaled(profile: Array, distance: Array) -> Array:
    return profile[:, None] * distance
