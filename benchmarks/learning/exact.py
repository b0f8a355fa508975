"""The exact solution of a tabular environment, beside which Q-learning is judged."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-9


def value_iteration(env: gymnasium.Env[Any, Any], gamma: float) -> NDArray[np.int64]:
    """Return the optimal action of each state, (n_states,), from the table of transitions.

    Source: Sutton & Barto 2018, section 4.4, all states at once.
    """
    table: dict[int, dict[int, list[tuple[float, int, float, bool]]]] = env.unwrapped.P  # type: ignore[attr-defined]  # of the toy texts
    states, actions = len(table), len(table[0])
    reward = np.zeros((states, actions))
    follows = np.zeros((states, actions, states))
    for state, action in np.ndindex(states, actions):
        for probability, next_state, gain, terminated in table[state][action]:
            reward[state, action] += probability * gain
            follows[state, action, next_state] += 0.0 if terminated else probability
    value = np.zeros(states)
    while True:
        q = reward + gamma * follows @ value
        change, value = float(np.abs(q.max(1) - value).max()), q.max(1)
        if change < TOLERANCE:
            best: NDArray[np.int64] = q.argmax(1)
            return best
