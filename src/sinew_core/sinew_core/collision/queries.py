"""Distances of parts by coal, at postures given as the joints' frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import coal
import numpy as np

from sinew_core.collision.meshes import convex
from sinew_core.collision.shapes import Part, Shape, ShapeKind

_TOLERANCE_M = 1e-9
"""Of coal's search. Much finer ones meet the limits of its arithmetic and are wrong at times."""

Query: TypeAlias = tuple[Callable[..., float], object, object, int, int, float]
"""What computes a distance, the transforms and indices of its two shapes, their radii's sum, m."""


class DistanceQueries:
    """Distances of pairs of parts, and of parts to the floor, each the least over their shapes.

    Every search starts from the same guess, so that a posture's distances do not depend on what was
    asked before. The arithmetic is plain floats and elementwise arrays: the same on any machine.
    """

    def __init__(
        self, n_joints: int, pairs: Sequence[tuple[Part, Part | None]], floor_height_m: float
    ) -> None:
        """Prepare the queries; no second part stands for the floor."""
        parts = [part for pair in pairs for part in pair if part is not None]
        self._parts = list({id(part): part for part in parts}.values())
        placed = [(part.body, shape) for part in self._parts for shape in part.shapes]
        moving = sorted(range(len(placed)), key=lambda i: placed[i][0] == 0)
        placed = [placed[i] for i in moving]
        self._index_of = {id(shape): i for i, (_, shape) in enumerate(placed)}
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
        self._floor = (coal.Halfspace(np.array([0.0, 0.0, 1.0]), floor_height_m), coal.Transform3s())
        self._queries = [self._query(*pair) for pair in pairs]

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
        self._centres[: len(world)] = world[:, :, 3].tolist()

    def distance_m(self, pair: int) -> float:
        """Return the distance of a pair in m, negative or zero when its parts overlap."""
        centres, request, result = self._centres, self._request, self._result
        least = math.inf
        for compute, first, second, i, j, radii_m in self._queries[pair]:
            if least < math.inf and math.dist(centres[i], centres[j]) - radii_m >= least:
                continue
            distance = compute(first, second, request, result)
            if distance < least:
                least = distance
            if distance <= 0.0:
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
        self._centres: list[list[float]] = poses[:, :, 3].tolist()

    def _query(self, first: Part, second: Part | None) -> list[Query]:
        queries: list[Query] = []
        for a in first.shapes:
            i = self._index_of[id(a)]
            if second is None:
                floor, unmoved = self._floor
                compute = coal.ComputeDistance(self._geometries[i], floor)
                queries.append((compute, self._transforms[i], unmoved, i, i, math.inf))
                continue
            for b in second.shapes:
                j = self._index_of[id(b)]
                compute = coal.ComputeDistance(self._geometries[i], self._geometries[j])
                radii_m = a.radius_m + b.radius_m
                queries.append((compute, self._transforms[i], self._transforms[j], i, j, radii_m))
        return queries


def _geometry(shape: Shape) -> object:
    if shape.kind is ShapeKind.BOX:
        return coal.Box(*shape.size_m)
    if shape.kind is ShapeKind.CYLINDER:
        return coal.Cylinder(*shape.size_m)
    if shape.kind is ShapeKind.SPHERE:
        return coal.Sphere(*shape.size_m)
    assert shape.hull is not None
    return convex(shape.hull)
