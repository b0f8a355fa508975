"""The position drive of a simulated arm, which the environment and the driver share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinew_core.robots.limits import JointLimits

FloatArray = NDArray[np.float64]


class PositionDrive:
    """An ideal drive: it arrives at the position sent by the end of the period.

    Over a period it holds the velocity that takes it there from where it is measured, clipped to
    the velocity limits. What the engine's efforts cannot follow is made up for in the next period.
    """

    def __init__(self, limits: JointLimits, period_s: float) -> None:
        """Prepare for one arm, whose position is measured every `period_s`."""
        self._period_s = period_s
        self._highest = np.array(limits.velocity_rad_s)
        self._lowest = -self._highest
        self._velocity = np.zeros(self._highest.size)

    def velocity(self, sent: FloatArray, measured: FloatArray) -> FloatArray:
        """Return the velocity (n,) rad/s to hold, an array used again; positions (n,) rad."""
        velocity = self._velocity
        np.subtract(sent, measured, out=velocity)
        np.divide(velocity, self._period_s, out=velocity)
        np.minimum(velocity, self._highest, out=velocity)
        np.maximum(velocity, self._lowest, out=velocity)
        return velocity
