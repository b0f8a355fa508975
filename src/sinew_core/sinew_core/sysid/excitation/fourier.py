r"""Finite Fourier series that start and end at rest at home.

J. Swevers et al., Optimal robot excitation and identification, IEEE Trans. Robotics and Automation
13(5), 1997: with w = 2 pi / period and H harmonics each joint moves by

    q(t) - home = sum_l a_l / (w l) sin(w l t) + b_l / (w l) (1 - cos(w l t))
    v(t)        = sum_l a_l cos(w l t) + b_l sin(w l t)

Departures: the constant is chosen so that q(0) is home, and the coefficients keep sum a_l = 0 and
sum l b_l = 0, so that velocity and acceleration are zero at both ends of a period. What is left,
2 H - 2 numbers a joint, are coordinates along an orthonormal basis; the path does not depend on the
period, only its speed does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.sysid.excitation.reference import Reference

MIN_HARMONICS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class FourierMotion:
    """One period of the motion of n joints.

    Attributes:
        home_rad: (n,).
        coordinates: (2 H - 2, n), in rad; see `coordinate_count`.
        period_s: of the slowest harmonic.
    """

    home_rad: Array
    coordinates: Array
    period_s: float

    def sampled(self, time_s: Array) -> tuple[Array, Array, Array]:
        """Return positions, velocities and accelerations (N, n) at times (N,) s."""
        harmonics = self.coordinates.shape[0] // 2 + 1
        shapes = fourier_shapes(time_s / self.period_s, harmonics)
        position, velocity, acceleration = (shape @ self.coordinates for shape in shapes)
        return (
            self.home_rad + position,
            velocity / self.period_s,
            acceleration / self.period_s**2,
        )

    def reference(self, rate_hz: int) -> Reference:
        """Return the samples of one period, which is a multiple of 1 / rate."""
        count = round(self.period_s * rate_hz)
        time_s = np.arange(count + 1) / rate_hz
        position, velocity, acceleration = self.sampled(time_s)
        # Rounding of sines and cosines must not ask for the last bit of a motion at rest.
        for end in (0, -1):
            position[end] = self.home_rad
            velocity[end] = acceleration[end] = 0.0
        return Reference(
            time_s=time_s,
            position_rad=position,
            velocity_rad_s=velocity,
            acceleration_rad_s2=acceleration,
        )

    def scaled(self, share: float | Array) -> FourierMotion:
        """Return the motion with a share of its amplitude, for all joints or for each (n,)."""
        return FourierMotion(
            home_rad=self.home_rad, coordinates=self.coordinates * share, period_s=self.period_s
        )

    def slowed(self, factor: float, rate_hz: int) -> FourierMotion:
        """Return the same path in at least `factor` times the time, a multiple of 1 / rate."""
        count = np.ceil(self.period_s * factor * rate_hz - 1e-9)
        return FourierMotion(
            home_rad=self.home_rad, coordinates=self.coordinates, period_s=float(count / rate_hz)
        )


def coordinate_count(harmonics: int) -> int:
    """Return how many numbers a joint has with H harmonics."""
    return 2 * harmonics - 2


def fourier_shapes(phase: Array, harmonics: int) -> tuple[Array, Array, Array]:
    """Return what each coordinate does at phases (N,) of a period: three arrays (N, 2 H - 2).

    They are the position, and its first and second derivative by the phase.
    """
    order = 2.0 * np.pi * np.arange(1, harmonics + 1)
    angle = np.outer(phase, order)
    sines, cosines = np.sin(angle), np.cos(angle)
    # In the phase w is 2 pi, and coefficients are in rad.
    position = np.hstack([sines / order, (1.0 - cosines) / order])
    velocity = np.hstack([cosines, sines])
    acceleration = np.hstack([-sines * order, cosines * order])
    basis = _resting_basis(harmonics)
    return position @ basis, velocity @ basis, acceleration @ basis


def _resting_basis(harmonics: int) -> Array:
    """Return (2 H, 2 H - 2): an orthonormal basis of the coefficients that rest at both ends."""
    basis = np.zeros((2 * harmonics, coordinate_count(harmonics)))
    order = np.arange(1.0, harmonics + 1.0)
    for half, normal in enumerate((np.ones(harmonics), order)):
        # A Householder reflection takes the first axis to the normal; the others span its rest.
        unit = normal / np.linalg.norm(normal)
        mirror = unit - np.eye(harmonics)[0]
        reflection = np.eye(harmonics) - 2.0 * np.outer(mirror, mirror) / (mirror @ mirror)
        rows = slice(half * harmonics, (half + 1) * harmonics)
        basis[rows, half * (harmonics - 1) : (half + 1) * (harmonics - 1)] = reflection[:, 1:]
    return basis
