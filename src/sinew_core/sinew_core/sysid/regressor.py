"""Joint efforts of a motion as a linear function of an arm's constants.

    tau = Y(q, v, a) pi + C(v) c + diag(v) b + diag(a) g

| constants | per | how many |
|---|---|---|
| pi: mass, first moment, inertia, as the row `bodies` of `robots.dynamics` | link | 10 n |
| c: Coulomb friction, with C = diag(tanh(v / v_s)), smooth where a joint turns round | joint | n |
| b: viscous friction | joint | n |
| g: rotor inertia | joint | n |

Y comes from the arm's own compiled inverse dynamics, which is linear in `bodies`: each body's
wrench depends on its own ten constants alone, so ten passes with one constant of every body set to
one give the wrenches of all, and each is then carried down the chain.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numba
import numpy as np
from numba.extending import register_jitable

from sinew_core.robots import dynamics
from sinew_core.robots.arrays import Array, frozen_array
from sinew_core.robots.dynamics import dynamics_rows
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.compiling import register_dynamics, sources_hash
from sinew_core.sysid.parametrisation import Parametrisation

PER_BODY = 10
SMOOTHING_RAD_S = 0.01
"""v_s: Coulomb friction is smooth below a few times this speed."""
_DIFFERENCE = 1e-4
"""Of a step of finite differences: constants are polynomials, or exponentials, of coordinates."""

_rows = numba.float64[:, ::1]
_SIGNATURE = numba.void(
    numba.float64[::1], numba.float64[::1], _rows, _rows, _rows, numba.float64[:, :, ::1]
)
# The plain functions are typed for lists, and run on arrays here.
_rotate_joints = cast(Callable[..., None], dynamics.rotate_joints)
_inverse_dynamics = cast(Callable[..., None], dynamics.inverse_dynamics)
_wrench_before = cast(Callable[..., tuple[float, ...]], dynamics.wrench_before)


@dataclass(frozen=True, kw_only=True, eq=False)
class JointMotion:
    """Positions, velocities and accelerations (N, n) of an arm: rad, rad/s, rad/s²."""

    position_rad: Array
    velocity_rad_s: Array
    acceleration_rad_s2: Array

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        for field in ("position_rad", "velocity_rad_s", "acceleration_rad_s2"):
            object.__setattr__(self, field, frozen_array(getattr(self, field)))


def body_regressor(robot: RobotModel, motion: JointMotion) -> Array:
    """Return Y (N, n, 10 n) of a motion."""
    chain, _, gravity = dynamics_rows(robot)
    n = robot.n_joints
    regressor = np.zeros((len(motion.position_rad), n, PER_BODY * n))
    _kernel()(
        np.array(chain),
        np.array(gravity),
        np.array(motion.position_rad, order="C"),
        np.array(motion.velocity_rad_s, order="C"),
        np.array(motion.acceleration_rad_s2, order="C"),
        regressor,
    )
    return regressor


def joint_columns(motion: JointMotion, smoothing_rad_s: float = SMOOTHING_RAD_S) -> Array:
    """Return the columns (3, N, n) of Coulomb friction, viscous friction and rotor, per joint."""
    v = motion.velocity_rad_s
    return np.array([np.tanh(v / smoothing_rad_s), v, motion.acceleration_rad_s2])


def constants_of(robot: RobotModel, params: SimParams) -> Array:
    """Return the constants (13 n,) of an arm: bodies, then Coulomb, viscous and rotor by joint."""
    arm = params.dynamics
    _, bodies, _ = dynamics_rows(robot, arm.bodies(robot))
    frictions = (arm.coulomb_nm, arm.viscous_nm_s_rad, arm.armature_kg_m2)
    return np.concatenate([bodies, *frictions])


def constants_jacobian(
    parametrisation: Parametrisation, theta: Array, before: Array | None = None
) -> Array:
    """Return the derivatives (13 n, p) of the constants by the coordinates (p,).

    With those of other coordinates at hand only what is not linear is computed.
    """
    robot = parametrisation.robot
    jacobian = np.zeros((13 * robot.n_joints, parametrisation.size))
    if before is not None:
        jacobian[:] = before
    for i in places_of_arm(parametrisation, curved=before is not None):
        step = np.zeros(parametrisation.size)
        step[i] = _DIFFERENCE * parametrisation.step[i] / 0.01
        high, low = (
            constants_of(robot, parametrisation.params(theta + sign * step)) for sign in (1.0, -1.0)
        )
        jacobian[:, i] = (high - low) / (2.0 * step[i])
    return jacobian


def places_of_arm(parametrisation: Parametrisation, *, curved: bool) -> list[int]:
    """Return which coordinates change the arm's constants, or only those that do not linearly."""
    names = parametrisation.names
    places = [i for i, name in enumerate(names) if shapes_efforts(name)]
    if not curved:
        return places
    whole = {first + i for first in parametrisation.whole_links.values() for i in range(PER_BODY)}
    has_place = any(name.startswith("payload/") and name != "payload/mass" for name in names)
    return [i for i in places if i in whole or (has_place and names[i].startswith("payload/"))]


