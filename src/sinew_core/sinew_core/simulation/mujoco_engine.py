"""The arm in MuJoCo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import mujoco
import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import ConfigError
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.inertia import Body
from sinew_core.robots.model import RobotModel
from sinew_core.simulation.description import dynamics_of
from sinew_core.simulation.engine import STOP_CORRECTION, finite_list
from sinew_core.simulation.joint_law import JointLaw, controllers_of, make_law
from sinew_core.simulation.mujoco_drive import drive
from sinew_core.simulation.tabletop import Tabletop

_FRICTION_STIFFNESS = 10.0
"""Of friction over that of contact: MuJoCo's friction is soft, and lets things at rest creep."""
_LEAST_FRICTION = 1e-5
"""MuJoCo needs some."""

if TYPE_CHECKING:
    from sinew_core.simulation.scene import Scene


class MujocoEngine:
    """An `Engine` on MuJoCo: efforts act as `qfrc_applied`, so that both modes share one model."""

    def __init__(
        self, robot: RobotModel, physics_rate_hz: int, tabletop: Tabletop | None = None
    ) -> None:
        """Compile the model."""
        self.robot = robot
        self.physics_rate_hz = physics_rate_hz
        self._nominal = _Copy(_compile(robot, physics_rate_hz, tabletop), robot.n_joints)
        self._still = mujoco.MjData(self._nominal.model)
        self._law: JointLaw | None = None
        self._limit = robot.limits.effort_nm.copy()
        self._target = np.zeros(robot.n_joints)
        self._effort = np.zeros(robot.n_joints)
        self._bias = np.zeros(self._nominal.model.nv)
        self._tabletop = tabletop
        self._velocity_mode = True
        self._compensated = False
        self._artist: Scene | None = None
        self._use(self._nominal)
        n, limits = robot.n_joints, robot.limits
        self._model_address: int = self._model._address
        self._data_address: int = self._data._address
        self._drive_arguments = (
            1.0 / physics_rate_hz,
            self._position,
            self._velocity,
            self._data.qfrc_bias,
            np.zeros(n) if tabletop is None else self._data.qfrc_constraint[:n],
            self._applied,
            limits.position_lower_rad.copy(),
            limits.position_upper_rad.copy(),
            self._limit,
            self._target,
        )
        self.step(0)  # Compiles the drive, or loads it: a second that no control period has.
        self.reset(robot.home_rad)

    def set_dynamics(
        self,
        dynamics: ArmDynamics | None,
        controller: ArmController | None = None,
        command_period_s: float = 0.0,
    ) -> None:
        """Simulate another copy, see `Engine.set_dynamics`."""
        if dynamics is None:
            self._law = None
            self._use(self._nominal)
            return
        rate_hz = self.physics_rate_hz
        self._law = make_law(self.robot, dynamics, rate_hz, controller, command_period_s)
        bodies = dynamics.bodies(self.robot)
        model = _compile(self.robot, self.physics_rate_hz, self._tabletop, bodies)
        self._use(_Copy(model, self.robot.n_joints))

    def reset(self, position_rad: Array, velocity_rad_s: Array | None = None) -> None:
        """Place the arm, see `Engine.reset`."""
        position = finite_list(self.robot, "reset position", position_rad)
        mujoco.mj_resetData(self._model, self._data)
        if velocity_rad_s is not None:
            self._velocity[:] = finite_list(self.robot, "reset velocity", velocity_rad_s)
        self._position[:] = position
        self._target[:] = 0.0
        self._motor_effort[:] = 0.0
        self._velocity_mode = True
        if self._law is not None:
            self._law.reset(position)

    def command_velocity(self, velocity_rad_s: Array) -> None:
        """Hold a velocity, see `Engine.command_velocity`."""
        self._target[:] = finite_list(self.robot, "velocity command", velocity_rad_s)
        self._velocity_mode = True
        if self._law is not None:
            self._law.take_over()

    def command_effort(self, effort_nm: Array, *, gravity_compensation: bool) -> None:
        """Hold an effort, see `Engine.command_effort`."""
        self._effort[:] = finite_list(self.robot, "effort command", effort_nm)
        self._compensated = gravity_compensation
        self._velocity_mode = False
        if self._law is not None:
            self._law.take_over()

    def command_controllers(self, command: Array, *, after_s: float = 0.0) -> None:
        """Send a command to the controllers, see `Engine.command_controllers`."""
        controllers_of(self._law).send(finite_list(self.robot, "command", command), after_s)

    def step(self, n_steps: int) -> None:
        """Advance the physics by one native call, see `Engine.step`."""
        if self._law is not None:
            self._step_by_law(self._law, n_steps)
            return
        if self._velocity_mode:
            drive(self._model_address, self._data_address, n_steps, *self._drive_arguments)
            return
        effort = self._applied
        if self._compensated:
            np.add(self._effort, self._gravity(self._position), out=effort)
        else:
            effort[:] = self._effort
        np.clip(effort, -self._limit, self._limit, out=effort)
        mujoco.mj_step(self._model, self._data, n_steps)

    def read_state(self, position_out: Array, velocity_out: Array, effort_out: Array) -> None:
        """Write the state, see `Engine.read_state`."""
        position_out[:] = self._position
        velocity_out[:] = self._velocity
        effort_out[:] = self._motor_effort

    def gravity_effort(self, position_rad: Array) -> Array:
        """Return the gravity effort, see `Engine.gravity_effort`."""
        finite_list(self.robot, "position", position_rad)
        return np.array(self._gravity(position_rad))

    def tool_position(self) -> Array:
        """Return the tool's position, see `Engine.tool_position`."""
        still, last = self._still, self.robot.n_joints
        still.qpos[:] = self._data.qpos
        mujoco.mj_kinematics(self._nominal.model, still)
        offset = still.xmat[last].reshape(3, 3) @ self.robot.chain.tool[:3, 3]
        position: Array = still.xpos[last] + offset
        return position

    def place_object(
        self, position_m: Array, heading_rad: float, velocity_m_s: Array | None = None
    ) -> None:
        """Place the object, see `Engine.place_object`."""
        self._object[:3] = position_m
        self._object[3:] = (math.cos(0.5 * heading_rad), 0.0, 0.0, math.sin(0.5 * heading_rad))
        self._object_velocity[:3] = 0.0 if velocity_m_s is None else velocity_m_s
        self._object_velocity[3:] = 0.0

    def object_pose(self) -> tuple[float, ...]:
        """Return the object's pose, see `Engine.object_pose`."""
        return tuple(self._object.tolist())

    def render(
        self, width: int, height: int, target_m: Array | Sequence[float] | None = None
    ) -> NDArray[np.uint8]:
        """Draw the arm, see `Engine.render`."""
        if self._artist is None:
            self._artist = _make_scene(self.robot, self._tabletop)
        thing = tuple(self._object) if self._tabletop else None
        return self._artist.draw(self._position, width, height, target_m, thing)

    def close(self) -> None:
        """Release the renderer; the rest goes with the object."""
        if self._artist is not None:
            self._artist.close()
            self._artist = None

    def _gravity(self, position: Array) -> Array:
        """Return the bias (n,) of an arm at rest, valid until the next call."""
        still, n = self._still, self.robot.n_joints
        still.qpos[:n] = position
        mujoco.mj_kinematics(self._nominal.model, still)
        mujoco.mj_comPos(self._nominal.model, still)
        mujoco.mj_rne(self._nominal.model, still, 0, self._bias)
        return self._bias[:n]

    def _use(self, copy: _Copy) -> None:
        """Simulate this copy of the arm from now on."""
        self._model, self._data = copy.model, copy.data
        self._position, self._velocity = copy.position, copy.velocity
        self._applied = self._motor_effort = copy.applied
        self._object, self._object_velocity = copy.object, copy.object_velocity
        if self._law is not None:
            self._motor_effort = self._law.motor_nm

    def _step_by_law(self, law: JointLaw, n_steps: int) -> None:
        """Advance step by step with the efforts of the joints' law."""
        if self._velocity_mode:
            law.hold_velocity(self._target)
        elif self._compensated:
            law.hold_effort(self._effort + self._gravity(self._position))
        else:
            law.hold_effort(self._effort)
        for _ in range(n_steps):
            self._applied[:] = law.solve(self._position, self._velocity)
            mujoco.mj_step(self._model, self._data)


