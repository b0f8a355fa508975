"""Distances of parts by coal, at postures given as the joints' frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import coal
import numpy as np

from sinew_core.collision.shapes import Link, Shape, ShapeKind

_TOLERANCE_M = 1e-9
"""Of coal's search. Much finer ones meet the limits of its arithmetic and are wrong at times."""

LinkPair: TypeAlias = tuple[Link, Link | None]
"""Two links; no second one stands for the floor."""

Query: TypeAlias = tuple[Callable[..., float], int, int, float]
"""What computes a distance, its two shapes, and the sum of their bounding spheres' radii in m."""


class DistanceQueries:
    """Distances of pairs of parts, each the least over the shapes of their links.

    Every search starts from the same guess, so that a posture's distances do not depend on what was
    asked before. Shapes move to a posture only when a pair of theirs is asked for: most cycles of a
    filter ask for one pair.
    """

    def __init__(
        self, n_joints: int, pairs: Sequence[Sequence[LinkPair]], floor_height_m: float
    ) -> None:
        """Prepare the queries of pairs, each of which is the links whose distances count."""
        found = {id(link): link for pair in pairs for links in pair for link in links if link}
        placed = [(link.body, shape) for link in found.values() for shape in link.shapes]
        self._index_of = {id(shape): i for i, (_, shape) in enumerate(placed)}
        # Kept here, since coal's functors refer to them and do not keep them alive.
        self._geometries = [_geometry(shape) for _, shape in placed]
        # The floor comes last.
        self._geometries.append(coal.Halfspace(np.array([0.0, 0.0, 1.0]), floor_height_m))
        self._body_of = [body for body, _ in placed]
        self._local = [_transform(shape) for _, shape in placed]
        self._world = [*self._local, coal.Transform3s()]
        self._centres: list[list[float]] = [t.getTranslation().tolist() for t in self._world]
        self._frames = np.zeros((n_joints, 3, 4))
        self._numbers = self._frames.reshape(-1)
        self._bodies = [coal.Transform3s() for _ in range(n_joints + 1)]
        self._moving_bodies = [
            (body, frame[:, :3], frame[:, 3])
            for body, frame in zip(self._bodies[1:], self._frames, strict=True)
        ]
        self._in_place: set[int] = set()
        self._request = coal.DistanceRequest(False, 0.0, 0.0)
        self._request.enable_signed_distance = True
        self._request.gjk_initial_guess = coal.GJKInitialGuess.DefaultGuess
        self._request.gjk_tolerance = _TOLERANCE_M
        self._result = coal.DistanceResult()
        self._queries = [[each for links in pair for each in self._of(*links)] for pair in pairs]
        self._moving = [self._moving_shapes(queries) for queries in self._queries]

    def place(self, frames: Sequence[float]) -> None:
        """Take over a posture, given as by `KinematicChain.joint_frames`."""
        self._numbers[:] = frames
        for body, rotation, position in self._moving_bodies:
            body.setTransform(rotation, position)
        self._in_place.clear()

    def distance_m(self, pair: int) -> float:
        """Return the distance of a pair in m, negative or zero when its parts overlap."""
        queries, request, result = self._queries[pair], self._request, self._result
        for shape in self._moving[pair]:
            if shape not in self._in_place:
                self._move(shape)
        world, centres = self._world, self._centres
        bounds = [math.dist(centres[i], centres[j]) - radii_m for _, i, j, radii_m in queries]
        # The shapes whose bounding spheres are nearest come first: they rule out most others.
        nearest = bounds.index(min(bounds))
        compute, first, second, _ = queries[nearest]
        least = compute(world[first], world[second], request, result)
        bounds[nearest] = math.inf
        for bound, (compute, first, second, _) in zip(bounds, queries, strict=True):
            if bound < least:
                least = min(least, compute(world[first], world[second], request, result))
        if least <= 0.0:
            # Coal may answer the next query from a result that is not positive.
            result.clear()
        return least

    def _move(self, shape: int) -> None:
        """Place a shape where its body is."""
        placed = self._world[shape] = self._bodies[self._body_of[shape]] * self._local[shape]
        self._centres[shape] = placed.getTranslation().tolist()
        self._in_place.add(shape)

    def _of(self, first: Link, second: Link | None) -> Iterator[Query]:
        """Return the queries of two links; the floor has no bounding sphere."""
        floor = len(self._geometries) - 1
        for a in first.shapes:
            i = self._index_of[id(a)]
            others = [(floor, math.inf)]
            if second is not None:
                others = [(self._index_of[id(b)], a.radius_m + b.radius_m) for b in second.shapes]
            for j, radii_m in others:
                compute = coal.ComputeDistance(self._geometries[i], self._geometries[j])
                yield compute, i, j, radii_m

    def _moving_shapes(self, queries: Sequence[Query]) -> list[int]:
        """Return those of a pair's shapes that a joint moves."""
        shapes = {shape for _, i, j, _ in queries for shape in (i, j)}
        return sorted(i for i in shapes if i < len(self._body_of) and self._body_of[i])


def _transform(shape: Shape) -> coal.Transform3s:
    """Return where a shape is in the frame of its body."""
    return coal.Transform3s(shape.pose[:3, :3].copy(), shape.pose[:3, 3].copy())


def _geometry(shape: Shape) -> coal.ShapeBase:
    if shape.kind is ShapeKind.BOX:
        return coal.Box(*shape.size_m)
    if shape.kind is ShapeKind.CYLINDER:
        return coal.Cylinder(*shape.size_m)
    if shape.kind is ShapeKind.SPHERE:
        return coal.Sphere(*shape.size_m)
    assert shape.hull is not None
    return shape.hull.geometry()
