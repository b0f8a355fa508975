"""Pictures of the arm, drawn by PyBullet's software renderer for both engines (needs no OpenGL)."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pybullet
from numpy.typing import NDArray

from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.urdf import parse_urdf
from sinew_core.simulation.shading import blend, floor_points, floor_shade
from sinew_core.simulation.silence import silent_stdout
from sinew_core.simulation.tabletop import Tabletop

_SUPERSAMPLING = 2
_FLOOR = (0.70, 0.73, 0.77, 1.0)
_TARGET = (0.95, 0.25, 0.15, 1.0)
_TARGET_RADIUS_M = 0.025
_CUBE = (0.20, 0.62, 0.35, 1.0)
_HIDDEN = (0.0, 0.0, -10.0)
_FOCUS_M = (0.25, 0.0, 0.4)
_CAMERA_DISTANCE_M = 1.45
_NEAR_M, _FAR_M = 0.1, 20.0
_LIGHT_FROM_M = (2.4, -2.0, 6.0)
_LIGHT_FOV_DEG = 24.0
_LIGHT_PIXELS = 320


class Scene:
    """A client of PyBullet with the full URDF, apart from the dynamics, which it cannot disturb."""

    def __init__(self, robot: RobotModel, tabletop: Tabletop | None = None) -> None:
        """Load the robot, the floor, the target's sphere, and the cube where there is one."""
        self._client = pybullet.connect(pybullet.DIRECT)
        self._base_pose = parse_urdf(robot.urdf_text, robot.name).pose_of(robot.base_link)
        with tempfile.TemporaryDirectory() as folder, silent_stdout():
            path = Path(folder) / "robot.urdf"
            path.write_text(robot.urdf_text, encoding="utf-8")
            self._body = pybullet.loadURDF(
                str(path), useFixedBase=True, physicsClientId=self._client
            )
        index_of = {
            pybullet.getJointInfo(self._body, i, physicsClientId=self._client)[1].decode(): i
            for i in range(pybullet.getNumJoints(self._body, physicsClientId=self._client))
        }
        self._joints = [index_of[name] for name in robot.joint_names]
        self._floor = self._add(
            _FLOOR, (0.0, 0.0, -0.01), shapeType=pybullet.GEOM_BOX, halfExtents=(8, 8, 0.01)
        )
        self._target = self._add(
            _TARGET, _HIDDEN, shapeType=pybullet.GEOM_SPHERE, radius=_TARGET_RADIUS_M
        )

        self._cube = -1
        if tabletop is not None:
            half_m = (0.5 * tabletop.object_size_m,) * 3
            self._cube = self._add(_CUBE, _HIDDEN, shapeType=pybullet.GEOM_BOX, halfExtents=half_m)

    def draw(
        self,
        position_rad: Array,
        width: int,
        height: int,
        target_m: Array | Sequence[float] | None,
        object_pose: Sequence[float] | None = None,
    ) -> NDArray[np.uint8]:
        """Return the picture (height, width, 3) of the arm at (n,) rad.

        The object's pose is (x, y, z) m and a quaternion (w, x, y, z) in the base frame.
        """
        for joint, angle in zip(self._joints, position_rad.tolist(), strict=True):
            pybullet.resetJointState(self._body, joint, angle, physicsClientId=self._client)
        place = np.array(_HIDDEN)
        if target_m is not None:
            place = self._base_pose[:3, :3] @ np.asarray(target_m) + self._base_pose[:3, 3]
        pybullet.resetBasePositionAndOrientation(
            self._target, place.tolist(), (0, 0, 0, 1), physicsClientId=self._client
        )
        if object_pose is not None:
            self._place_cube(object_pose)
        return self._picture(width, height)

    def _place_cube(self, pose: Sequence[float]) -> None:
        # The base has its place in the URDF's root, but a table stands upright in both.
        place = self._base_pose[:3, :3] @ np.array(pose[:3]) + self._base_pose[:3, 3]
        w, x, y, z = pose[3:]
        yaw = math.atan2(self._base_pose[1, 0], self._base_pose[0, 0])
        _, turned = pybullet.multiplyTransforms(
            (0, 0, 0), pybullet.getQuaternionFromEuler((0, 0, yaw)), (0, 0, 0), (x, y, z, w)
        )
        pybullet.resetBasePositionAndOrientation(
            self._cube, place.tolist(), turned, physicsClientId=self._client
        )

    def close(self) -> None:
        """Disconnect from PyBullet."""
        pybullet.disconnect(self._client)

    def _picture(self, width: int, height: int) -> NDArray[np.uint8]:
        k = _SUPERSAMPLING
        view = pybullet.computeViewMatrixFromYawPitchRoll(
            _FOCUS_M, _CAMERA_DISTANCE_M, yaw=55.0, pitch=-20.0, roll=0.0, upAxisIndex=2
        )
        projection = pybullet.computeProjectionMatrixFOV(42.0, width / height, _NEAR_M, _FAR_M)
        colours, bodies = self._shot(width * k, height * k, view, projection)
        points, distance = floor_points(_matrix(view), _matrix(projection), width, height)
        shade = floor_shade(points, *self._seen_by_light())
        fine_shade, fine_distance = (a.repeat(k, 0).repeat(k, 1) for a in (shade, distance))
        picture = blend(colours, bodies == self._floor, bodies < 0, fine_shade, fine_distance)
        blocks = picture.reshape(height, k, width, k, 3)
        return np.asarray(blocks.mean(axis=(1, 3)).round(), dtype=np.uint8)

    def _seen_by_light(self) -> tuple[Array, NDArray[np.bool_]]:
        """Return the light's projection (4, 4) and its mask of shading bodies."""
        view = pybullet.computeViewMatrix(_LIGHT_FROM_M, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
        projection = pybullet.computeProjectionMatrixFOV(_LIGHT_FOV_DEG, 1.0, _NEAR_M, _FAR_M)
        _, bodies = self._shot(_LIGHT_PIXELS, _LIGHT_PIXELS, view, projection)
        return _matrix(projection) @ _matrix(view), (bodies >= 0) & (bodies != self._floor)

    def _shot(
        self, width: int, height: int, view: Sequence[float], projection: Sequence[float]
    ) -> tuple[Array, NDArray[np.int32]]:
        """Return colours (h, w, 3) and the body that each pixel (h, w) shows, -1 for none."""
        _, _, pixels, _, bodies = pybullet.getCameraImage(
            width,
            height,
            viewMatrix=view,
            projectionMatrix=projection,
            shadow=0,
            lightDirection=_LIGHT_FROM_M,
            lightAmbientCoeff=0.52,
            lightDiffuseCoeff=0.5,
            lightSpecularCoeff=0.1,
            renderer=pybullet.ER_TINY_RENDERER,
            physicsClientId=self._client,
        )
        colours = np.reshape(pixels, (height, width, 4))[..., :3].astype(np.float64)
        return colours, np.reshape(bodies, (height, width))

    def _add(self, colour: Sequence[float], place: Sequence[float], **shape: object) -> int:
        visual = pybullet.createVisualShape(rgbaColor=colour, physicsClientId=self._client, **shape)
        body: int = pybullet.createMultiBody(
            baseMass=0.0,
            baseVisualShapeIndex=visual,
            basePosition=place,
            physicsClientId=self._client,
        )
        return body


def _matrix(column_major: Sequence[float]) -> Array:
    matrix: Array = np.array(column_major, dtype=np.float64).reshape(4, 4).T
    return matrix
