"""The arm in PyBullet."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pybullet
from numpy.typing import NDArray

from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.inertia import Body
from sinew_core.robots.model import RobotModel
from sinew_core.simulation.description import dynamics_of
from sinew_core.simulation.engine import STOP_CORRECTION, finite_list
from sinew_core.simulation.joint_law import JointLaw, controllers_of, make_law
from sinew_core.simulation.pybullet_table import PyBulletTable
from sinew_core.simulation.scene import Scene
from sinew_core.simulation.silence import silent_stdout
from sinew_core.simulation.tabletop import Tabletop

_MAX_SPEED = 1e6
"""PyBullet clips joint speeds at 100 rad/s unless told otherwise."""

_SOLVERS = (pybullet.CONSTRAINT_SOLVER_LCP_DANTZIG, pybullet.CONSTRAINT_SOLVER_LCP_SI)
"""Without and with a tabletop. Dantzig's direct solver is exact where 50 sequential impulses leave
1e-3 rad/s, and as fast as 10 of them; but only the latter know a cone of friction."""


class PyBulletEngine:
    """An `Engine`; one client of PyBullet simulates, another one, made on demand, draws."""

    def __init__(
        self, robot: RobotModel, physics_rate_hz: int, tabletop: Tabletop | None = None
    ) -> None:
        """Load the arm into a client of its own."""
        self.robot = robot
        self.physics_rate_hz = physics_rate_hz
        self._n = robot.n_joints
        self._joints = list(range(self._n))
        self._limit = robot.limits.effort_nm.tolist()
        self._tabletop = tabletop
        self._table: PyBulletTable | None = None
        self._nominal = self._client = pybullet.connect(pybullet.DIRECT)
        self._nominal_body = self._body = self._load()
        self._varied = -1  # the client of another copy of the arm
        self._bodies: Sequence[Body] | None = None  # of that copy
        self._law: JointLaw | None = None
        self._scene: Scene | None = None
        self._zeros = [0.0] * self._n
        self._states: tuple[tuple[float, ...], ...] | None = None
        self._velocity: list[float] | None = None
        self._effort = self._zeros
        self._applied = self._zeros
        self._compensated = False
        self._driven = False
        self._motors_set = False
        self._n_steps, self._substeps, self._calls = 0, 1, 0
        self._motor_caps = self._limit
        self.reset(robot.home_rad)

    def set_dynamics(
        self,
        dynamics: ArmDynamics | None,
        controller: ArmController | None = None,
        command_period_s: float = 0.0,
    ) -> None:
        """Simulate another copy, see `Engine.set_dynamics`.

        It is loaded into a client of its own, so that the nominal arm remains untouched: Bullet
        would keep neither its inertia, nor its centres of mass, nor its inverse dynamics.
        """
        self._n_steps = 0
        if dynamics is None:
            self._law = self._bodies = None
            self._client, self._body = self._nominal, self._nominal_body
            return
        rate_hz = self.physics_rate_hz
        law = make_law(self.robot, dynamics, rate_hz, controller, command_period_s)
        if self._varied < 0:
            self._varied = pybullet.connect(pybullet.DIRECT)
        self._client = self._varied
        pybullet.resetSimulation(physicsClientId=self._client)
        self._bodies = dynamics.bodies(self.robot)
        self._body = self._load(self._bodies)
        self._law = law

    def reset(self, position_rad: Array, velocity_rad_s: Array | None = None) -> None:
        """Place the arm, see `Engine.reset`."""
        if self._table is not None:
            self._load_anew()
        positions = finite_list(self.robot, "reset position", position_rad)
        velocities = (
            self._zeros
            if velocity_rad_s is None
            else finite_list(self.robot, "reset velocity", velocity_rad_s)
        )
        for joint, position, velocity in zip(self._joints, positions, velocities, strict=True):
            pybullet.resetJointState(
                self._body, joint, position, velocity, physicsClientId=self._client
            )
        self._states = None
        self._driven = False
        self._velocity = self._zeros
        self._applied = self._zeros
        self._motors_set = False
        if self._law is not None:
            self._law.reset(positions)

    def command_velocity(self, velocity_rad_s: Array) -> None:
        """Hold a velocity, see `Engine.command_velocity`."""
        self._velocity = finite_list(self.robot, "velocity command", velocity_rad_s)
        self._motors_set = False
        if self._law is not None:
            self._law.take_over()

    def command_effort(self, effort_nm: Array, *, gravity_compensation: bool) -> None:
        """Hold an effort, see `Engine.command_effort`."""
        self._effort = finite_list(self.robot, "effort command", effort_nm)
        self._compensated = gravity_compensation
        if self._velocity is not None:
            self._velocity = None
            self._motors_set = False
        if self._law is not None:
            self._law.take_over()

    def command_controllers(self, command: Array, *, after_s: float = 0.0) -> None:
        """Send a command to the controllers, see `Engine.command_controllers`."""
        controllers_of(self._law).send(finite_list(self.robot, "command", command), after_s)

    def step(self, n_steps: int) -> None:
        """Advance the physics, see `Engine.step`."""
        if self._law is not None:
            self._step_by_law(self._law, n_steps)
            return
        if n_steps != self._n_steps:
            self._plan(n_steps)
        if not self._motors_set:
            self._set_motors()
        self._driven = self._velocity is not None
        if self._driven:
            self._states = None
            for _ in range(self._calls):
                pybullet.stepSimulation(self._client)
            return
        self._applied = self._saturated_effort()
        self._states = None
        for _ in range(self._calls):
            self._send_effort(self._applied)
            pybullet.stepSimulation(self._client)

    def read_state(self, position_out: Array, velocity_out: Array, effort_out: Array) -> None:
        """Write the state, see `Engine.read_state`."""
        positions, velocities, _, motor_efforts = self._joint_states()
        position_out[:] = positions
        velocity_out[:] = velocities
        if not self._driven:
            effort_out[:] = self._applied
        else:
            # PyBullet divides a substep's impulse by the duration of the whole call.
            effort_out[:] = motor_efforts
            effort_out *= self._substeps

    def gravity_effort(self, position_rad: Array) -> Array:
        """Return the gravity effort, see `Engine.gravity_effort`."""
        positions = finite_list(self.robot, "position", position_rad)
        return np.array(self._gravity(positions))

    def tool_position(self) -> Array:
        """Return the tool's position, see `Engine.tool_position`."""
        link = pybullet.getLinkState(
            self._body,
            self._n - 1,
            computeForwardKinematics=True,
            physicsClientId=self._client,
        )
        rotation = np.array(pybullet.getMatrixFromQuaternion(link[5])).reshape(3, 3)
        position: Array = np.array(link[4]) + rotation @ self.robot.chain.tool[:3, 3]
        return position

    def place_object(
        self, position_m: Array, heading_rad: float, velocity_m_s: Array | None = None
    ) -> None:
        """Place the object, see `Engine.place_object`."""
        assert self._table is not None
        self._table.place(position_m, heading_rad, velocity_m_s)

    def object_pose(self) -> tuple[float, ...]:
        """Return the object's pose, see `Engine.object_pose`."""
        assert self._table is not None
        return self._table.pose()

    def render(
        self, width: int, height: int, target_m: Array | Sequence[float] | None = None
    ) -> NDArray[np.uint8]:
        """Draw the arm, see `Engine.render`."""
        if self._scene is None:
            self._scene = Scene(self.robot, self._tabletop)
        thing = self._table.pose() if self._table else None
        return self._scene.draw(np.array(self._joint_states()[0]), width, height, target_m, thing)

    def close(self) -> None:
        """Disconnect from PyBullet."""
        if self._scene is not None:
            self._scene.close()
            self._scene = None
        for client in {self._nominal, self._varied} - {-1}:
            pybullet.disconnect(client)
        self._nominal = self._varied = self._client = -1

    def _load_anew(self) -> None:
        """Empty the world and fill it again: contacts remember more than the state shows."""
        pybullet.resetSimulation(physicsClientId=self._client)
        self._body = self._load(self._bodies)
        if self._client == self._nominal:
            self._nominal_body = self._body
        self._n_steps = 0

    def _load(self, bodies: Sequence[Body] | None = None) -> int:
        tabletop = self._tabletop
        dynamics = dynamics_of(self.robot, bodies, tabletop.tool_radius_m if tabletop else None)
        client = self._client
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "arm.urdf"
            path.write_text(dynamics.urdf_text, encoding="utf-8")
            body: int = pybullet.loadURDF(
                str(path),
                useFixedBase=True,
                flags=pybullet.URDF_USE_INERTIA_FROM_FILE,
                physicsClientId=client,
            )
        for link in range(-1, self._n):
            pybullet.changeDynamics(
                body,
                link,
                linearDamping=0.0,
                angularDamping=0.0,
                jointDamping=0.0,
                maxJointVelocity=_MAX_SPEED,
                physicsClientId=client,
            )
        pybullet.setGravity(*dynamics.gravity.tolist(), physicsClientId=client)
        # Split impulses never push a joint out of its stop.
        with silent_stdout():
            pybullet.setPhysicsEngineParameter(
                constraintSolverType=_SOLVERS[tabletop is not None],
                enableConeFriction=1,
                useSplitImpulse=0,
                erp=STOP_CORRECTION,
                deterministicOverlappingPairs=0,
                physicsClientId=client,
            )
        if tabletop is not None:
            self._table = PyBulletTable(client, body, self._n - 1, tabletop)
        return body

    def _plan(self, n_steps: int) -> None:
        """Choose how a `step` call runs `n_steps` physics steps: by one native call if possible.

        PyBullet turns a motor's force into an impulse over the whole call and allows that impulse
        in every substep: the force is divided here so that each substep has the true limit.
        """
        self._n_steps = n_steps
        self._substeps = n_steps if _divides_exactly(n_steps, self.physics_rate_hz) else 1
        self._calls = n_steps // self._substeps
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=self._substeps / self.physics_rate_hz,
            numSubSteps=self._substeps if self._substeps > 1 else 0,
            physicsClientId=self._client,
        )
        self._motor_caps = [limit / self._substeps for limit in self._limit]
        self._motors_set = False

    def _set_motors(self) -> None:
        """Send the velocity command; in effort mode free the motors, which PyBullet brakes."""
        effort_mode = self._velocity is None or self._law is not None
        pybullet.setJointMotorControlArray(
            self._body,
            self._joints,
            pybullet.VELOCITY_CONTROL,
            targetVelocities=self._zeros if effort_mode else self._velocity,
            forces=self._zeros if effort_mode else self._motor_caps,
            physicsClientId=self._client,
        )
        self._motors_set = True

    def _joint_states(self) -> tuple[tuple[float, ...], ...]:
        """Return positions, velocities, reaction forces and motor efforts, asked for once."""
        if self._states is None:
            states = pybullet.getJointStates(self._body, self._joints, self._client)
            self._states = tuple(zip(*states, strict=True))
        return self._states

    def _step_by_law(self, law: JointLaw, n_steps: int) -> None:
        """Advance step by step with the efforts of the joints' law; Bullet's motors are free."""
        if self._n_steps != 1:
            self._plan(1)
        if not self._motors_set:
            self._set_motors()
        self._driven = False
        if self._velocity is not None:
            law.hold_velocity(self._velocity)
        else:
            law.hold_effort(self._uncut_effort())
        for _ in range(n_steps):
            positions, velocities, _, _ = self._joint_states()
            efforts = law.solve(np.array(positions), np.array(velocities))
            self._send_effort(efforts.tolist())
            pybullet.stepSimulation(self._client)
            self._states = None
        self._applied = law.motor_nm.tolist()

    def _uncut_effort(self) -> list[float]:
        if not self._compensated:
            return self._effort
        gravity = self._gravity(self._joint_states()[0])
        return [e + g for e, g in zip(self._effort, gravity, strict=True)]

    def _saturated_effort(self) -> list[float]:
        # Comparisons, because calls of min and max cost as much as a physics step.
        return [
            limit if e > limit else -limit if e < -limit else e
            for e, limit in zip(self._uncut_effort(), self._limit, strict=True)
        ]

    def _send_effort(self, efforts: list[float]) -> None:
        pybullet.setJointMotorControlArray(
            self._body,
            self._joints,
            pybullet.TORQUE_CONTROL,
            forces=efforts,
            physicsClientId=self._client,
        )

    def _gravity(self, positions: Sequence[float]) -> tuple[float, ...]:
        effort: tuple[float, ...] = pybullet.calculateInverseDynamics(
            self._nominal_body,
            positions,
            self._zeros,
            self._zeros,
            physicsClientId=self._nominal,
        )
        return effort


def _divides_exactly(n_steps: int, physics_rate_hz: int) -> bool:
    """Tell whether Bullet cuts a call into `n_steps` substeps without a rest from rounding.

    Bullet carries such a rest over to the next call, which may then lack a substep.
    """
    call_s = n_steps / physics_rate_hz
    substep_s = call_s / n_steps
    return int(call_s / substep_s) == n_steps and call_s - n_steps * substep_s == 0.0
