"""Exploration noise for actions in [-1, 1], and schedules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LinearSchedule:
    """A value that moves linearly from `start` to `end` over `steps`, then stays."""

    start: float
    end: float
    steps: int

    def __call__(self, step: int) -> float:
        """Return the value at `step`."""
        fraction = min(max(step / self.steps, 0.0), 1.0) if self.steps > 0 else 1.0
        return self.start + fraction * (self.end - self.start)


@dataclass(frozen=True, kw_only=True)
class ExponentialSchedule:
    """A value that moves from `start` to `end` by an equal factor in each of `steps`, then stays.

    The decay of 1 to 0.01 by 0.995 takes ln(0.01) / ln(0.995) = 919 steps.
    """

    start: float
    end: float
    steps: int

    def __call__(self, step: int) -> float:
        """Return the value at `step`; both ends are positive."""
        fraction = min(max(step / self.steps, 0.0), 1.0) if self.steps > 0 else 1.0
        if fraction == 1.0:
            return self.end
        return self.start * float((self.end / self.start) ** fraction)


SCHEDULES: dict[str, type[LinearSchedule] | type[ExponentialSchedule]] = {
    "linear": LinearSchedule,
    "exponential": ExponentialSchedule,
}
"""Schedules by the names that parameters choose from."""


class GaussianNoise:
    """Independent normal noise with a standard deviation for each action."""

    def __init__(self, sigma: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw from `rng` with standard deviations `sigma` (n,)."""
        self._sigma = sigma
        self._rng = rng

    def reset(self) -> None:
        """Start an episode; independent noise has nothing to forget."""

    def sample(self) -> NDArray[np.float64]:
        """Return noise (n,)."""
        return self._sigma * self._rng.standard_normal(self._sigma.shape)


class OrnsteinUhlenbeckNoise:
    """Noise that wanders around zero, x' = x - theta x + sigma N(0, 1), and forgets at each reset.

    Source: Lillicrap et al. 2016, section 7, one control period being the unit of time. `sigma` is
    the size of one kick; the standing deviation is sigma / sqrt(1 - (1 - theta)^2).
    """

    def __init__(
        self, sigma: NDArray[np.float64], rng: np.random.Generator, theta: float = 0.15
    ) -> None:
        """Draw from `rng` with kicks `sigma` (n,) and pull `theta` towards zero."""
        self._sigma = sigma
        self._rng = rng
        self._theta = theta
        self._state = np.zeros_like(sigma)

    def reset(self) -> None:
        """Start an episode at zero."""
        self._state = np.zeros_like(self._sigma)

    def sample(self) -> NDArray[np.float64]:
        """Return the next noise (n,)."""
        kick = self._sigma * self._rng.standard_normal(self._sigma.shape)
        self._state = self._state * (1.0 - self._theta) + kick
        return np.array(self._state)
