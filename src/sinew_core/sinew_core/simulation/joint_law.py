"""How the joints of one copy of an arm move: friction, rotors and real motors, for any engine.

Engines differ in what they offer: neither has exact Coulomb friction beside a velocity drive,
PyBullet has no armature. So the joints' laws are solved here, once per physics step, and the engine
gets the joint efforts whose accelerations are those of the solution. For a step h from v to v':

    (M + A + h B) v' = (M + A) v + h (u + f - c(q, v))

with the inertia M and the bias c of the links, the armature A, viscous friction B (implicit, so
stable for any value), motor efforts u and Coulomb friction f, of which Stribeck's is a
level that goes by v. The engine, which knows links only,
is given M (v' - v) / h + c: the torque transform of an armature that it lacks.

The unknown efforts of each joint are a falling step function of its speed: friction turns from F to
-F at rest, a velocity drive from L to -L at its target, and a stop gives whatever keeps the joint
in. Projected Gauss-Seidel sweeps over the joints solve that exactly, stiction included (as
Bullet's friction motors and `mujoco_drive` do). The law does not know what touches the tool: what
that does to the joints in one step is made up for in the next one.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence

import numba
import numpy as np
from numba.extending import register_jitable

from sinew_core.errors import ConfigError
from sinew_core.robots import dynamics
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.simulation import joint_equations
from sinew_core.simulation.compiling import register_dynamics, sources_hash
from sinew_core.simulation.controller_law import ControllerLaw
from sinew_core.simulation.joint_equations import (
    joint_rows,
    links_of,
    matrix,
    solve_speeds,
    vector,
    work_space,
    write_motors,
)

_SIGNATURE = numba.void(
    *[vector, vector, vector, matrix, numba.float64],
    *[vector, vector, vector, numba.boolean, vector, vector],
)


class JointLaw:
    """Solves the joints of one copy of an arm, step by step.

    It keeps nothing between steps but arrays to work in; the arm's own controllers do.

    Attributes:
        controllers: the arm's own; None where its drives are ideal.
        effort_nm: (n,) what the engine has to apply in the next physics step.
        motor_nm: (n,) what the motors give of it.
    """

    def __init__(
        self,
        robot: RobotModel,
        arm: ArmDynamics,
        physics_rate_hz: int,
        controllers: ControllerLaw | None = None,
    ) -> None:
        """Prepare for one copy, whose own controllers may take its commands."""
        self._strength, self._limit = arm.motor_strength, robot.limits.effort_nm
        rows = dynamics.dynamics_rows(robot, arm.bodies(robot))
        joints = joint_rows(robot, arm)
        self._model = (*(np.array(row) for row in rows), joints, 1.0 / physics_rate_hz)
        self._command = np.zeros(robot.n_joints)
        self._by_velocity = True
        self.controllers = controllers
        self._kernel = _kernel()
        self.effort_nm = np.zeros(robot.n_joints)
        self.motor_nm = np.zeros(robot.n_joints)

    def hold_velocity(self, velocity_rad_s: Sequence[float] | Array) -> None:
        """Aim at (n,) rad/s, of which each drive reaches its share, by its share of the effort."""
        np.multiply(velocity_rad_s, self._strength, out=self._command)
        self._by_velocity = True

    def hold_effort(self, effort_nm: Sequence[float] | Array) -> None:
        """Give (n,) N m, clipped to the limits, as far as the motors are strong."""
        np.clip(effort_nm, -self._limit, self._limit, out=self._command)
        self._command *= self._strength
        self._by_velocity = False

    def reset(self, position_rad: Sequence[float] | Array) -> None:
        """Let the arm's own controllers, if it has some, hold it at (n,) rad."""
        self.motor_nm[:] = 0.0
        if self.controllers is not None:
            self.controllers.reset(np.asarray(position_rad))

    def take_over(self) -> None:
        """Let what is held drive the arm, not its own controllers, until a command reaches them."""
        if self.controllers is not None:
            self.controllers.take_over()

    def solve(self, position: Array, velocity: Array) -> Array:
        """Return `effort_nm` for the step that begins at (n,) rad, moving at (n,) rad/s.

        The arm's own controllers drive it, if it has some, unless something else has taken over.
        """
        by_velocity, controllers = self._by_velocity, self.controllers
        if controllers is not None and controllers.drives(position):
            controllers.write_efforts(position, velocity, self._command)
            by_velocity = False
        self._kernel(
            *self._model,
            position,
            velocity,
            self._command,
            by_velocity,
            self.motor_nm,
            self.effort_nm,
        )
        return self.effort_nm


def make_law(
    robot: RobotModel,
    arm: ArmDynamics,
    physics_rate_hz: int,
    controller: ArmController | None,
    command_period_s: float,
) -> JointLaw:
    """Return the law of one copy of an arm, with controllers of its own or with ideal drives.

    Raises:
        ConfigError: the controller's gains are wrong, or too high for the physics rate.
    """
    if controller is None:
        return JointLaw(robot, arm, physics_rate_hz)
    controllers = ControllerLaw(robot, arm, controller, physics_rate_hz, command_period_s)
    return JointLaw(robot, arm, physics_rate_hz, controllers)


def controllers_of(law: JointLaw | None) -> ControllerLaw:
    """Return the arm's own controllers.

    Raises:
        ConfigError: it has none.
    """
    if law is None or law.controllers is None:
        raise ConfigError(
            "the arm has no controllers of its own: give set_dynamics some, or command velocities "
            "or efforts"
        )
    return law.controllers


def solve_joints(
    chain: Array, bodies: Array, gravity: Array, joints: Array, period_s: float,
    position: Array, velocity: Array, command: Array, by_velocity: bool,
    motor: Array, applied: Array,
) -> None:  # fmt: skip
    """Write the efforts (n,) of the motors, and those that the engine has to apply."""
    n = position.size
    flat, bias = np.empty(n * n), np.empty(n)
    work = work_space(n)
    links_of(chain, bodies, gravity, position, velocity, flat, bias, work)
    inertia = flat.reshape((n, n))
    speed, effort, stopped = np.empty(n), np.empty(n), np.zeros(n, np.bool_)
    solve_speeds(
        inertia, bias, joints, period_s, position, velocity, command, by_velocity,
        speed, effort, stopped, work,
    )  # fmt: skip
    write_motors(joints, command, by_velocity, speed, effort, stopped, motor)
    for i in range(n):
        applied[i] = motor[i] if stopped[i] else bias[i]
        if not stopped[i]:
            for j in range(n):
                applied[i] += inertia[i, j] * (speed[j] - velocity[j]) / period_s


@functools.cache
def _kernel() -> Callable[..., None]:
    """Compile the law with the dynamics, whose file numba's cache does not know: by their hash."""
    register_dynamics()
    sources = sources_hash(joint_equations, sys.modules[__name__])
    solve = register_jitable(solve_joints)

    def law(
        chain: Array, bodies: Array, gravity: Array, joints: Array, period_s: float,
        position: Array, velocity: Array, command: Array, by_velocity: bool,
        motor: Array, applied: Array,
    ) -> None:  # fmt: skip
        sources  # noqa: B018 - see above
        solve(
            chain, bodies, gravity, joints, period_s, position, velocity, command, by_velocity,
            motor, applied,
        )  # fmt: skip

    kernel: Callable[..., None] = numba.njit(_SIGNATURE, cache=True)(law)
    return kernel
