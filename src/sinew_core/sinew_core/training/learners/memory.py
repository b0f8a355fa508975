"""What an off-policy learner remembers, and how it draws from that."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sinew_core.algorithms.hindsight import HindsightSampler
from sinew_core.algorithms.parameters.off_policy import OffPolicyParameters
from sinew_core.algorithms.replay import Motions, Replay, Transitions
from sinew_core.training.learners.learner import History
from sinew_core.training.learners.problem import Problem


class Memory(Protocol):
    """A replay memory and the way of drawing from it."""

    @property
    def replay(self) -> History:
        """What is remembered."""

    def remember(self, episode: Transitions) -> None:
        """Add one episode in order of time."""

    def sample(self, batch_size: int, rng: np.random.Generator) -> Transitions:
        """Draw a batch."""


class PlainMemory:
    """Draws transitions as they were."""

    def __init__(self, capacity: int) -> None:
        """Start empty."""
        self.replay = Replay(Transitions, capacity)

    def remember(self, episode: Transitions) -> None:
        """Add one episode in order of time."""
        self.replay.add_episode(episode)

    def sample(self, batch_size: int, rng: np.random.Generator) -> Transitions:
        """Draw a batch."""
        return self.replay.take(self.replay.sample(batch_size, rng))


class HindsightMemory:
    """Draws transitions of which a share is judged by a target reached later."""

    def __init__(self, capacity: int, sampler: HindsightSampler) -> None:
        """Start empty."""
        self.replay = Replay(Motions, capacity)
        self._sampler = sampler

    def remember(self, episode: Transitions) -> None:
        """Add one episode in order of time, which says where the tool was."""
        assert isinstance(episode, Motions)
        self.replay.add_episode(episode)

    def sample(self, batch_size: int, rng: np.random.Generator) -> Transitions:
        """Draw a batch."""
        return self._sampler.sample(self.replay, batch_size, rng)


def make_memory(problem: Problem, parameters: OffPolicyParameters) -> Memory:
    """Return a memory with hindsight where the problem has a target."""
    hindsight = problem.hindsight
    if hindsight is None:
        return PlainMemory(parameters.replay_capacity)
    sampler = HindsightSampler(
        fraction=parameters.hindsight_fraction,
        relabel=hindsight.relabel,
        goal_reward=hindsight.goal_reward,
    )
    return HindsightMemory(parameters.replay_capacity, sampler)
