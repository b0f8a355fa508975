"""How far a motion stays from everything that the safety filter watches."""

from __future__ import annotations

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.watched import watches_pairs

RESERVE_M = 0.02
"""Kept beside the filter's clearance, since its proofs are coarse and its braking takes room."""


class Clearance:
    """Distances of an arm's parts along a motion, as the filter sees them."""

    def __init__(self, robot: RobotModel, safety: SafetyParameters) -> None:
        """Prepare the distances that the parameters ask for.

        Raises:
            RobotError: if a collision shape cannot be used.
        """
        self._model = None
        if watches_pairs(safety):
            from sinew_core.collision import CollisionModel

            model = CollisionModel(robot, safety)
            self._model = model if model.pairs else None
        self._needed_m: Array = np.zeros(0)
        if self._model is not None:
            # The workspace's faces keep no clearance; parts nearer at home cannot keep more.
            workspace = [pair.kind.name == "WORKSPACE" for pair in self._model.pairs]
            wanted = np.where(workspace, 0.0, safety.clearance_m) + RESERVE_M
            at_home = np.array(self._model.distances_m(robot.home_rad.tolist()))
            self._needed_m = np.minimum(wanted, 0.9 * at_home)

    def lack_m(self, position_rad: Array) -> float:
        """Return how much the worst of the postures (N, n) lacks, 0 where all are clear."""
        if self._model is None:
            return 0.0
        lack = 0.0
        for posture in position_rad.tolist():
            short = self._needed_m - np.array(self._model.distances_m(posture))
            lack = max(lack, float(short.max()))
        return lack
