"""How far, how fast and how hard a recorded motion moved each joint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sinew_core.bags.recording import Recording
from sinew_core.robots.arrays import Array
from sinew_core.robots.limits import JointLimits
from sinew_core.sysid.motion import segments, smooth_derivative


@dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """Of n joints: what was reached, and which share of what its limits allow.

    Attributes:
        low_rad, high_rad: (n,) least and largest position.
        speed_rad_s: (n,) largest speed.
        acceleration_rad_s2: (n,) 99 % of all accelerations are below it.
        reversals: (n,) changes of direction, where Coulomb friction shows.
        shares: (n, 3) of the position range, the speed and the acceleration limit.
    """

    low_rad: Array
    high_rad: Array
    speed_rad_s: Array
    acceleration_rad_s2: Array
    reversals: Array
    shares: Array


def coverage_of(recording: Recording, limits: JointLimits) -> Coverage:
    """Return how much of what is allowed a motion used."""
    q = recording.position_rad
    speeds, accelerations, reversals = [], [], np.zeros(q.shape[1])
    for piece in segments(recording):
        time_s = recording.time_s[piece]
        speed = smooth_derivative(q[piece], time_s, 1)
        speeds.append(speed)
        accelerations.append(np.abs(smooth_derivative(q[piece], time_s, 2)))
        reversals += _reversals(speed, limits.velocity_rad_s)
    nothing = np.zeros((1, q.shape[1]))
    speed = np.max(np.abs(np.concatenate(speeds or [nothing])), axis=0)
    acceleration = np.percentile(np.concatenate(accelerations or [nothing]), 99.0, axis=0)
    low, high = q.min(axis=0), q.max(axis=0)
    shares = np.stack(
        [
            (high - low) / (limits.position_upper_rad - limits.position_lower_rad),
            speed / limits.velocity_rad_s,
            acceleration / limits.acceleration_rad_s2,
        ],
        axis=1,
    )
    return Coverage(
        low_rad=low,
        high_rad=high,
        speed_rad_s=speed,
        acceleration_rad_s2=acceleration,
        reversals=reversals,
        shares=shares,
    )


def _reversals(speed: Array, limit: Array) -> Array:
    """Count the changes (n,) between directions, each faster than a hundredth of the limit."""
    counts = np.zeros(speed.shape[1])
    for j in range(speed.shape[1]):
        moving = speed[np.abs(speed[:, j]) > 0.01 * limit[j], j]
        counts[j] = np.count_nonzero(np.diff(np.sign(moving)))
    return counts
