"""How smoothly an arm moves: by the same measure in the environment, over the graph and on an arm.

It is the RMS of the joints' jerk, from the joint velocities of the control ticks, which every one
of them has at the same rate. Lower is smoother. Noise of the sensors adds to it: that of s rad/s at
ticks T seconds apart some s·√6 / T² rad/s³.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_LEAST_TICKS = 3


def jerk_rms(time_s: FloatArray, velocity_rad_s: FloatArray) -> float | None:
    """Return the RMS jerk in rad/s³ over all joints, None for fewer than three ticks.

    Each three consecutive ticks give the second difference of the velocities at their own times;
    at equal distances T that is (v₀ - 2 v₁ + v₂) / T².

    Args:
        time_s: (ticks,), increasing.
        velocity_rad_s: (ticks, n).
    """
    if time_s.size < _LEAST_TICKS:
        return None
    steps = np.diff(time_s)[:, np.newaxis]
    acceleration = np.diff(velocity_rad_s, axis=0) / steps
    jerk = np.diff(acceleration, axis=0) / (0.5 * (steps[1:] + steps[:-1]))
    return float(np.sqrt(np.mean(np.square(jerk))))


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are known, None without any."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
