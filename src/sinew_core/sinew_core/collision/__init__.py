"""Distances between the parts of an arm, and from them to its surroundings, for the safety filter.

Needs NumPy, and coal where there is anything to measure.
"""

from sinew_core.collision.model import CollisionModel
from sinew_core.collision.pairs import Pair, PairKind

__all__ = ["CollisionModel", "Pair", "PairKind"]
