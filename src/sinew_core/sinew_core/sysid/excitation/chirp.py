r"""Chirps: joints swing around home at a frequency that rises from end to end.

As PACE does it (arXiv 2509.06342, 20 s of rising sines on every joint). Departures: the amplitude
falls with the frequency, so that no joint exceeds its velocity or acceleration, and a smooth
envelope lets the motion start and end at rest at home:

    q(t) - home = share * e(t) * A(w(t)) * sin(phi(t)),   w = phi' rising linearly
    A(w) = 1 / (1 / reach + w / velocity + w^2 / acceleration)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.sysid.excitation.reference import Reference

_RAMP_SHARE = 0.1
"""Of the time, at either end, in which the envelope rises and falls."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChirpMotion:
    """One sweep of n joints, all at the same time.

    Attributes:
        home_rad: (n,).
        reach_rad, velocity_rad_s, acceleration_rad_s2: (n,) that the amplitude keeps below.
        share: (n,) of that amplitude; 0 for a joint that stays.
        from_hz, to_hz: frequency at the start and at the end.
        duration_s: of the sweep.
    """

    home_rad: Array
    reach_rad: Array
    velocity_rad_s: Array
    acceleration_rad_s2: Array
    share: Array
    from_hz: float
    to_hz: float
    duration_s: float

    def reference(self, rate_hz: int) -> Reference:
        """Return the samples of the sweep."""
        count = round(self.duration_s * rate_hz)
        time_s = np.arange(count + 1) / rate_hz
        n = len(self.home_rad)
        position, velocity, acceleration = (np.zeros((count + 1, n)) for _ in range(3))
        for j in range(n):
            position[:, j], velocity[:, j], acceleration[:, j] = self._joint(time_s, j)
        for end in (0, -1):
            position[end] = velocity[end] = acceleration[end] = 0.0
        return Reference(
            time_s=time_s,
            position_rad=self.home_rad + position,
            velocity_rad_s=velocity,
            acceleration_rad_s2=acceleration,
        )

    def scaled(self, share: float | Array) -> ChirpMotion:
        """Return the sweep with a share of its amplitude, for all joints or for each (n,)."""
        return self._with(share=self.share * share, duration_s=self.duration_s, slower=1.0)

    def slowed(self, factor: float, rate_hz: int) -> ChirpMotion:
        """Return the same path in at least `factor` times the time, a multiple of 1 / rate."""
        count = np.ceil(self.duration_s * factor * rate_hz - 1e-9)
        duration_s = float(count / rate_hz)
        return self._with(
            share=self.share, duration_s=duration_s, slower=duration_s / self.duration_s
        )

    def _with(self, *, share: Array, duration_s: float, slower: float) -> ChirpMotion:
        return ChirpMotion(
            home_rad=self.home_rad,
            reach_rad=self.reach_rad,
            velocity_rad_s=self.velocity_rad_s / slower,
            acceleration_rad_s2=self.acceleration_rad_s2 / slower**2,
            share=share,
            from_hz=self.from_hz / slower,
            to_hz=self.to_hz / slower,
            duration_s=duration_s,
        )

    def _joint(self, t: Array, j: int) -> tuple[Array, Array, Array]:
        """Return q - home, v and a of a joint: products of two factors and their derivatives."""
        low, high = 2.0 * np.pi * self.from_hz, 2.0 * np.pi * self.to_hz
        rise = (high - low) / self.duration_s
        w = low + rise * t
        # Neighbours start a golden part of a turn apart, so that they do not swing in step.
        phase = 2.0 * np.pi * 0.618034 * j + low * t + 0.5 * rise * t * t
        linear, square = 1.0 / self.velocity_rad_s[j], 1.0 / self.acceleration_rad_s2[j]
        amplitude = 1.0 / (1.0 / self.reach_rad[j] + linear * w + square * w * w)
        slope = (linear + 2.0 * square * w) * rise
        amplitude_1 = -(amplitude**2) * slope
        amplitude_2 = 2.0 * amplitude**3 * slope**2 - 2.0 * amplitude**2 * square * rise**2
        envelope = self.share[j] * _envelope(t, self.duration_s)
        gain, gain_1, gain_2 = _product(envelope, (amplitude, amplitude_1, amplitude_2))
        sine, cosine = np.sin(phase), np.cos(phase)
        return _product((gain, gain_1, gain_2), (sine, w * cosine, rise * cosine - w * w * sine))


Factor = tuple[Array, Array, Array]
"""A function of time (N,) with its first and second derivative."""


def _product(first: Factor, second: Factor | tuple[Array, Array, Array]) -> Factor:
    return (
        first[0] * second[0],
        first[1] * second[0] + first[0] * second[1],
        first[2] * second[0] + 2.0 * first[1] * second[1] + first[0] * second[2],
    )


def _envelope(t: Array, duration_s: float) -> Array:
    """Return (3, N): 0 at both ends with two zero derivatives, 1 in between, by quintics."""
    ramp_s = _RAMP_SHARE * duration_s
    s = np.clip(np.minimum(t, duration_s - t) / ramp_s, 0.0, 1.0)
    sign = np.where(t < 0.5 * duration_s, 1.0, -1.0) / ramp_s
    return np.array(
        [
            s**3 * (10.0 - 15.0 * s + 6.0 * s * s),
            30.0 * s**2 * (1.0 - s) ** 2 * sign,
            60.0 * s * (1.0 - s) * (1.0 - 2.0 * s) * sign * sign,
        ]
    )
