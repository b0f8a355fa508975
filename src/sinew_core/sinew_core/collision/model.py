"""The model of what an arm can hit, which the safety filter asks for distances."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sinew_core.collision.pairs import (
    Pair,
    PairKind,
    Watched,
    link_pairs,
    merged,
    workspace_pairs,
)
from sinew_core.collision.shapes import moving_links, read_links
from sinew_core.robots.model import RobotModel
from sinew_core.safety.parameters import SafetyParameters

if TYPE_CHECKING:
    from sinew_core.collision.queries import DistanceQueries

_TOUCH_M = 1e-6


class CollisionModel:
    """Distances between the parts of an arm, and from them to floor, boxes and workspace faces.

    A part is all links with collision shapes that move as one. Floor and boxes concern the parts
    that joints move, the workspace concerns the tool's point. Left out are pairs of links whose
    distance no joint changes, neighbours, which one joint connects, and links that touch or overlap
    in the home posture.

    Attributes:
        pairs: what keeps apart, in the order of all lists.
        home_rad: (n_joints,) rad, the robot's home posture.
        levers_m: (n_pairs, n_joints) m; for all postures q and q' at which a pair's parts do not
            overlap, its distance differs by at most sum_j levers_m[pair][j] |q_j - q'_j|.
        touching: names of the links that are left out since they overlap, at home or always.
        without_shapes: the driven joints' links of which nothing that moves with them has a shape:
            nothing watches them.
    """

    def __init__(self, robot: RobotModel, parameters: SafetyParameters) -> None:
        """Find the pairs of a robot.

        Raises:
            RobotError: its URDF has a collision shape that cannot be used.
        """
        self._chain = robot.chain
        self.home_rad: list[float] = robot.home_rad.tolist()
        self._queries: DistanceQueries | None = None
        self.touching: tuple[tuple[str, str], ...] = ()
        self.without_shapes: tuple[str, ...] = ()
        watched: list[Watched] = []
        if parameters.self_collision or parameters.floor or parameters.forbidden_boxes_m:
            self.without_shapes, candidates = _candidates(robot, parameters)
            watched = self._apart_at_home(robot, parameters, candidates)
        self._n_shape_pairs = len(watched)
        watched += workspace_pairs(robot, parameters)
        self._faces_m = (*parameters.workspace_lower_m, *parameters.workspace_upper_m)
        self.pairs: tuple[Pair, ...] = tuple(each.pair for each in watched)
        self.levers_m: list[list[float]] = [each.levers_m.tolist() for each in watched]

    def distances_m(
        self, position_rad: Sequence[float], pairs: Sequence[int] | None = None
    ) -> list[float]:
        """Return the distances in m at a posture (n,) rad: of all pairs, or of those named.

        They are exact within 1e-8 m where parts are apart. Where shapes overlap they are zero or
        negative, the depth only roughly so. The tool's distance to a face of the workspace is
        negative outside.
        """
        wanted = range(len(self.pairs)) if pairs is None else pairs
        n, queries = self._n_shape_pairs, self._queries
        if queries is not None and any(pair < n for pair in wanted):
            queries.place(self._chain.joint_frames(position_rad))
            if all(pair < n for pair in wanted):
                return [queries.distance_m(pair) for pair in wanted]
        tool = self._chain.tool_xyz(position_rad)
        return [
            self._to_face(tool, pair - n)
            if queries is None or pair >= n
            else queries.distance_m(pair)
            for pair in wanted
        ]

    def _to_face(self, tool: tuple[float, float, float], face: int) -> float:
        """Return how far inside a face of the workspace a point (x, y, z) m is."""
        if face < 3:
            return tool[face] - self._faces_m[face]
        return self._faces_m[face] - tool[face - 3]

    def _apart_at_home(
        self, robot: RobotModel, parameters: SafetyParameters, candidates: Sequence[Watched]
    ) -> list[Watched]:
        """Return the pairs of parts that count, and note links that overlap at home or for ever."""
        if not candidates:
            return []
        # Imported here so that a filter without these pairs works without coal.
        from sinew_core.collision.queries import DistanceQueries

        def queries(watched: Sequence[Watched]) -> DistanceQueries:
            pairs = [each.links for each in watched]
            return DistanceQueries(robot.n_joints, pairs, parameters.floor_height_m)

        at_home = queries(candidates)
        at_home.place(self._chain.joint_frames(self.home_rad))
        kept, touching = [], []
        for i, each in enumerate(candidates):
            touch = at_home.distance_m(i) <= _TOUCH_M
            if each.changes and not (touch and each.pair.kind is PairKind.SELF):
                kept.append(each)
            elif touch:
                touching.append((each.pair.first, each.pair.second))
        self.touching = tuple(touching)
        watched = merged(kept)
        self._queries = queries(watched) if watched else None
        return watched


@functools.lru_cache(maxsize=8)
def _candidates(
    robot: RobotModel, parameters: SafetyParameters
) -> tuple[tuple[str, ...], tuple[Watched, ...]]:
    """Return the driven joints' links without shapes, and the pairs of links of `link_pairs`.

    Their levers take most of the time that a filter needs to start, and filters of the same arm are
    made again and again: for each start of a replay, for each environment of a training.
    """
    links = read_links(robot)
    bodies = {link.body for link in links}
    bare = tuple(link for i, link in enumerate(moving_links(robot), 1) if i not in bodies)
    return bare, tuple(link_pairs(robot, parameters, links))
