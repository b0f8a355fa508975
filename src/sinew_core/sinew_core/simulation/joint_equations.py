"""The equations of the joints of `joint_law`, to be compiled, as parts of several kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from sinew_core.robots import dynamics
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel

Flags = npt.NDArray[np.bool_]
Work = tuple[Array, Array, Array, Array, Array, Array, Array]

LOWER, UPPER, COULOMB, VISCOUS, ARMATURE, LIMIT, KINETIC, RISE, STRIBECK = range(9)
"""Rows of what a joint has: stops (rad), frictions, rotor, the most that its motor gives; and for
Stribeck friction that of motion (N m), by how much it is higher at rest, and the speed (rad/s) over
which it falls. The Coulomb friction is then what is in force in a step."""

_MAX_SWEEPS = 1000
_SWEEP_TOLERANCE = 1e-12
"""rad/s: the sweeps end when no joint's speed is corrected by more."""

# The plain functions are typed for lists, and run on arrays here.
_rotate_joints = cast(Callable[..., None], dynamics.rotate_joints)
_inverse_dynamics = cast(Callable[..., None], dynamics.inverse_dynamics)
_inertia_matrix = cast(Callable[..., None], dynamics.inertia_matrix)

tuple_of = cast(Callable[..., numba.types.Type], numba.types.Tuple)
"""numba's constructors of types have no types of their own."""
vector = numba.float64[::1]
matrix = numba.float64[:, ::1]


def joint_rows(robot: RobotModel, arm: ArmDynamics) -> Array:
    """Return the rows (9, n) of what each joint of one copy of an arm has."""
    limits = robot.limits
    return np.array(
        [
            limits.position_lower_rad,
            limits.position_upper_rad,
            arm.coulomb_nm,
            arm.viscous_nm_s_rad,
            arm.armature_kg_m2,
            arm.motor_strength * limits.effort_nm,
            arm.coulomb_nm,
            (arm.stiction_ratio - 1.0) * arm.coulomb_nm,
            np.full(robot.n_joints, arm.stribeck_rad_s),
        ]
    )


@register_jitable
def put_friction_in_force(joints: Array, velocity: Array) -> None:
    """Write the Coulomb friction (n,) of a step that begins at (n,) rad/s.

    It falls from stiction to that of motion (Armstrong-Helouvry, Dupont, Canudas de Wit, Automatica
    30(7), 1994, equation 3). Its level goes by the speed before the step; at rest and in its sign
    it stays set-valued, so that a joint sticks.
    """
    for i in range(velocity.size):
        if joints[RISE, i] > 0.0:
            share = velocity[i] / joints[STRIBECK, i]
            joints[COULOMB, i] = joints[KINETIC, i] + joints[RISE, i] * np.exp(-share * share)


@register_jitable
def speed_and_effort(
    free: float, gain: float, target: float, limit: float, coulomb: float
) -> tuple[float, float]:
    """Return speed (rad/s) and effort (N m) of one joint under its drive and its friction.

    The speed is free + gain * effort; the effort falls with it, from limit + coulomb through
    (limit - coulomb) towards the target between rest and target, to -limit - coulomb.
    """
    low, high = min(target, 0.0), max(target, 0.0)
    effort = limit + coulomb
    speed = free + gain * effort
    if speed < low:
        return speed, effort
    speed = free - gain * effort
    if speed > high:
        return speed, -effort
    effort = limit - coulomb if target > 0.0 else coulomb - limit
    speed = free + gain * effort
    if not low < speed < high:
        speed = high if speed >= high else low
        effort = (speed - free) / gain
    return speed, effort


@register_jitable
def friction_of(speed: float, effort: float, coulomb: float) -> float:
    """Return the part of a joint's effort (N m) that is friction; at rest it holds what it can."""
    if speed > 0.0:
        return -coulomb
    if speed < 0.0:
        return coulomb
    return min(max(effort, -coulomb), coulomb)


@register_jitable
def invert_positive(matrix: Array, inverse: Array) -> None:
    """Write the inverse (n, n) of a symmetric positive matrix, whose content is lost: Cholesky."""
    n = matrix.shape[0]
    for j in range(n):
        for k in range(j):
            for i in range(j, n):
                matrix[i, j] -= matrix[i, k] * matrix[j, k]
        root = matrix[j, j] ** 0.5
        for i in range(j, n):
            matrix[i, j] /= root
    for column in range(n):
        for i in range(n):
            total = 1.0 if i == column else 0.0
            for k in range(i):
                total -= matrix[i, k] * inverse[k, column]
            inverse[i, column] = total / matrix[i, i]
        for i in range(n - 1, -1, -1):
            total = inverse[i, column]
            for k in range(i + 1, n):
                total -= matrix[k, i] * inverse[k, column]
            inverse[i, column] = total / matrix[i, i]


@register_jitable
def pressed(joints: Array, i: int, position: float, speed: float) -> bool:
    """Tell whether a joint is at a stop that a speed would take it beyond."""
    return (position >= joints[UPPER, i] and speed > 0.0) or (
        position <= joints[LOWER, i] and speed < 0.0
    )


@register_jitable
def follow(
    whole: Array, start: Array, joints: Array, period_s: float, position: Array, target: Array,
    speed: Array, effort: Array, stopped: Flags,
) -> bool:  # fmt: skip
    """Write speeds and efforts (n,) of drives that all reach their target; tell if they can."""
    n = start.size
    for i in range(n):
        stopped[i] = pressed(joints, i, position[i], target[i])
        speed[i] = 0.0 if stopped[i] else target[i]
    strong = True
    for i in range(n):
        total = -start[i]
        for j in range(n):
            total += whole[i, j] * speed[j]
        effort[i] = total / period_s
        motor = effort[i] - friction_of(speed[i], effort[i], joints[COULOMB, i])
        strong &= bool(stopped[i]) or abs(motor) <= joints[LIMIT, i]
    return strong


