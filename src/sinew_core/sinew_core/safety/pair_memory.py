"""What is known of the pairs of one arm between cycles."""

from __future__ import annotations

import dataclasses
from collections.abc import MutableSequence

import numpy as np
import numpy.typing as npt

from sinew_core.safety.equations import Row

Array = npt.NDArray[np.float64]
Anchor = tuple[list[float], dict[int, float]]
"""A posture (n,) rad, and distances in m of some pairs there."""


@dataclasses.dataclass
class PairMemory:
    """What is known of the pairs of one arm.

    Attributes:
        anchors: (n, pairs) rad, where each pair was measured.
        distances: (pairs,) m, measured there.
        enough: (pairs,) m, what proves a pair clear without a look at the way; inf in recovery.
        thresholds: (pairs,) m, below which no certified distance may fall.
        reference: (n,) rad, a posture with a distance to spare for every pair.
        weights: (n,) 1/rad, the greatest lever over that distance.
        cap: (n,) rad/s, the largest speed near a pair in recovery, else inf.
        trail: what was measured along the manoeuvre that was proven last, the latest last.
        recovering: whether any threshold is below the distance to keep.
    """

    anchors: Array
    distances: Array
    enough: Array
    thresholds: Array
    reference: MutableSequence[float]
    weights: MutableSequence[float]
    cap: MutableSequence[float]
    trail: list[Anchor]
    recovering: bool = False

    def spare(self, levers: Array, lower: Row, upper: Row) -> Array:
        """Return the distances (pairs,) m that are proven on a box; `levers` (n, pairs) m."""
        low, high = np.array(lower)[:, None], np.array(upper)[:, None]
        moved = levers * np.maximum(high - self.anchors, self.anchors - low)
        proven: Array = self.distances - moved.sum(axis=0)
        return proven

    def covers(self, levers: Array, lower: Row, upper: Row) -> bool:
        """Tell what `hull.is_covered` does, over arrays."""
        return bool((self.spare(levers, lower, upper) >= self.enough).all())

    def recentre(self, levers: Array, lower: Row, upper: Row) -> None:
        """Do what `hull.recentre` does, over arrays."""
        reference = 0.5 * (np.array(lower) + np.array(upper))
        moved = (levers * np.abs(reference[:, None] - self.anchors)).sum(axis=0)
        spare = self.distances - moved - self.enough
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.where(spare > 0.0, levers / spare, np.inf).max(axis=1, initial=0.0)
        self.reference[:] = reference.tolist()
        self.weights[:] = weights.tolist()

    def remember(self, anchor: Anchor) -> None:
        """Keep what was measured at a posture."""
        for pair, distance in anchor[1].items():
            self.anchors[:, pair] = anchor[0]
            self.distances[pair] = distance
