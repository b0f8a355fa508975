"""Continuous observations as the states of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import ConfigError

Vector = NDArray[np.floating]


class Discretiser:
    """Uniform bins over chosen components of an observation, numbered as one state.

    What lies beyond an edge counts to the outermost bin.
    """

    def __init__(
        self,
        lower: Sequence[float],
        upper: Sequence[float],
        bins: Sequence[int],
        components: Sequence[int] | None = None,
    ) -> None:
        """Divide each component's range.

        Args:
            lower: (c,) lower edge of each component, in its own unit.
            upper: (c,) upper edge.
            bins: (c,) how many each range is divided into.
            components: (c,) which of the observation's they are; None for the first c.

        Raises:
            ConfigError: for lengths that differ, empty ranges, or bins below 1.
        """
        count = len(bins)
        chosen = range(count) if components is None else components
        if not count or not len(lower) == len(upper) == len(chosen) == count:
            raise ConfigError(
                f"discretiser: {len(lower)} lower, {len(upper)} upper, {count} bins and "
                f"{len(chosen)} components: give as many of each, at least one"
            )
        for index, (low, high, divisions) in enumerate(zip(lower, upper, bins, strict=True)):
            if not (np.isfinite([low, high]).all() and low < high):
                raise ConfigError(
                    f"discretiser: range {index} is {low} to {high}: give finite edges in order"
                )
            if divisions < 1:
                raise ConfigError(f"discretiser: bins[{index}] is {divisions}: allowed 1 or more")
        if min(chosen) < 0 or len(set(chosen)) != count:
            raise ConfigError(
                f"discretiser: components {list(chosen)}: name each once, counted from 0"
            )
        self.shape = tuple(int(b) for b in bins)
        self.n_states = int(np.prod(self.shape))
        self._components = np.array(chosen, dtype=np.int64)
        self._lower = np.array(lower, dtype=np.float64)
        self._width = (np.array(upper, dtype=np.float64) - self._lower) / self.shape

    def __call__(self, observation: Vector) -> int:
        """Return the state, from 0 to n_states - 1, of an observation (size,).

        Raises:
            ConfigError: for an observation that lacks a component, or holds a NaN there.
        """
        largest = int(self._components.max())
        if observation.ndim != 1 or len(observation) <= largest:
            raise ConfigError(
                f"discretiser: an observation of shape {observation.shape} has no component "
                f"{largest}: choose among its components"
            )
        values = observation[self._components]
        if np.isnan(values).any():
            raise ConfigError(f"discretiser: the observation holds {values}: NaN is in no bin")
        scaled = (values - self._lower) / self._width
        bins = np.clip(np.floor(scaled), 0, np.array(self.shape) - 1).astype(np.int64)
        return int(np.ravel_multi_index(tuple(bins), self.shape))

    def centre(self, state: int) -> NDArray[np.float64]:
        """Return the centre (c,) of a state's bins, which `__call__` takes back to the state.

        Raises:
            ConfigError: for a state that there is not.
        """
        if not 0 <= state < self.n_states:
            raise ConfigError(f"discretiser: state {state}: allowed 0 to {self.n_states - 1}")
        bins = np.array(np.unravel_index(state, self.shape), dtype=np.float64)
        centre: NDArray[np.float64] = self._lower + (bins + 0.5) * self._width
        return centre
