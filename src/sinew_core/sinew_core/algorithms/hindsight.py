"""Hindsight experience replay (Andrychowicz et al. 2017) where there is a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.replay import Motions, Replay

Float = NDArray[np.float32]
Relabel = Callable[[Float, Float, Float], Float]
GoalReward = Callable[[Float, Float, Float], NDArray[np.floating]]


class HindsightSampler:
    """Draws batches in which a share of the transitions is judged by a target reached later.

    Departures from the paper: the reward may be dense, its goal-independent part is kept, and the
    flag `terminated` is kept too, because training episodes do not end on success. Where sensors
    are noisy, targets and rewards are by the truth, and observations show what the sensors say, as
    those of any other transition.
    """

    def __init__(
        self,
        *,
        fraction: float,
        relabel: Relabel,
        goal_reward: GoalReward,
    ) -> None:
        """Relabel a `fraction` of each batch.

        Args:
            fraction: share of relabelled transitions, 0 to 1.
            relabel: (observation, seen_goal, target) -> observation, as `ObservationBuilder`.
            goal_reward: (achieved_goal, joint_velocity, target) -> reward (batch,), as `Task`.
        """
        self._fraction = fraction
        self._relabel = relabel
        self._goal_reward = goal_reward

    def sample(self, replay: Replay[Motions], batch_size: int, rng: np.random.Generator) -> Motions:
        """Return a batch whose first `fraction` is relabelled."""
        index = replay.sample(batch_size, rng)
        batch = replay.take(index)
        count = round(self._fraction * batch_size)
        if not count:
            return batch
        target = replay.future_achieved_goals(index[:count], rng)
        return replace(
            batch,
            observation=_head(
                batch.observation,
                self._relabel(batch.observation[:count], batch.seen_goal[:count], target),
            ),
            next_observation=_head(
                batch.next_observation,
                self._relabel(batch.next_observation[:count], batch.next_seen_goal[:count], target),
            ),
            reward=_head(
                batch.reward,
                batch.reward_rest[:count]
                + self._goal_reward(
                    batch.next_achieved_goal[:count], batch.next_joint_velocity[:count], target
                ),
            ),
        )


def _head(values: Float, head: NDArray[np.floating]) -> Float:
    """Write `head` over the first rows of `values`, which is this batch's own copy."""
    values[: len(head)] = head
    return values
