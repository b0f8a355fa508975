"""The noise of an arm's sensors, which environment and driver share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinew_core.robots.arm_dynamics import NOISE_SIGMAS, ArmDynamics

FloatArray = NDArray[np.float64]


class SensorNoise:
    """Normal noise on measured positions and velocities, cut off at `NOISE_SIGMAS`.

    A position may be older than its stamp, too: by an age that is drawn for each state.
    """

    def __init__(self, dynamics: ArmDynamics) -> None:
        """Take the deviations of a copy of the arm."""
        self._position_rad = dynamics.position_noise_rad
        self._velocity_rad_s = dynamics.velocity_noise_rad_s
        self._oldest_s = dynamics.state_jitter_s

    def add(self, position: FloatArray, velocity: FloatArray, rng: np.random.Generator) -> None:
        """Add it in place to (n,) rad and (n,) rad/s; where there is none, nothing is drawn."""
        if self._oldest_s:
            # Within so short a time no acceleration of an arm shows.
            position -= self._oldest_s * rng.random() * velocity
        for values, deviation in ((position, self._position_rad), (velocity, self._velocity_rad_s)):
            if deviation:
                noise = rng.standard_normal(values.size)
                values += deviation * np.clip(noise, -NOISE_SIGMAS, NOISE_SIGMAS)
