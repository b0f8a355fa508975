"""An arm that no model of ours fits quite: Stribeck friction in MuJoCo, in steps of 0.25 ms.

Friction of a joint falls from stiction to Coulomb's as it begins to move (Armstrong-Helouvry,
Dupont, Canudas de Wit, Automatica 30(7), 1994, equation 3):

    tau(v) = -(Fc + (Fs - Fc) exp(-(v / vs)^2)) tanh(v / v0) - B v

The controller runs in every step; commands arrive, and states are stamped, with a jitter that a bag
does not show.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from sinew_core.bags.recording import Commands
from sinew_core.robots.arrays import Array
from sinew_core.robots.dynamics import dynamics_rows, inverse_dynamics, rotate_joints
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.description import dynamics_of

SERVO_RATE_HZ = 4000
STEP_S = 1.0 / SERVO_RATE_HZ
STICTION = 1.4
"""Stiction over Coulomb friction."""
STRIBECK_RAD_S = 0.05
_SMOOTHING_RAD_S = 0.01
"""Within so much of rest friction is viscous: MuJoCo has no set-valued friction of this kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueMotion:
    """What the arm did at the times asked for: (N, n) rad, rad/s, N m without any noise."""

    position_rad: Array
    velocity_rad_s: Array
    effort_nm: Array


class StribeckArm:
    """One arm with PD loops, simulated by MuJoCo's own integrator."""

    def __init__(self, robot: RobotModel, params: SimParams) -> None:
        """Compile the model of the arm's true bodies, rotors and viscous friction."""
        dynamics, controller = params.dynamics, params.controller
        assert controller is not None
        described = dynamics_of(robot, dynamics.bodies(robot))
        spec = mujoco.MjSpec.from_string(described.urdf_text)
        spec.option.timestep = STEP_S
        spec.option.gravity = described.gravity
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
        self._model = spec.compile()
        self._model.dof_armature[:] = dynamics.armature_kg_m2
        self._model.dof_damping[:] = dynamics.viscous_nm_s_rad
        self._robot, self._dynamics, self._controller = robot, dynamics, controller
        self._rows = dynamics_rows(robot)

    def run(
        self, commands: Commands, arrival_s: Array, start_rad: Array, sample_s: Array
    ) -> TrueMotion:
        """Return the motion at `sample_s` (N,) under commands that arrive at (m,) s.

        The arm begins at rest at (n,) rad, where the controller holds it until the first arrival.
        """
        n, data = self._robot.n_joints, mujoco.MjData(self._model)
        data.qpos[:] = start_rad
        target = np.array(start_rad)
        seen = np.empty((3, sample_s.size, n))
        arrived = sampled = 0
        for step in range(int(np.ceil(sample_s[-1] / STEP_S)) + 2):
            now = step * STEP_S
            while arrived < arrival_s.size and arrival_s[arrived] <= now:
                target = commands.values[arrived]
                arrived += 1
            motor = self._motor(target, data.qpos, data.qvel)
            while sampled < sample_s.size and sample_s[sampled] <= now:
                age = now - sample_s[sampled]
                seen[:, sampled] = data.qpos - age * data.qvel, data.qvel, motor
                sampled += 1
            data.qfrc_applied[:] = motor + self._friction(data.qvel)
            mujoco.mj_step(self._model, data)
        return TrueMotion(position_rad=seen[0], velocity_rad_s=seen[1], effort_nm=seen[2])

    def _motor(self, target: Array, position: Array, velocity: Array) -> Array:
        """Return the controller's efforts (n,), gravity of the nominal arm included."""
        gains, limit = self._controller.gains, self._robot.limits.effort_nm
        effort = gains["kp"] * (target - position) - gains["kd"] * velocity
        if self._controller.gravity_compensation:
            effort = effort + self._gravity(position)
        clipped: Array = np.clip(effort, -limit, limit)
        return clipped

    def _gravity(self, position: Array) -> Array:
        """Return the nominal arm's gravity effort (n,)."""
        chain, bodies, gravity = self._rows
        n = position.size
        rotations, wrenches, effort = [0.0] * (9 * n), [0.0] * (6 * n), [0.0] * n
        still = [0.0] * n
        rotate_joints(position.tolist(), chain, rotations)
        inverse_dynamics(rotations, still, still, chain, bodies, gravity, wrenches, effort)
        return np.array(effort)

    def _friction(self, velocity: Array) -> Array:
        """Return Stribeck friction (n,) without its viscous part, which MuJoCo has."""
        coulomb = self._dynamics.coulomb_nm
        rise = (STICTION - 1.0) * np.exp(-((velocity / STRIBECK_RAD_S) ** 2))
        friction: Array = -coulomb * (1.0 + rise) * np.tanh(velocity / _SMOOTHING_RAD_S)
        return friction
