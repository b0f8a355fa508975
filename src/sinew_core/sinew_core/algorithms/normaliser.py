"""Running mean and deviation of observations, which become part of the exported actor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.device import to_device
from sinew_core.algorithms.state import Array, State

MINIMUM_DEVIATION = 1e-3


class Normaliser:
    """Mean and deviation of everything seen, merged batch by batch (Chan et al. 1983)."""

    def __init__(self, size: int) -> None:
        """Start as the identity: mean 0, deviation 1."""
        self._count = 0
        self._mean = np.zeros(size)
        self._squares = np.zeros(size)
        self.mean = np.zeros(size, dtype=np.float32)
        self.std = np.ones(size, dtype=np.float32)

    def update(self, observation: NDArray[np.float32]) -> None:
        """Merge observations (batch, size)."""
        batch = observation.astype(np.float64)
        count, mean = len(batch), batch.mean(0)
        difference, total = mean - self._mean, self._count + count
        self._squares += batch.var(0) * count + difference**2 * self._count * count / total
        self._mean += difference * count / total
        self._count = total
        self._round()

    def __call__(self, observation: Tensor) -> Tensor:
        """Return (observation - mean) / std (batch, size)."""
        device = observation.device
        return (observation - to_device(self.mean, device)) / to_device(self.std, device)

    def state(self) -> State:
        """Return the statistics."""
        return {
            "count": np.array(self._count),
            "mean": self._mean.copy(),
            "squares": self._squares.copy(),
        }

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over statistics."""
        self._count = int(state["count"])
        self._mean = np.array(state["mean"], dtype=np.float64)
        self._squares = np.array(state["squares"], dtype=np.float64)
        if self._count:
            self._round()

    def _round(self) -> None:
        self.mean = self._mean.astype(np.float32)
        deviation = np.sqrt(self._squares / self._count)
        self.std = np.maximum(deviation, MINIMUM_DEVIATION).astype(np.float32)
