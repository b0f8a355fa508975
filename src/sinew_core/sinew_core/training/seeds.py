"""The seeds of every episode of a run, in streams that never meet."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sinew_core.algorithms.state import (
    Array,
    State,
    generator_state,
    joined,
    part,
    restore_generator,
)

_TRAINING, _QUICK, _FRESH, _ASKED, _DYNAMICS = range(5)
_STREAM = 0x7EA1
"""Keeps a run's episodes apart from those of the evaluation that follows it with the same seed."""


class Seeds:
    """Hands out seeds; equal runs get equal ones in equal order.

    Attributes:
        episodes: training episodes that got one.
    """

    def __init__(self, seed: int) -> None:
        """Start every stream from `seed`."""
        self._training, self._quick, self._fresh = (
            np.random.default_rng([seed, _STREAM, stream]) for stream in (_TRAINING, _QUICK, _FRESH)
        )
        self.episodes = 0

    def training(self, count: int) -> list[int]:
        """Return seeds of training episodes, never the same twice."""
        self.episodes += count
        return _draw(self._training, count)

    def quick(self, count: int) -> list[int]:
        """Return seeds of a quick evaluation."""
        return _draw(self._quick, count)

    def fresh(self, count: int) -> list[int]:
        """Return seeds of a confirmation, apart from all that chose the policy."""
        return _draw(self._fresh, count)

    @staticmethod
    def asked(seed: int, count: int) -> list[int]:
        """Return the seeds of an evaluation on request, always the same, which no stream has."""
        return _draw(np.random.default_rng([seed, _STREAM, _ASKED]), count)

    def state(self) -> State:
        """Return how far every stream has come."""
        streams = joined(**{name: generator_state(rng) for name, rng in self._streams().items()})
        return {**streams, "episodes": np.array(self.episodes)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, rng in self._streams().items():
            restore_generator(rng, part(state, name))
        self.episodes = int(state["episodes"])

    def _streams(self) -> dict[str, np.random.Generator]:
        return {"training": self._training, "quick": self._quick, "fresh": self._fresh}


def dynamics_seed(run_seed: int, episode: int, every_episodes: int) -> int:
    """Return the seed of the arm's dynamics in a training episode, the first one being 0.

    It depends on nothing but these, so that any worker may run any episode, and a resumed run goes
    on with the same arms.
    """
    words = [run_seed, _STREAM, _DYNAMICS, episode // every_episodes]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _draw(rng: np.random.Generator, count: int) -> list[int]:
    return [int(seed) for seed in rng.integers(2**63, size=count)]