def shapes_efforts(name: str) -> bool:
    """Tell whether a value is of the arm's bodies or joints, not of what drives it."""
    kind = name.partition("/")[0]
    return kind not in ("delay_s", "motor_strength", "kp", "kd", "kp_v", "ki_v")


def efforts_of(robot: RobotModel, params: SimParams, motion: JointMotion) -> Array:
    """Return the efforts (N, n) N m that a motion takes, friction smooth."""
    n = robot.n_joints
    constants = constants_of(robot, params)
    efforts: Array = body_regressor(robot, motion) @ constants[: PER_BODY * n]
    for column, values in zip(
        joint_columns(motion), constants[PER_BODY * n :].reshape(3, n), strict=True
    ):
        efforts += column * values
    return efforts


@register_jitable
def fill_regressor(
    chain: Array, gravity: Array, position: Array, velocity: Array, acceleration: Array, out: Array
) -> None:
    """Write Y (N, n, 10 n), which is zero, of a motion (N, n)."""
    samples, n = position.shape
    rotations, wrenches, effort = np.empty(9 * n), np.empty(6 * n), np.empty(n)
    bodies = np.zeros(10 * n)
    for t in range(samples):
        _rotate_joints(position[t], chain, rotations)
        for constant in range(10):
            bodies[:] = 0.0
            bodies[constant::10] = 1.0
            _inverse_dynamics(
                rotations, velocity[t], acceleration[t], chain, bodies, gravity, wrenches, effort
            )
            for body in range(n):
                k = 6 * body
                fx, fy, fz = wrenches[k], wrenches[k + 1], wrenches[k + 2]
                tx, ty, tz = wrenches[k + 3], wrenches[k + 4], wrenches[k + 5]
                column = 10 * body + constant
                out[t, body, column] = tz
                for joint in range(body, 0, -1):
                    fx, fy, fz, tx, ty, tz = _wrench_before(
                        rotations, chain, joint, fx, fy, fz, tx, ty, tz
                    )
                    out[t, joint - 1, column] = tz


@functools.cache
def _kernel() -> Callable[..., None]:
    """Compile with the dynamics, whose file numba's cache does not know."""
    register_dynamics()
    sources = sources_hash(sys.modules[__name__])

    def regressor(
        chain: Array, gravity: Array, position: Array, velocity: Array, acceleration: Array,
        out: Array,
    ) -> None:  # fmt: skip
        sources  # noqa: B018 - see above
        fill_regressor(chain, gravity, position, velocity, acceleration, out)

    kernel: Callable[..., None] = numba.njit(_SIGNATURE, cache=True, nogil=True)(regressor)
    return kernel
