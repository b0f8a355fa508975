"""A motion that an arm is to follow, sampled at the control rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.robots.arrays import Array, frozen_array


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """N samples of n joints, one control period apart, at rest at both ends.

    Attributes:
        time_s: (N,) from 0.
        position_rad, velocity_rad_s, acceleration_rad_s2: (N, n).
    """

    time_s: Array
    position_rad: Array
    velocity_rad_s: Array
    acceleration_rad_s2: Array

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        for field in ("time_s", "position_rad", "velocity_rad_s", "acceleration_rad_s2"):
            object.__setattr__(self, field, frozen_array(getattr(self, field)))

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the last."""
        return float(self.time_s[-1])

    @classmethod
    def resting(cls, position_rad: Array, duration_s: float, rate_hz: int) -> Reference:
        """Return a stay at (n,) rad, of at least one period."""
        samples = max(round(duration_s * rate_hz), 1) + 1
        still = np.zeros((samples, len(position_rad)))
        return cls(
            time_s=np.arange(samples) / rate_hz,
            position_rad=still + position_rad,
            velocity_rad_s=still,
            acceleration_rad_s2=still,
        )


def joined(parts: Sequence[Reference], rate_hz: int) -> Reference:
    """Return one motion after the other; each begins where, and as, the one before ends."""
    kept = [parts[0], *(_without_first(part) for part in parts[1:])]
    rows = sum(len(part.time_s) for part in kept)
    return Reference(
        time_s=np.arange(rows) / rate_hz,
        position_rad=np.vstack([part.position_rad for part in kept]),
        velocity_rad_s=np.vstack([part.velocity_rad_s for part in kept]),
        acceleration_rad_s2=np.vstack([part.acceleration_rad_s2 for part in kept]),
    )


def _without_first(part: Reference) -> Reference:
    return Reference(
        time_s=part.time_s[1:],
        position_rad=part.position_rad[1:],
        velocity_rad_s=part.velocity_rad_s[1:],
        acceleration_rad_s2=part.acceleration_rad_s2[1:],
    )
