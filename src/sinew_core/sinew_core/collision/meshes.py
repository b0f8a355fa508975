"""Meshes as convex hulls, loaded by coal."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Hull:
    """A convex polytope.

    Attributes:
        corners_m: (k, 3) m about its centre.
        triangles: (m, 3) indices of corners, counterclockwise seen from outside.
    """

    corners_m: Array
    triangles: NDArray[np.int64]


def load_hull(filename: str, scale: tuple[float, float, float], what: str) -> tuple[Hull, Array]:
    """Return the convex hull of a mesh, and where its centre (3,) m is in the mesh's frame."""
    raise RobotError(f"{what}: mesh {filename} {scale}")


def convex(hull: Hull) -> object:
    """Return a hull as coal's geometry."""
    raise NotImplementedError
