"""Compiled roll-outs of one arm under its joint controllers, for system identification.

The same law as in the engines (`joint_law`, `arm_control`): semi-implicit Euler with implicit
viscous friction, exact Coulomb friction, rotors, stops and effort limits, so that a roll-out goes
where an engine would. Nothing but the arm is simulated: no contact, no tabletop, no noise.

The loop is compiled without the interpreter's lock, so threads run roll-outs in parallel; it is
repeatable to the last bit.
"""

from __future__ import annotations

import numpy as np

from sinew_core.errors import ConfigError, UnstableError
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.dynamics import dynamics_rows
from sinew_core.robots.inertia import Body, carried_bodies
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation import arm_loop, joint_equations
from sinew_core.simulation.arm_control import Signal
from sinew_core.simulation.engine_plant import EnginePlant
from sinew_core.simulation.rollout_drives import (
    CommandSequence,
    Drives,
    Motion,
    drives_of,
    replayed,
    signal_of,
    start_of,
)

__all__ = ["CommandSequence", "EnginePlant", "Motion", "Plant"]


class Plant:
    """One arm, moved by the compiled law; it keeps nothing from one roll-out to the next.

    Attributes:
        robot: the nominal arm.
        physics_rate_hz: of the steps.
    """

    def __init__(self, robot: RobotModel, physics_rate_hz: int) -> None:
        """Prepare for one robot.

        Raises:
            ConfigError: the rate is not positive.
            RobotError: nothing that a driven joint carries has a mass.
        """
        if physics_rate_hz <= 0:
            raise ConfigError(f"physics_rate_hz is {physics_rate_hz}: expected a positive number")
        self.robot, self.physics_rate_hz = robot, physics_rate_hz
        self._nominal = _links(robot, carried_bodies(robot))[1]

    def roll_out(
        self,
        params: SimParams,
        commands: CommandSequence,
        start_position_rad: Array,
        start_velocity_rad_s: Array,
        sample_time_s: Array,
    ) -> Motion:
        """Return the motion of an arm under commands.

        It starts at the first sample time with (n,) rad and rad/s. Commands are seen `delay_s`
        after they were sent, those sent before the start included; before the first one the
        controllers hold the start's position, no velocity or no effort. The integral of a velocity
        loop starts as it would be in equilibrium: it holds the weight, less what is compensated.
        Without controllers the drives are ideal, as the engines' are.

        Args:
            params: of the arm.
            commands: in the mode of its controllers.
            start_position_rad: (n,).
            start_velocity_rad_s: (n,).
            sample_time_s: (N,) increasing; they need not be multiples of the physics step.

        Raises:
            ConfigError: the commands are of another mode, arrays do not fit, gains are wrong, or
                the physics rate is too low for them.
            UnstableError: the arm diverges.
        """
        start, speed = start_of(self.robot, start_position_rad, start_velocity_rad_s)
        drives = drives_of(self.robot, self.physics_rate_hz, params, commands, start)
        zero_s = float(sample_time_s[0])
        signal = signal_of(self.robot, commands, drives.mode, drives.hold, start, zero_s)
        return self._run(params.dynamics, drives, signal, start, speed, sample_time_s - zero_s)

    def replay_efforts(
        self,
        params: SimParams,
        effort_time_s: Array,
        effort_nm: Array,
        start_position_rad: Array,
        start_velocity_rad_s: Array,
        sample_time_s: Array,
    ) -> Motion:
        """Return the motion under motor efforts as they were measured: no controller, no delay.

        Between the measurements the efforts go on straight lines; each step goes by the mean over
        it. They are what the motors gave, so neither limits nor the motors' strength apply.

        Args:
            params: of the arm; its controllers are left out.
            effort_time_s: (m,) increasing.
            effort_nm: (m, n).
            start_position_rad: (n,) at the first sample time.
            start_velocity_rad_s: (n,) likewise.
            sample_time_s: (N,) increasing.

        Raises:
            ConfigError: arrays do not fit.
        """
        start, speed = start_of(self.robot, start_position_rad, start_velocity_rad_s)
        zero_s = float(sample_time_s[0])
        drives, signal = replayed(self.robot, effort_time_s, effort_nm, zero_s)
        return self._run(params.dynamics, drives, signal, start, speed, sample_time_s - zero_s)

    def _run(
        self,
        arm: ArmDynamics,
        drives: Drives,
        signal: Signal,
        start: Array,
        speed: Array,
        time_s: Array,
    ) -> Motion:
        samples = np.empty((3, time_s.size, self.robot.n_joints))
        period_s = 1.0 / self.physics_rate_hz
        diverged = arm_loop.arm_kernel()(
            _links(self.robot, arm.bodies(self.robot)),
            self._nominal,
            joint_equations.joint_rows(self.robot, arm),
            drives.rows,
            drives.mode,
            drives.compensated,
            period_s,
            drives.delay_s,
            signal,
            start,
            speed,
            drives.integral,
            (np.array(time_s), *samples),
        )
        if diverged >= 0:
            raise UnstableError(
                f"the arm diverges after {diverged * period_s:.3g} s at physics_rate_hz "
                f"{self.physics_rate_hz}: raise it, or use smaller gains"
            )
        return Motion(position_rad=samples[0], velocity_rad_s=samples[1], effort_nm=samples[2])


def _links(robot: RobotModel, bodies: tuple[Body, ...]) -> tuple[Array, Array, Array]:
    chain, rows, gravity = dynamics_rows(robot, bodies)
    return np.array(chain), np.array(rows), np.array(gravity)
