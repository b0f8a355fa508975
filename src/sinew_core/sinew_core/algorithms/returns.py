"""Generalised advantage estimation (Schulman et al. 2016, equation 16)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def generalised_advantages(
    rewards: Array,
    values: Array,
    next_values: Array,
    terminated: NDArray[np.bool_],
    episode_ends: NDArray[np.bool_],
    *,
    gamma: float,
    lam: float,
) -> Array:
    """Return the advantage (time,) of each step of one or more episodes laid end to end.

    `next_values` holds V of each step's own next observation. Where `terminated`, the future is
    worth nothing; where an episode merely ends (`episode_ends`, terminated or truncated), the trace
    stops, but the value of the observation it stopped at still counts.
    """
    deltas = rewards + gamma * next_values * ~terminated - values
    advantages = np.empty_like(deltas)
    trace = 0.0
    for step in range(len(deltas) - 1, -1, -1):
        trace = float(deltas[step]) + (0.0 if episode_ends[step] else gamma * lam * trace)
        advantages[step] = trace
    return advantages
