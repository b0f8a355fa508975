"""Forward kinematics of a serial chain of revolute joints.

Every joint is turned into a rotation about z: with A_i the rotation that takes z to the joint's
axis, and O_i the fixed transform from the joint before, F_i = A_{i-1}^-1 O_i A_i and the tool seen
from the last joint is A_n^-1 T. The tool's position then needs no matrix product: start from the
tool's offset and go down the chain, p <- F_i Rz(q_i) p.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array, frozen_array

_LARGEST_OFFSET_M = 100.0

Floats: TypeAlias = Sequence[float] | Array


def tool_position_source(
    q: Floats, coefficients: Floats, tool: Floats
) -> tuple[float, float, float]:
    """Compute the tool's position (x, y, z) m in the base frame, in scalar arithmetic only.

    The one source of both versions: called as it is with sequences of Python floats, and compiled
    by `sinew_core.robots.compiled` for arrays.

    Args:
        q: joint positions (n,) rad.
        coefficients: 12 per joint, F_i's rotation row by row, then its translation in m.
        tool: the tool's offset (3,) m from the last joint's frame.
    """
    x = tool[0]
    y = tool[1]
    z = tool[2]
    for i in range(len(q) - 1, -1, -1):
        s = math.sin(q[i])
        c = math.cos(q[i])
        u = c * x - s * y
        v = s * x + c * y
        k = 12 * i
        x = coefficients[k] * u + coefficients[k + 1] * v + coefficients[k + 2] * z
        y = coefficients[k + 3] * u + coefficients[k + 4] * v + coefficients[k + 5] * z
        z = coefficients[k + 6] * u + coefficients[k + 7] * v + coefficients[k + 8] * z
        x += coefficients[k + 9]
        y += coefficients[k + 10]
        z += coefficients[k + 11]
    return x, y, z


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class KinematicChain:
    """A serial chain of n revolute joints from the base frame to the tool frame.

    Attributes:
        origins: (n, 4, 4) fixed transforms from the frame of the joint before (first: the base).
        axes: (n, 3) unit vectors, each in its joint's own frame.
        tool: (4, 4) fixed transform from the last joint's frame to the tool.
    """

    origins: Array
    axes: Array
    tool: Array
    coefficients: tuple[float, ...] = dataclasses.field(init=False, repr=False)
    _rows: list[tuple[float, ...]] = dataclasses.field(init=False, repr=False)
    tool_offset_m: tuple[float, float, float] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Freeze the arrays and fold the axes into the transforms.

        Raises:
            RobotError: for shapes that do not fit, numbers not finite, or an axis of length zero.
        """
        origins, axes, tool = (frozen_array(a) for a in (self.origins, self.axes, self.tool))
        n = len(origins)
        if n == 0 or origins.shape != (n, 4, 4) or axes.shape != (n, 3) or tool.shape != (4, 4):
            shapes = f"{origins.shape}, {axes.shape}, {tool.shape}"
            raise RobotError(f"kinematic chain of shapes {shapes}: expected (n,4,4), (n,3), (4,4)")
        if not all(np.isfinite(a).all() for a in (origins, axes, tool)):
            raise RobotError("kinematic chain: origins, axes and tool must be finite numbers")
        farthest_m = max(np.abs(origins[:, :3, 3]).max(), np.abs(tool[:3, 3]).max())
        if farthest_m > _LARGEST_OFFSET_M:
            raise RobotError(
                f"kinematic chain: an offset of {farthest_m:g} m: allowed up to "
                f"{_LARGEST_OFFSET_M:g}; a URDF is in metres"
            )
        lengths = np.linalg.norm(axes, axis=1)
        if lengths.min() < 1e-6:
            raise RobotError(f"kinematic chain: axis {lengths.argmin()} has length 0: give it one")
        axes = frozen_array(axes / lengths[:, None])
        for name, value in (("origins", origins), ("axes", axes), ("tool", tool)):
            object.__setattr__(self, name, value)
        self._fold()

    def _fold(self) -> None:
        coefficients: list[float] = []
        before = np.eye(3)
        for origin, axis in zip(self.origins, self.axes, strict=True):
            turn = rotation_from_z(axis)
            rotation = before.T @ origin[:3, :3] @ turn
            coefficients += rotation.ravel().tolist() + (before.T @ origin[:3, 3]).tolist()
            before = turn
        x, y, z = (before.T @ self.tool[:3, 3]).tolist()
        object.__setattr__(self, "coefficients", tuple(coefficients))
        rows = list(zip(*[iter(coefficients)] * 12, strict=True))
        object.__setattr__(self, "_rows", rows)
        object.__setattr__(self, "tool_offset_m", (x, y, z))

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.axes)

    def tool_xyz(self, q: Sequence[float]) -> tuple[float, float, float]:
        """Return the tool's position (x, y, z) m in the base frame from Python floats (n,) rad."""
        return tool_position_source(q, self.coefficients, self.tool_offset_m)

    def tool_position(self, q: Floats) -> Array:
        """Return the tool's position (3,) m in the base frame for joint positions q (n,) rad."""
        return np.array(self.tool_xyz(self._floats(q)))

    def tool_pose(self, q: Floats) -> Array:
        """Return the tool's pose (4, 4) in the base frame for joint positions q (n,) rad."""
        pose: Array = np.eye(4)
        turn = np.eye(4)
        for origin, axis, angle in zip(self.origins, self.axes, self._floats(q), strict=True):
            turn[:3, :3] = rotation_about(axis.tolist(), angle)
            pose = pose @ origin @ turn
        tool_pose: Array = pose @ self.tool
        return tool_pose

    def jacobian(self, q: Floats) -> Array:
        """Return the tool's geometric Jacobian (6, n) in the base frame: linear, then angular."""
        return self.jacobian_of(self.joint_frames(self._floats(q)))

    def jacobian_of(self, frames: Sequence[float]) -> Array:
        """Return the same from what `joint_frames` returned."""
        u, v, w = self.tool_offset_m
        *_, xx, xy, xz, px, yx, yy, yz, py, zx, zy, zz, pz = frames
        x = px + xx * u + xy * v + xz * w
        y = py + yx * u + yy * v + yz * w
        z = pz + zx * u + zy * v + zz * w
        columns = [
            (
                ay * (z - pz) - az * (y - py),
                az * (x - px) - ax * (z - pz),
                ax * (y - py) - ay * (x - px),
                ax,
                ay,
                az,
            )
            for _, _, ax, px, _, _, ay, py, _, _, az, pz in zip(*[iter(frames)] * 12, strict=True)
        ]
        jacobian: Array = np.array(columns).T
        return jacobian

    def joint_frames(self, q: Sequence[float]) -> list[float]:
        """Return the joints' frames in the base frame from Python floats q (n,) rad, in one list.

        Each frame has turned by its joint's angle and has z along its joint's axis (its x is that
        of `rotation_from_z`); it takes 12 numbers, three rows of rotation and position.
        """
        frames: list[float] = []
        xx = yy = zz = 1.0
        xy = xz = yx = yz = zx = zy = x = y = z = 0.0
        # Written out, as calls would double its time.
        for angle, (a, b, c, d, e, f, g, h, k, u, v, w) in zip(q, self._rows, strict=True):
            x = x + xx * u + xy * v + xz * w
            y = y + yx * u + yy * v + yz * w
            z = z + zx * u + zy * v + zz * w
            cosine, sine = math.cos(angle), math.sin(angle)
            a, b = a * cosine + b * sine, b * cosine - a * sine
            d, e = d * cosine + e * sine, e * cosine - d * sine
            g, h = g * cosine + h * sine, h * cosine - g * sine
            xx, xy, xz = (
                xx * a + xy * d + xz * g,
                xx * b + xy * e + xz * h,
                xx * c + xy * f + xz * k,
            )
            yx, yy, yz = (
                yx * a + yy * d + yz * g,
                yx * b + yy * e + yz * h,
                yx * c + yy * f + yz * k,
            )
            zx, zy, zz = (
                zx * a + zy * d + zz * g,
                zx * b + zy * e + zz * h,
                zx * c + zy * f + zz * k,
            )
            frames += (xx, xy, xz, x, yx, yy, yz, y, zx, zy, zz, z)
        return frames

    def _floats(self, q: Floats) -> list[float] | Sequence[float]:
        values = q.tolist() if isinstance(q, np.ndarray) else q
        if len(values) != self.n_joints:
            raise ValueError(f"{len(values)} joint positions: the chain has {self.n_joints} joints")
        return values


def rotation_about(axis: Sequence[float], angle_rad: float) -> Array:
    """Return the rotation (3, 3) by an angle about a unit axis (Rodrigues' formula)."""
    x, y, z = axis
    s, c = math.sin(angle_rad), math.cos(angle_rad)
    t = 1.0 - c
    return np.array(
        [
            [t * x * x + c, t * x * y - s * z, t * x * z + s * y],
            [t * x * y + s * z, t * y * y + c, t * y * z - s * x],
            [t * x * z - s * y, t * y * z + s * x, t * z * z + c],
        ]
    )


def rotation_from_z(axis: Array) -> Array:
    """Return a rotation that takes z to the unit axis; exact for ±x, ±y and ±z."""
    if axis[0] == axis[1] == 0.0 and axis[2] > 0.0:
        return np.eye(3)
    across = np.eye(3)[int(np.argmin(np.abs(axis)))]
    x = across - axis * (across @ axis)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(axis, x), axis])
