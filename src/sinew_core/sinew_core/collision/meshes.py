"""Meshes as convex hulls, loaded by coal."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import coal
import numpy as np
from numpy.typing import NDArray

from sinew_core.collision.shapes import WITHOUT_SHAPES
from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array

_SIMPLIFICATION_M = 1e-3
_VISIBLE_M = 1e-9


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Hull:
    """A convex polytope and all within a margin of it, which hold a mesh's convex hull.

    Attributes:
        corners_m: (k, 3) m about its centre.
        triangles: (m, 3) indices of corners, counterclockwise seen from outside.
        margin_m: about a millimetre, since corners that stick out by less are left out.
    """

    corners_m: Array
    triangles: NDArray[np.int64]
    margin_m: float

    def geometry(self) -> coal.ShapeBase:
        """Return coal's convex shape."""
        convex = _convex(self.corners_m, self.triangles)
        convex.setSweptSphereRadius(self.margin_m)
        return convex


def load_hull(filename: str, scale: tuple[float, float, float], what: str) -> tuple[Hull, Array]:
    """Return the convex hull of a mesh, and where its centre (3,) m is in the mesh's frame.

    Args:
        filename: an absolute path, a file:// or a package:// address.
        scale: of the mesh's three coordinates.
        what: how errors name the owner.

    Raises:
        RobotError: the mesh cannot be found or loaded, or is flat.
    """
    path = _find(filename)
    if path is None or not path.is_file():
        raise RobotError(
            f"{what}: mesh '{filename}' is not found: give an absolute path, or package:// of a "
            f"package whose workspace is sourced, or {WITHOUT_SHAPES}"
        )
    try:
        model = coal.MeshLoader().load(str(path), np.array(scale))
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split("message:")[-1].split())
        raise RobotError(
            f"{what}: mesh '{filename}' cannot be loaded ({reason}): replace it, or "
            f"{WITHOUT_SHAPES}"
        ) from None
    points = np.unique(np.array(model.vertices()), axis=0)
    simplex = _simplex(points) if len(points) > 3 else None
    if simplex is None:
        raise RobotError(
            f"{what}: mesh '{filename}' is flat: replace it by a box, or {WITHOUT_SHAPES}"
        )
    centre: Array = 0.5 * (points.min(axis=0) + points.max(axis=0))
    return hull_of(points - centre, simplex), centre


def hull_of(points: Array, simplex: list[int]) -> Hull:
    """Return the convex hull of points (k, 3) m from four of them that are not in one plane.

    The farthest point outside is added until none is outside by more than a millimetre; those left
    determine the margin.
    """
    inside = points[simplex].mean(axis=0)
    a, b, c, d = simplex
    triangles = _outwards(points, np.array([[a, b, c], [a, b, d], [a, c, d], [b, c, d]]), inside)
    left = np.arange(len(points))
    while True:
        heights = _heights(points[left], points[triangles])
        highest = heights.max(axis=1)
        left, heights = left[highest > _VISIBLE_M], heights[highest > _VISIBLE_M]
        if not len(left) or highest.max() <= _SIMPLIFICATION_M:
            break
        farthest = int(heights.max(axis=1).argmax())
        visible = heights[farthest] > _VISIBLE_M
        edges = triangles[visible][:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        kept = {tuple(edge) for edge in edges.tolist()}
        rim = [[u, v, int(left[farthest])] for u, v in kept if (v, u) not in kept]
        new = _outwards(points, np.array(sorted(rim)), inside)
        triangles = np.concatenate([triangles[~visible], new])
    used, renumbered = np.unique(triangles, return_inverse=True)
    corners, triangles = points[used], renumbered.reshape(-1, 3)
    return Hull(
        corners_m=corners,
        triangles=triangles,
        margin_m=_farthest_m(_convex(corners, triangles), points[left]),
    )


def _find(filename: str) -> Path | None:
    """Return the path of a mesh's address, or None where nothing says where it is."""
    if filename.startswith("package://"):
        package, _, inside = filename.removeprefix("package://").partition("/")
        for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
            path = Path(prefix) / "share" / package / inside
            if prefix and path.is_file():
                return path
        return None
    path = Path(filename.removeprefix("file://"))
    return path if path.is_absolute() else None


def _simplex(points: Array) -> list[int] | None:
    """Return four points (of (k, 3) m) far from one plane; None when all lie in one."""
    first = int(points[:, 0].argmin())
    offsets = points - points[first]
    second = int(np.linalg.norm(offsets, axis=1).argmax())
    across = np.cross(offsets, offsets[second])
    third = int(np.linalg.norm(across, axis=1).argmax())
    normal = np.cross(offsets[second], offsets[third])
    size = float(np.linalg.norm(normal))
    if size == 0.0:
        return None
    heights = np.abs(offsets @ (normal / size))
    fourth = int(heights.argmax())
    return [first, second, third, fourth] if heights[fourth] > 1e-6 else None


def _outwards(points: Array, triangles: NDArray[np.int64], inside: Array) -> NDArray[np.int64]:
    """Return triangles (m, 3) turned so that a point (3,) lies behind each."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    before = np.einsum("ij,ij->i", np.cross(b - a, c - a), inside - a) > 0.0
    return np.where(before[:, None], triangles[:, [0, 2, 1]], triangles)


def _heights(points: Array, triangles: Array) -> Array:
    """Return heights (k, m) m of points (k, 3) over triangles (m, 3, 3)."""
    a, b, c = (triangles[:, k] for k in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-30)[:, None]
    return np.asarray(points @ normals.T - np.einsum("ij,ij->i", normals, a))


def _farthest_m(convex: coal.ShapeBase, points: Array) -> float:
    """Return the largest distance in m of points (k, 3) outside a shape, 0 when all are inside."""
    radius_m = 1e-6
    ball, unmoved, place = coal.Sphere(radius_m), coal.Transform3s(), coal.Transform3s()
    compute = coal.ComputeDistance(convex, ball)
    request, farthest = coal.DistanceRequest(False, 0.0, 0.0), 0.0
    for point in points:
        place.setTranslation(point)
        distance = compute(unmoved, place, request, coal.DistanceResult()) + radius_m
        farthest = max(farthest, distance + request.gjk_tolerance)
    return farthest


def _convex(corners: Array, triangles: NDArray[np.int64]) -> coal.ShapeBase:
    points, faces = coal.StdVec_Vec3s(), coal.StdVec_Triangle()
    for corner in corners:
        points.append(corner)
    for triangle in triangles.tolist():
        faces.append(coal.Triangle(*triangle))
    return coal.Convex(points, faces)
