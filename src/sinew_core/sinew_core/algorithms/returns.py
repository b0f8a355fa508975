"""Returns and advantages of whole episodes laid end to end.

Everywhere `next_values` holds V of each step's own next observation. Where `terminated`, the future
is worth nothing; where an episode merely ends (`episode_ends`, terminated or truncated), what
follows belongs to another episode, but V of the observation that it stopped at still counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def discounted_returns(
    rewards: Array,
    next_values: Array,
    terminated: NDArray[np.bool_],
    episode_ends: NDArray[np.bool_],
    *,
    gamma: float,
) -> Array:
    """Return the return-to-go (time,): the discounted rewards from each step to its episode's end.

    Where the episode was truncated, V of the observation it stopped at stands for the rest.
    """
    returns = np.empty_like(rewards)
    future = 0.0
    for step in range(len(rewards) - 1, -1, -1):
        if episode_ends[step]:
            future = 0.0 if terminated[step] else float(next_values[step])
        future = float(rewards[step]) + gamma * future
        returns[step] = future
    return returns


def n_step_returns(
    rewards: Array,
    next_values: Array,
    terminated: NDArray[np.bool_],
    episode_ends: NDArray[np.bool_],
    *,
    gamma: float,
    n: int,
) -> Array:
    """Return r + gamma r' + ... + gamma^n V (time,), of n rewards or as many as the episode has.

    Source: Mnih et al. 2016, section 4, with one length n for all steps of an episode but the last.
    """
    bootstrapped = next_values * ~terminated
    ends = episode_ends.copy()
    ends[-1] = True
    returns = rewards + gamma * bootstrapped
    for _ in range(n - 1):
        returns = rewards + gamma * np.where(ends, bootstrapped, np.roll(returns, -1))
    result: Array = returns.astype(rewards.dtype)
    return result


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
    """Return the advantage (time,) of each step (Schulman et al. 2016, equation 16)."""
    deltas = rewards + gamma * next_values * ~terminated - values
    advantages = np.empty_like(deltas)
    trace = 0.0
    for step in range(len(deltas) - 1, -1, -1):
        trace = float(deltas[step]) + (0.0 if episode_ends[step] else gamma * lam * trace)
        advantages[step] = trace
    return advantages
