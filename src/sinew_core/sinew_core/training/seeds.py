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

_TRAINING, _QUICK, _FRESH, _ASKED = range(4)
_STREAM = 0x7EA1
"""Keeps a run's episodes apart from those of the evaluation that follows it with the same seed."""


class Seeds:
    """Hands out seeds; equal runs get equal ones in equal order."""

    def __init__(self, seed: int) -> None:
        """Start every stream from `seed`."""
        self._training, self._quick, self._fresh = (
            np.random.default_rng([seed, _STREAM, stream]) for stream in (_TRAINING, _QUICK, _FRESH)
        )

    def training(self, count: int) -> list[int]:
        """Return seeds of training episodes, never the same twice."""
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
        return joined(**{name: generator_state(rng) for name, rng in self._streams().items()})

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, rng in self._streams().items():
            restore_generator(rng, part(state, name))

    def _streams(self) -> dict[str, np.random.Generator]:
        return {"training": self._training, "quick": self._quick, "fresh": self._fresh}


def _draw(rng: np.random.Generator, count: int) -> list[int]:
    return [int(seed) for seed in rng.integers(2**63, size=count)]
