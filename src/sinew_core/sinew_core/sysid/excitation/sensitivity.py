"""How the efforts of a motion depend on an arm's parameters, and how well they then show.

Efforts are linear in masses, frictions and rotors, so the sensitivities are the efforts of unit
bodies: inverse dynamics of `robots.dynamics`, compiled, without the regressor of each body's ten
constants: some thousands of motions are compared in a search.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numba
import numpy as np
from numba.extending import register_jitable

from sinew_core.errors import ConfigError, suggest
from sinew_core.robots import dynamics
from sinew_core.robots.arm_dynamics import (
    ArmDynamics,
    matching_names,
    nominal_values,
    quantity_of,
)
from sinew_core.robots.arrays import Array
from sinew_core.robots.inertia import Body, carried_bodies, steiner
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.regressor import SMOOTHING_RAD_S

PLANNED = ("mass", "coulomb", "viscous", "armature", "payload/mass")
"""Kinds of parameters that efforts show linearly."""

_TYPICAL_SHARE = 0.02
"""Of the effort limit: the friction of a joint of which nobody has told any."""

_rows = numba.float64[:, ::1]
_SIGNATURE = numba.void(
    numba.float64[::1], _rows, numba.float64[::1], *[_rows] * 3, numba.float64[:, :, ::1]
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One parameter that is to be identified.

    Attributes:
        name: as in `robots.arm_dynamics`.
        nominal: value of the description, or of what is known of the arm.
        scale: what its uncertainty is compared with: the nominal value, or a typical one.
        unit: SI.
    """

    name: str
    nominal: float
    scale: float
    unit: str


class EffortSensitivity:
    """The efforts of motions of one arm, and their derivatives by the parameters asked for.

    Attributes:
        asked: the p parameters.
    """

    def __init__(self, robot: RobotModel, arm: ArmDynamics, patterns: Sequence[str]) -> None:
        """Prepare for an arm; a pattern is a name, or `KIND/*` for all of a kind.

        Raises:
            ConfigError: for an unknown name, none at all, or one that efforts do not show.
        """
        self._n = robot.n_joints
        values = arm.values(robot)
        names = _names(robot, patterns)
        self.asked = tuple(_asked(robot, name, values[name]) for name in names)
        bodies = _unit_bodies(robot, arm)
        rows = [dynamics.dynamics_rows(robot, each) for each in bodies]
        self._chain, self._gravity = np.array(rows[0][0]), np.array(rows[0][2])
        self._bodies = np.array([row[1] for row in rows])
        self._masses = np.array([*arm.mass_kg, arm.payload_mass_kg])
        self._arm = arm
        self._pick = [_column(robot, name) for name in names]

    def evaluate(
        self, position: Array, velocity: Array, acceleration: Array
    ) -> tuple[Array, Array]:
        """Return the efforts (N, n) N m of a motion (N, n), and their derivatives (N, n, p)."""
        shape = (len(position), self._n, self._n + 1)
        links = np.empty((shape[0], shape[2], shape[1]))
        _kernel()(
            self._chain, self._bodies, self._gravity,
            *(np.array(each, order="C") for each in (position, velocity, acceleration)), links,
        )  # fmt: skip
        sliding = np.tanh(velocity / SMOOTHING_RAD_S)
        arm = self._arm
        effort = (
            np.einsum("tbj,b->tj", links, self._masses)
            + arm.coulomb_nm * sliding
            + arm.viscous_nm_s_rad * velocity
            + arm.armature_kg_m2 * acceleration
        )
        per_joint = {"coulomb": sliding, "viscous": velocity, "armature": acceleration}
        columns = np.zeros((*shape[:2], len(self.asked)))
        for k, (kind, index) in enumerate(self._pick):
            if kind in per_joint:
                columns[:, index, k] = per_joint[kind][:, index]
            else:
                columns[:, :, k] = links[:, index, :]
        return effort, columns

    def information(self, columns: Array, noise_nm: float) -> Array:
        """Return the Fisher information (p, p) of samples (N, n, p), in units of the scales.

        Efforts are measured with independent errors of this standard deviation.
        """
        scaled = columns * (np.array([each.scale for each in self.asked]) / noise_nm)
        flat = scaled.reshape(-1, len(self.asked))
        return cast(Array, flat.T @ flat)


