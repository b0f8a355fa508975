"""Dynamics of a serial chain: efforts of a motion, and the joint-space inertia matrix.

Plain functions over floats and flat rows: Python runs them over lists, numba compiles them for
arrays; the results are equal to the last bit. Recursive Newton-Euler and composite rigid bodies:
R. Featherstone, Rigid Body Dynamics Algorithms, Springer 2008, chapters 5 and 6.

Frames are those of `kinematics`: each joint turns about its own z, the transform from the frame
before is F_i Rz(q_i). All quantities of a body are taken about the origin of its joint's frame, so
its mass, first moment and inertia enter linearly. Gravity is an acceleration of the base.

Rows, for n joints:

| row | values |
|---|---|
| `chain` | 12 per joint: F_i's rotation row by row, its translation in m |
| `bodies` | 10 per joint: mass, first moment (3), inertia xx, xy, xz, yy, yz, zz |
| `gravity` | 3: m/s² in the base frame |
| `rotations` | 9 per joint: the rotation of F_i Rz(q_i), row by row |
| `wrenches` | 6 per joint: force and moment that the body's own motion takes |
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.robots.inertia import Body, carried_bodies, gravity_in_base
from sinew_core.robots.kinematics import rotation_from_z
from sinew_core.robots.model import RobotModel

_UPPER = np.triu_indices(3)

Row = Sequence[float]
Buffer = MutableSequence[float]


def dynamics_rows(
    robot: RobotModel, carried: Sequence[Body] | None = None
) -> tuple[list[float], list[float], list[float]]:
    """Return `chain`, `bodies` and `gravity` of a robot, whose joints may carry other bodies.

    Raises:
        RobotError: nothing that a driven joint carries has a mass.
    """
    bodies: list[float] = []
    carried = carried_bodies(robot) if carried is None else carried
    for body, axis in zip(carried, robot.chain.axes, strict=True):
        turn = rotation_from_z(axis)
        inertia = turn.T @ body.inertia @ turn
        bodies += [body.mass, *(turn.T @ body.moment).tolist()]
        bodies += inertia[_UPPER].tolist()
    return list(robot.chain.coefficients), bodies, gravity_in_base(robot).tolist()


def joint_inertia(robot: RobotModel) -> NDArray[np.float64]:
    """Return the inertia (n,) kg m² that each joint moves alone at home: 1 / (M^-1)_ii.

    The other joints are free, as they are where all are commanded by efforts.

    Raises:
        RobotError: nothing that a driven joint carries has a mass.
    """
    n = robot.n_joints
    chain, bodies, _ = dynamics_rows(robot)
    rotations, composites, matrix = [0.0] * (9 * n), [0.0] * (10 * n), [0.0] * (n * n)
    rotate_joints(robot.home_rad.tolist(), chain, rotations)
    inertia_matrix(rotations, chain, bodies, composites, matrix)
    inertia: NDArray[np.float64] = 1.0 / np.diag(np.linalg.inv(np.reshape(matrix, (n, n))))
    return inertia


def rotate_joints(q: Row, chain: Row, rotations: Buffer) -> None:
    """Write the rotation of every joint at positions `q` (n,) rad."""
    for i in range(len(q)):
        sine = math.sin(q[i])
        cosine = math.cos(q[i])
        k = 12 * i
        m = 9 * i
        for _ in range(3):
            x = chain[k]
            y = chain[k + 1]
            rotations[m] = x * cosine + y * sine
            rotations[m + 1] = y * cosine - x * sine
            rotations[m + 2] = chain[k + 2]
            k += 3
            m += 3


def turned(rotations: Row, joint: int, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return a vector of a joint's frame in the frame before."""
    m = 9 * joint
    return (
        rotations[m] * x + rotations[m + 1] * y + rotations[m + 2] * z,
        rotations[m + 3] * x + rotations[m + 4] * y + rotations[m + 5] * z,
        rotations[m + 6] * x + rotations[m + 7] * y + rotations[m + 8] * z,
    )


def turned_back(
    rotations: Row, joint: int, x: float, y: float, z: float
) -> tuple[float, float, float]:
    """Return a vector of the frame before in a joint's frame."""
    m = 9 * joint
    return (
        rotations[m] * x + rotations[m + 3] * y + rotations[m + 6] * z,
        rotations[m + 1] * x + rotations[m + 4] * y + rotations[m + 7] * z,
        rotations[m + 2] * x + rotations[m + 5] * y + rotations[m + 8] * z,
    )


