"""A table with a cube in a client of PyBullet."""

from __future__ import annotations

import math

import pybullet

from sinew_core.robots.arrays import Array
from sinew_core.simulation.tabletop import Tabletop

_TABLE_THICKNESS_M = 1.0
_TABLE_HALF_WIDTH_M = 5.0


class PyBulletTable:
    """The cube, its table, and the friction of the three that touch.

    PyBullet multiplies the frictions of two bodies: the cube has 1, the others that of their pair.
    """

    def __init__(self, client: int, arm: int, tool_link: int, tabletop: Tabletop) -> None:
        """Add table and cube to a client, and let the tool touch the cube only."""
        self._client = client
        table = self._box(
            0.0,
            (_TABLE_HALF_WIDTH_M, _TABLE_HALF_WIDTH_M, 0.5 * _TABLE_THICKNESS_M),
            tabletop.table_height_m - 0.5 * _TABLE_THICKNESS_M,
        )
        half_m = 0.5 * tabletop.object_size_m
        self._cube = self._box(
            tabletop.object_mass_kg, (half_m,) * 3, tabletop.table_height_m + half_m
        )
        for body, link, friction in (
            (table, -1, tabletop.table_friction),
            (self._cube, -1, 1.0),
            (arm, tool_link, tabletop.tool_friction),
        ):
            pybullet.changeDynamics(
                body,
                link,
                lateralFriction=friction,
                spinningFriction=0.0,
                rollingFriction=0.0,
                restitution=0.0,
                linearDamping=0.0,
                angularDamping=0.0,
                physicsClientId=client,
            )
        pybullet.setCollisionFilterPair(arm, table, tool_link, -1, 0, physicsClientId=client)

    def place(self, position_m: Array, heading_rad: float, velocity_m_s: Array | None) -> None:
        """Place the cube, its centre at (3,) m, turned about z, moving at (3,) m/s or at rest."""
        turned = (0.0, 0.0, math.sin(0.5 * heading_rad), math.cos(0.5 * heading_rad))
        pybullet.resetBasePositionAndOrientation(
            self._cube, position_m.tolist(), turned, physicsClientId=self._client
        )
        velocity = [0.0] * 3 if velocity_m_s is None else velocity_m_s.tolist()
        pybullet.resetBaseVelocity(self._cube, velocity, [0.0] * 3, physicsClientId=self._client)

    def pose(self) -> tuple[float, ...]:
        """Return the cube's centre (x, y, z) m and its quaternion (w, x, y, z)."""
        place, (i, j, k, w) = pybullet.getBasePositionAndOrientation(self._cube, self._client)
        return (*place, w, i, j, k)

    def _box(self, mass_kg: float, half_m: tuple[float, ...], height_m: float) -> int:
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=half_m, physicsClientId=self._client
        )
        body: int = pybullet.createMultiBody(
            baseMass=mass_kg,
            baseCollisionShapeIndex=shape,
            basePosition=(0.0, 0.0, height_m),
            physicsClientId=self._client,
        )
        return body
