"""What the on-policy algorithms learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.replay import Transitions

Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """Steps of whole episodes laid end to end.

    Shapes: observations (time, size), `action` (time, n) as drawn, before clipping, or (time, 1)
    with the index of a discrete one, all others (time,).
    """

    observation: Float
    action: Float
    reward: Float
    next_observation: Float
    terminated: NDArray[np.bool_]
    episode_ends: NDArray[np.bool_]

    @classmethod
    def of(cls, episodes: Sequence[Transitions]) -> Steps:
        """Lay episodes end to end."""
        ends = [np.arange(len(e.reward)) == len(e.reward) - 1 for e in episodes]
        return cls(
            observation=np.concatenate([e.observation for e in episodes]),
            action=np.concatenate([e.action for e in episodes]),
            reward=np.concatenate([e.reward for e in episodes]),
            next_observation=np.concatenate([e.next_observation for e in episodes]),
            terminated=np.concatenate([e.terminated for e in episodes]) > 0,
            episode_ends=np.concatenate(ends),
        )