def inverse_dynamics(
    rotations: Row,
    velocity: Row,
    acceleration: Row,
    chain: Row,
    bodies: Row,
    gravity: Row,
    wrenches: Buffer,
    out: Buffer,
) -> None:
    """Write the efforts (n,) N m of a motion: recursive Newton-Euler.

    Args:
        rotations: of the positions, from `rotate_joints`.
        velocity: (n,) rad/s.
        acceleration: (n,) rad/s².
        chain: of the robot.
        bodies: of the robot.
        gravity: of the robot.
        wrenches: written on the way (6 n,).
        out: written; may be `acceleration`.
    """
    wx = wy = wz = dx = dy = dz = 0.0  # angular velocity and acceleration
    ax, ay, az = -gravity[0], -gravity[1], -gravity[2]  # of the frame's origin
    for i in range(len(velocity)):
        k = 12 * i
        px, py, pz = chain[k + 9], chain[k + 10], chain[k + 11]
        ux, uy, uz = wy * pz - wz * py, wz * px - wx * pz, wx * py - wy * px
        bx = ax + (dy * pz - dz * py) + (wy * uz - wz * uy)
        by = ay + (dz * px - dx * pz) + (wz * ux - wx * uz)
        bz = az + (dx * py - dy * px) + (wx * uy - wy * ux)
        ax, ay, az = turned_back(rotations, i, bx, by, bz)
        wx, wy, wz = turned_back(rotations, i, wx, wy, wz)
        dx, dy, dz = turned_back(rotations, i, dx, dy, dz)
        v = velocity[i]
        dx += wy * v
        dy -= wx * v
        dz += acceleration[i]
        wz += v
        write_wrench(bodies, i, wx, wy, wz, dx, dy, dz, ax, ay, az, wrenches)
    sum_wrenches(rotations, chain, wrenches, out)


def write_wrench(
    bodies: Row,
    body: int,
    wx: float,
    wy: float,
    wz: float,
    dx: float,
    dy: float,
    dz: float,
    ax: float,
    ay: float,
    az: float,
    wrenches: Buffer,
) -> None:
    """Write the force and moment that a body's motion takes.

    m a + d x c + w x (w x c), and I d + w x I w + c x a, with the first moment c.
    """
    k = 10 * body
    m, cx, cy, cz = bodies[k], bodies[k + 1], bodies[k + 2], bodies[k + 3]
    xx, xy, xz = bodies[k + 4], bodies[k + 5], bodies[k + 6]
    yy, yz, zz = bodies[k + 7], bodies[k + 8], bodies[k + 9]
    ux, uy, uz = wy * cz - wz * cy, wz * cx - wx * cz, wx * cy - wy * cx
    hx = xx * wx + xy * wy + xz * wz
    hy = xy * wx + yy * wy + yz * wz
    hz = xz * wx + yz * wy + zz * wz
    k = 6 * body
    wrenches[k] = m * ax + (dy * cz - dz * cy) + (wy * uz - wz * uy)
    wrenches[k + 1] = m * ay + (dz * cx - dx * cz) + (wz * ux - wx * uz)
    wrenches[k + 2] = m * az + (dx * cy - dy * cx) + (wx * uy - wy * ux)
    moment = xx * dx + xy * dy + xz * dz
    wrenches[k + 3] = moment + (wy * hz - wz * hy) + (cy * az - cz * ay)
    moment = xy * dx + yy * dy + yz * dz
    wrenches[k + 4] = moment + (wz * hx - wx * hz) + (cz * ax - cx * az)
    moment = xz * dx + yz * dy + zz * dz
    wrenches[k + 5] = moment + (wx * hy - wy * hx) + (cx * ay - cy * ax)


def sum_wrenches(rotations: Row, chain: Row, wrenches: Row, out: Buffer) -> None:
    """Write each joint's effort: the moment about it of all wrenches from there to the tool."""
    fx = fy = fz = tx = ty = tz = 0.0
    for i in range(len(out) - 1, -1, -1):
        k = 6 * i
        fx += wrenches[k]
        fy += wrenches[k + 1]
        fz += wrenches[k + 2]
        tx += wrenches[k + 3]
        ty += wrenches[k + 4]
        tz += wrenches[k + 5]
        out[i] = tz
        fx, fy, fz, tx, ty, tz = wrench_before(rotations, chain, i, fx, fy, fz, tx, ty, tz)