class _Copy:
    """A model of the arm, and of what stands before it, with its data.

    The arrays are views on MuJoCo's memory, since each access to one of its attributes makes one.
    """

    def __init__(self, model: mujoco.MjModel, n: int) -> None:
        self.model = model
        self.data = data = mujoco.MjData(model)
        self.position, self.velocity = data.qpos[:n], data.qvel[:n]
        self.applied = data.qfrc_applied[:n]
        self.object, self.object_velocity = data.qpos[n:], data.qvel[n:]


def _make_scene(robot: RobotModel, tabletop: Tabletop | None) -> Scene:
    try:
        from sinew_core.simulation.scene import Scene
    except ModuleNotFoundError as error:
        raise ConfigError(
            "pictures are drawn by PyBullet, which is not installed: install it (Python 3.10 or "
            "3.11) or run without rendering"
        ) from error
    return Scene(robot, tabletop)


def _compile(
    robot: RobotModel,
    physics_rate_hz: int,
    tabletop: Tabletop | None,
    bodies: Sequence[Body] | None = None,
) -> mujoco.MjModel:
    dynamics = dynamics_of(robot, bodies, tabletop.tool_radius_m if tabletop else None)
    spec = mujoco.MjSpec.from_string(dynamics.urdf_text)
    spec.option.timestep = 1.0 / physics_rate_hz
    spec.option.gravity = dynamics.gravity
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    flags = mujoco.mjtDisableBit
    # Warm starts would carry the past over a reset.
    spec.option.disableflags |= flags.mjDSBL_WARMSTART
    if tabletop is None:
        spec.option.disableflags |= flags.mjDSBL_CONTACT
    else:
        _add_tabletop(spec, tabletop)
    model = spec.compile()
    rate = float(physics_rate_hz)
    model.jnt_solref[:] = (-STOP_CORRECTION * rate * rate, -rate)
    model.jnt_solimp[:] = (0.9999, 0.9999, 0.001, 0.5, 2.0)
    return model