def _names(robot: RobotModel, patterns: Sequence[str]) -> list[str]:
    known = {
        name: value
        for name, value in nominal_values(robot).items()
        if name.startswith(tuple(f"{kind}/" for kind in PLANNED)) or name in PLANNED
    }
    found: list[str] = []
    for pattern in patterns:
        kind = pattern.partition("/")[0]
        if kind not in PLANNED and pattern not in PLANNED:
            raise ConfigError(
                f"parameters: no motion can be planned for '{pattern}': "
                f"{suggest(pattern, [f'{k}/*' for k in PLANNED[:-1]] + [PLANNED[-1]])}"
            )
        found += [n for n in matching_names(pattern, known, "parameters") if n not in found]
    if not found:
        raise ConfigError("parameters is empty: name what is to be identified, such as mass/*")
    return found


def _asked(robot: RobotModel, name: str, nominal: float) -> Asked:
    """Return a parameter with its scale: the nominal value where there is one."""
    kind, _, place = name.partition("/")
    scale = abs(nominal)
    if scale == 0.0 and place in robot.joint_names:
        j = robot.joint_names.index(place)
        limits = robot.limits
        typical = _TYPICAL_SHARE * float(limits.effort_nm[j])
        scale = {
            "coulomb": typical,
            "viscous": typical / float(limits.velocity_rad_s[j]),
            "armature": typical / float(limits.acceleration_rad_s2[j]),
        }[kind]
    quantity = quantity_of(name)
    assert quantity is not None
    return Asked(name=name, nominal=nominal, scale=scale or 1.0, unit=quantity.unit)


def _column(robot: RobotModel, name: str) -> tuple[str, int]:
    """Return kind and index of a parameter; the payload is the body after the links'."""
    kind, _, place = name.partition("/")
    if kind == "payload":
        return kind, robot.n_joints
    if kind == "mass":
        links = [n for n in nominal_values(robot) if n.startswith("mass/")]
        return kind, links.index(name)
    return kind, robot.joint_names.index(place)


def _unit_bodies(robot: RobotModel, arm: ArmDynamics) -> list[list[Body]]:
    """Return, for each link and the payload, the arm of which only that has a mass: 1 kg."""
    nothing = Body(mass=0.0, moment=np.zeros(3), inertia=np.zeros((3, 3)))
    arms = []
    for i, body in enumerate(carried_bodies(robot)):
        unit = Body(mass=1.0, moment=body.moment / body.mass, inertia=body.inertia / body.mass)
        arms.append([unit if k == i else nothing for k in range(robot.n_joints)])
    tool = robot.chain.tool
    point = tool[:3, :3] @ [arm.payload_x_m, arm.payload_y_m, arm.payload_z_m] + tool[:3, 3]
    payload = Body(mass=1.0, moment=point, inertia=steiner(point))
    arms.append([*[nothing] * (robot.n_joints - 1), payload])
    return arms


@functools.cache
def _kernel() -> Callable[..., None]:
    """Compile inverse dynamics of many bodies; numba's cache covers its sources by their hash."""
    for function in vars(dynamics).values():
        own = inspect.isfunction(function) and function.__module__ == dynamics.__name__
        if own and function not in (dynamics.dynamics_rows, dynamics.joint_inertia):
            register_jitable(function)
    sources = hashlib.sha256(inspect.getsource(dynamics).encode()).hexdigest()
    rotate_joints = cast(Callable[..., None], dynamics.rotate_joints)
    inverse_dynamics = cast(Callable[..., None], dynamics.inverse_dynamics)

    def efforts_of_bodies(
        chain: Array, bodies: Array, gravity: Array, position: Array, velocity: Array,
        acceleration: Array, out: Array,
    ) -> None:  # fmt: skip
        sources  # noqa: B018 - see above
        n = position.shape[1]
        rotations, wrenches = np.empty(9 * n), np.empty(6 * n)
        for t in range(position.shape[0]):
            rotate_joints(position[t], chain, rotations)
            for b in range(bodies.shape[0]):
                inverse_dynamics(
                    rotations, velocity[t], acceleration[t], chain, bodies[b], gravity, wrenches,
                    out[t, b],
                )  # fmt: skip

    kernel: Callable[..., None] = numba.njit(_SIGNATURE, cache=True, nogil=True)(efforts_of_bodies)
    return kernel