def wrench_before(
    rotations: Row,
    chain: Row,
    joint: int,
    fx: float,
    fy: float,
    fz: float,
    tx: float,
    ty: float,
    tz: float,
) -> tuple[float, float, float, float, float, float]:
    """Return force and moment of a joint's frame in, and about, the frame before."""
    k = 12 * joint
    px, py, pz = chain[k + 9], chain[k + 10], chain[k + 11]
    fx, fy, fz = turned(rotations, joint, fx, fy, fz)
    tx, ty, tz = turned(rotations, joint, tx, ty, tz)
    return (
        fx,
        fy,
        fz,
        tx + (py * fz - pz * fy),
        ty + (pz * fx - px * fz),
        tz + (px * fy - py * fx),
    )


def inertia_matrix(
    rotations: Row, chain: Row, bodies: Row, composites: Buffer, out: Buffer
) -> None:
    """Write the joint-space inertia matrix (n n,) kg m², row by row: composite rigid bodies.

    Args:
        rotations: of the positions, from `rotate_joints`.
        chain: of the robot.
        bodies: of the robot.
        composites: written on the way (10 n,): each body with all that it carries.
        out: written.
    """
    n = len(rotations) // 9
    for k in range(10 * n):
        composites[k] = bodies[k]
    for i in range(n - 1, -1, -1):
        k = 10 * i
        if i > 0:
            add_to_body_before(rotations, chain, composites, i)
        # Force and moment that turn the composite about this joint at 1 rad/s².
        fx, fy, fz = -composites[k + 2], composites[k + 1], 0.0
        tx, ty, tz = composites[k + 6], composites[k + 8], composites[k + 9]
        out[i * n + i] = tz
        for j in range(i, 0, -1):
            fx, fy, fz, tx, ty, tz = wrench_before(rotations, chain, j, fx, fy, fz, tx, ty, tz)
            out[i * n + j - 1] = tz
            out[(j - 1) * n + i] = tz


def add_to_body_before(rotations: Row, chain: Row, composites: Buffer, body: int) -> None:
    """Add a composite body to the one that carries it.

    With the moment c and the inertia turned into the frame before at p:
    c' = c + m p,  I' = I + m (p·p 1 - p pᵀ) + 2 (p·c) 1 - p cᵀ - c pᵀ.
    """
    k = 10 * body
    m = composites[k]
    cx, cy, cz = turned(rotations, body, composites[k + 1], composites[k + 2], composites[k + 3])
    xx, xy, xz, yy, yz, zz = turned_inertia(rotations, composites, body)
    p = 12 * body + 9
    px, py, pz = chain[p], chain[p + 1], chain[p + 2]
    # Halves of m p + 2 c: they carry both terms of the shift.
    sx, sy, sz = m * px + 2.0 * cx, m * py + 2.0 * cy, m * pz + 2.0 * cz
    along = px * sx + py * sy + pz * sz
    k -= 10
    composites[k] += m
    composites[k + 1] += cx + m * px
    composites[k + 2] += cy + m * py
    composites[k + 3] += cz + m * pz
    composites[k + 4] += xx + along - px * sx
    composites[k + 5] += xy - 0.5 * (px * sy + py * sx)
    composites[k + 6] += xz - 0.5 * (px * sz + pz * sx)
    composites[k + 7] += yy + along - py * sy
    composites[k + 8] += yz - 0.5 * (py * sz + pz * sy)
    composites[k + 9] += zz + along - pz * sz


def turned_inertia(
    rotations: Row, composites: Row, body: int
) -> tuple[float, float, float, float, float, float]:
    """Return R I Rᵀ of a composite body: xx, xy, xz, yy, yz, zz."""
    k = 10 * body
    xx, xy, xz = composites[k + 4], composites[k + 5], composites[k + 6]
    yy, yz, zz = composites[k + 7], composites[k + 8], composites[k + 9]
    # Rows of R I are I times the rows of R.
    m = 9 * body
    a, b, c = rotations[m], rotations[m + 1], rotations[m + 2]
    d, e, f = rotations[m + 3], rotations[m + 4], rotations[m + 5]
    g, h, w = rotations[m + 6], rotations[m + 7], rotations[m + 8]
    ax, ay, az = xx * a + xy * b + xz * c, xy * a + yy * b + yz * c, xz * a + yz * b + zz * c
    dx, dy, dz = xx * d + xy * e + xz * f, xy * d + yy * e + yz * f, xz * d + yz * e + zz * f
    gx, gy, gz = xx * g + xy * h + xz * w, xy * g + yy * h + yz * w, xz * g + yz * h + zz * w
    return (
        a * ax + b * ay + c * az,
        a * dx + b * dy + c * dz,
        a * gx + b * gy + c * gz,
        d * dx + e * dy + f * dz,
        d * gx + e * gy + f * gz,
        g * gx + h * gy + w * gz,
    )
