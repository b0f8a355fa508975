"""The seeds of every episode of a run, in streams that never meet."""

from __future__ import annotations

import numpy as np

_TRAINING, _QUICK, _FRESH = range(3)
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


def _draw(rng: np.random.Generator, count: int) -> list[int]:
    return [int(seed) for seed in rng.integers(2**63, size=count)]