def _add_tabletop(spec: mujoco.MjSpec, tabletop: Tabletop) -> None:
    """Add table, cube and the pairs that touch, with friction in a true cone."""
    ball, shapes = spec.geoms[-1], mujoco.mjtGeom
    ball.name = "ball"
    table = spec.worldbody.add_geom(
        name="table",
        type=shapes.mjGEOM_PLANE,
        size=[0.0, 0.0, 1.0],
        pos=[0.0, 0.0, tabletop.table_height_m],
    )
    half_m = 0.5 * tabletop.object_size_m
    body = spec.worldbody.add_body(name="object", pos=[0.0, 0.0, tabletop.table_height_m + half_m])
    body.add_freejoint()
    cube = body.add_geom(
        name="cube", type=shapes.mjGEOM_BOX, size=[half_m] * 3, mass=tabletop.object_mass_kg
    )
    for geom in (ball, table, cube):
        geom.contype = geom.conaffinity = 0
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = _FRICTION_STIFFNESS
    for other, friction in (("table", tabletop.table_friction), ("ball", tabletop.tool_friction)):
        spec.add_pair(
            geomname1=other,
            geomname2="cube",
            condim=3,
            friction=[max(friction, _LEAST_FRICTION)] * 2 + [0.0] * 3,
        )