@register_jitable
def sweep(
    gains: Array, joints: Array, position: Array, target: Array, limit: Array,
    speed: Array, effort: Array, stopped: Flags,
) -> None:  # fmt: skip
    """Bring speeds (n,) and efforts (n,) into agreement with every joint's law.

    Args:
        gains: (n, n) rad/s per N m: what an effort adds to each speed.
        joints: rows of what each joint has.
        position: (n,) rad.
        target: (n,) rad/s of the velocity drives.
        limit: (n,) N m of them.
        speed: without any effort, written.
        effort: written.
        stopped: (n,) written: which joints their stops hold.
    """
    n = speed.size
    effort[:] = 0.0
    for _ in range(_MAX_SWEEPS):
        largest = 0.0
        for i in range(n):
            gain = gains[i, i]
            free = speed[i] - gain * effort[i]
            v, e = speed_and_effort(free, gain, target[i], limit[i], joints[COULOMB, i])
            stopped[i] = pressed(joints, i, position[i], v)
            if stopped[i]:
                v, e = 0.0, -free / gain
            delta = e - effort[i]
            effort[i] = e
            for j in range(n):
                speed[j] += gains[j, i] * delta
            speed[i] = v
            largest = max(largest, abs(gain * delta))
        if largest < _SWEEP_TOLERANCE:
            break


@register_jitable
def work_space(n: int) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """Return what the functions below write on their way, so that loops allocate nothing.

    Rotations (9 n,), wrenches (6 n,), composites (10 n,), two matrices (n, n), the momenta (n,)
    before a step, and zeros (n,).
    """
    return (
        np.empty(9 * n), np.empty(6 * n), np.empty(10 * n),
        np.empty((n, n)), np.empty((n, n)), np.empty(n), np.zeros(n),
    )  # fmt: skip


@register_jitable
def links_of(
    chain: Array, bodies: Array, gravity: Array, position: Array, velocity: Array,
    inertia: Array, bias: Array, work: Work,
) -> None:  # fmt: skip
    """Write inertia (n n,) and bias (n,) of the links, and the rotations in the work space."""
    rotations, wrenches, composites, _, _, _, still = work
    _rotate_joints(position, chain, rotations)
    _inverse_dynamics(rotations, velocity, still, chain, bodies, gravity, wrenches, bias)
    _inertia_matrix(rotations, chain, bodies, composites, inertia)


@register_jitable
def weight_of(chain: Array, bodies: Array, gravity: Array, work: Work, weight: Array) -> None:
    """Write the efforts (n,) that hold an arm of these bodies; the rotations are known."""
    rotations, wrenches, _, _, _, _, still = work
    _inverse_dynamics(rotations, still, still, chain, bodies, gravity, wrenches, weight)


@register_jitable
def write_weight(
    chain: Array, bodies: Array, gravity: Array, position: Array, weight: Array
) -> None:
    """Write the efforts (n,) that hold an arm at (n,) rad."""
    work = work_space(position.size)
    _rotate_joints(position, chain, work[0])
    weight_of(chain, bodies, gravity, work, weight)


@register_jitable
def solve_speeds(
    inertia: Array, bias: Array, joints: Array, period_s: float, position: Array, velocity: Array,
    command: Array, by_velocity: bool, speed: Array, effort: Array, stopped: Flags, work: Work,
) -> None:  # fmt: skip
    """Write the speeds (n,) after the step, the efforts, and which joints their stops hold.

    Of the joints' rows the friction in force changes.
    """
    n = position.size
    put_friction_in_force(joints, velocity)
    _, _, _, whole, gains, start, nothing = work
    whole[:] = inertia
    for i in range(n):
        total = joints[ARMATURE, i] * velocity[i] - period_s * bias[i]
        for j in range(n):
            total += inertia[i, j] * velocity[j]
        start[i] = total
        whole[i, i] += joints[ARMATURE, i] + period_s * joints[VISCOUS, i]
    if by_velocity and follow(
        whole, start, joints, period_s, position, command, speed, effort, stopped
    ):
        return
    if not by_velocity:
        for i in range(n):
            start[i] += period_s * command[i]
    invert_positive(whole, gains)
    for i in range(n):
        speed[i] = 0.0
        for j in range(n):
            speed[i] += gains[i, j] * start[j]
            gains[i, j] *= period_s
    if by_velocity:
        sweep(gains, joints, position, command, joints[LIMIT], speed, effort, stopped)
    else:
        sweep(gains, joints, position, nothing, nothing, speed, effort, stopped)


@register_jitable
def write_motors(
    joints: Array, command: Array, by_velocity: bool, speed: Array, effort: Array, stopped: Flags,
    motor: Array,
) -> None:  # fmt: skip
    """Write the part of the joints' efforts (n,) that their motors give."""
    for i in range(speed.size):
        if not by_velocity:
            motor[i] = command[i]
        elif stopped[i]:
            # A drive that a stop holds pushes with all that it has.
            motor[i] = np.sign(command[i]) * joints[LIMIT, i]
        else:
            motor[i] = effort[i] - friction_of(speed[i], effort[i], joints[COULOMB, i])
