"""Distances of parts by coal, at postures given as the joints' frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import coal
import numpy as np

from sinew_core.collision.shapes import Link, Shape, ShapeKind

_TOLERANCE_M = 1e-9
"""Of coal's search. Much finer ones meet the limits of its arithmetic and are wrong at times."""

LinkPair: TypeAlias = tuple[Link, Link | None]
"""Two links; no second one stands for the floor."""

Query: TypeAlias = tuple[Callable[..., float], object, object]
"""What computes a distance, and the transforms of its two shapes."""


class DistanceQueries:
    """Distances of pairs of parts, each the least over the shapes of their links.

    Every search starts from the same guess, so that a posture's distances do not depend on what was
    asked before. The arithmetic is plain floats and elementwise arrays: the same
    on any machine.
    """

    def __init__(
        self, n_joints: int, pairs: Sequence[Sequence[LinkPair]], floor_height_m: float
    ) -> None:
        """Prepare the queries of pairs, each of which is the links whose distances count."""
        found = {id(link): link for pair in pairs for links in pair for link in links if link}
        placed = [(link.body, shape) for link in found.values() for shape in link.shapes]
        placed.sort(key=lambda body_and_shape: body_and_shape[0] == 0)
        self._index_of = {id(shape): i for i, (_, shape) in enumerate(placed)}
        # Kept here, since coal's functors refer to them and do not keep them alive.
        self._geometries = [_geometry(shape) for _, shape in placed]
        self._transforms = [coal.Transform3s() for _ in placed]
        self._frames = np.zeros((n_joints + 1, 3, 4))
        self._frames[0, :, :3] = np.eye(3)
        self._prepare_placing(placed)
        self._request = coal.DistanceRequest(False, 0.0, 0.0)
        self._request.enable_signed_distance = True
        self._request.gjk_initial_guess = coal.GJKInitialGuess.DefaultGuess
        self._request.gjk_tolerance = _TOLERANCE_M
        self._result = coal.DistanceResult()
        self._floor = (
            coal.Halfspace(np.array([0.0, 0.0, 1.0]), floor_height_m),
            coal.Transform3s(),
        )
        self._queries: list[list[Query]] = []
        self._ranges: list[tuple[int, int]] = []
        self._spheres: list[tuple[int, int, float]] = []
        for pair in pairs:
            start = len(self._spheres)
            self._queries.append([])
            for links in pair:
                self._add(*links)
            self._ranges.append((start, len(self._spheres)))
        self._pairs_of = np.array([(i, j) for i, j, _ in self._spheres]).reshape(-1, 2).T.copy()
        self._radii_m = np.array([radii_m for _, _, radii_m in self._spheres])
        self._bounds: list[float] = []

    def place(self, frames: Sequence[float]) -> None:
        """Move all shapes to a posture, given as by `KinematicChain.joint_frames`."""
        self._joint_frames[:] = frames
        bodies, world, term = self._frames[self._body_of], self._world, self._term
        np.multiply(bodies[:, :, 0:1], self._local[0], out=world)
        world += np.multiply(bodies[:, :, 1:2], self._local[1], out=term)
        world += np.multiply(bodies[:, :, 2:3], self._local[2], out=term)
        world[:, :, 3] += bodies[:, :, 3]
        for transform, rotation, position in self._moving:
            transform.setTransform(rotation, position)
        centres = self._centres
        centres[:, : len(world)] = world[:, :, 3].T
        first, second = self._pairs_of
        x, y, z = centres[:, first] - centres[:, second]
        self._bounds = (np.sqrt(x * x + y * y + z * z) - self._radii_m).tolist()

    def distance_m(self, pair: int) -> float:
        """Return the distance of a pair in m, negative or zero when its parts overlap."""
        queries, request, result = self._queries[pair], self._request, self._result
        start, stop = self._ranges[pair]
        bounds = self._bounds[start:stop]
        # The shapes whose bounding spheres are nearest come first: they rule out most others.
        nearest = bounds.index(min(bounds))
        compute, first, second = queries[nearest]
        least = compute(first, second, request, result)
        bounds[nearest] = math.inf
        for bound, (compute, first, second) in zip(bounds, queries, strict=True):
            if bound < least:
                least = min(least, compute(first, second, request, result))
        if least <= 0.0:
            # Coal may answer the next query from a result that is not positive.
            result.clear()
        return least

    def _prepare_placing(self, placed: Sequence[tuple[int, Shape]]) -> None:
        poses = np.array([shape.pose[:3] for _, shape in placed]).reshape(-1, 3, 4)
        n_moving = sum(body > 0 for body, _ in placed)
        self._joint_frames = self._frames[1:].reshape(-1)
        self._body_of = np.array([body for body, _ in placed[:n_moving]], dtype=np.intp)
        self._local = [poses[:n_moving, row : row + 1, :].copy() for row in range(3)]
        self._world = np.zeros((n_moving, 3, 4))
        self._term = np.zeros((n_moving, 3, 4))
        self._moving = [
            (transform, world[:, :3], world[:, 3])
            for transform, world in zip(self._transforms, self._world, strict=False)
        ]
        for transform, pose in zip(self._transforms[n_moving:], poses[n_moving:], strict=True):
            transform.setTransform(pose[:, :3], pose[:, 3])
        self._centres = poses[:, :, 3].T.copy()

    def _add(self, first: Link, second: Link | None) -> None:
        """Add the queries of two links to the last pair."""
        for a in first.shapes:
            i = self._index_of[id(a)]
            if second is None:
                floor, unmoved = self._floor
                compute = coal.ComputeDistance(self._geometries[i], floor)
                self._queries[-1].append((compute, self._transforms[i], unmoved))
                self._spheres.append((i, i, math.inf))
                continue
            for b in second.shapes:
                j = self._index_of[id(b)]
                compute = coal.ComputeDistance(self._geometries[i], self._geometries[j])
                self._queries[-1].append((compute, self._transforms[i], self._transforms[j]))
                self._spheres.append((i, j, a.radius_m + b.radius_m))


def _geometry(shape: Shape) -> coal.ShapeBase:
    if shape.kind is ShapeKind.BOX:
        return coal.Box(*shape.size_m)
    if shape.kind is ShapeKind.CYLINDER:
        return coal.Cylinder(*shape.size_m)
    if shape.kind is ShapeKind.SPHERE:
        return coal.Sphere(*shape.size_m)
    assert shape.hull is not None
    return shape.hull.geometry()
