"""Compiled roll-outs of one arm under its joint controllers, for system identification.

The same law as in the engines (`joint_law`, `arm_control`): semi-implicit Euler with implicit
viscous friction, exact Coulomb friction, rotors, stops and effort limits, so that a roll-out goes
where an engine would. Nothing but the arm is simulated: no contact, no tabletop, no noise.

The loop is compiled without the interpreter's lock, so threads run roll-outs in parallel; it is
repeatable to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots.arm_controller import MODES
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.dynamics import dynamics_rows
from sinew_core.robots.inertia import Body, carried_bodies
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation import arm_control, arm_loop, joint_law
from sinew_core.simulation.arm_control import (
    Signal,
    check_stability,
    command_signal,
    control_rows,
    resting_integral,
)


class CommandSequence(Protocol):
    """What a controller was told: `sinew_core.bags.recording.Commands` is one."""

    @property
    def mode(self) -> str:
        """`position`, `velocity` or `effort`."""

    @property
    def time_s(self) -> Array:
        """When each command was sent (m,), not decreasing, on the clock of the samples."""

    @property
    def values(self) -> Array:
        """The commands (m, n)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """How an arm of n joints moves, at N sample times.

    Attributes:
        position_rad: (N, n).
        velocity_rad_s: (N, n).
        effort_nm: (N, n) of the motors, in the physics step that ends at or after the sample; at
            the first sample in the first step.
    """

    position_rad: Array
    velocity_rad_s: Array
    effort_nm: Array


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
        """
        start = self._numbers("start position", start_position_rad)
        speed = self._numbers("start velocity", start_velocity_rad_s)
        drives = _drives(self, params, commands, start)
        zero_s = float(sample_time_s[0])
        signal = _signal(self.robot, commands, drives.mode, drives.hold, start, zero_s)
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
        start = self._numbers("start position", start_position_rad)
        speed = self._numbers("start velocity", start_velocity_rad_s)
        efforts, n = np.array(effort_nm, dtype=np.float64), self.robot.n_joints
        times = np.array(effort_time_s, dtype=np.float64)
        if efforts.shape != (times.size, n) or not times.size:
            raise ConfigError(
                f"efforts are {efforts.shape} at {times.size} times: expected (times, {n})"
            )
        zero_s = float(sample_time_s[0])
        ends = np.vstack([efforts[1:], efforts[-1:]])
        rises = np.append(np.diff(times), 0.0)
        times[0] = min(times[0], zero_s)
        rows = np.zeros((4, n))
        rows[arm_control.STRENGTH], rows[arm_control.LIMIT] = 1.0, np.inf
        drives = _Drives(
            mode=arm_control.EFFORT, hold="", compensated=False, rows=rows, delay_s=0.0,
            integral=np.zeros(n),
        )  # fmt: skip
        signal = times - zero_s, efforts, ends, rises
        return self._run(params.dynamics, drives, signal, start, speed, sample_time_s - zero_s)

    def _run(
        self,
        arm: ArmDynamics,
        drives: _Drives,
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
            joint_law.joint_rows(self.robot, arm),
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
            raise ConfigError(
                f"the arm diverges after {diverged * period_s:.3g} s at physics_rate_hz "
                f"{self.physics_rate_hz}: raise it, or use smaller gains"
            )
        return Motion(position_rad=samples[0], velocity_rad_s=samples[1], effort_nm=samples[2])

    def _numbers(self, what: str, values: Array) -> Array:
        numbers = np.array(values, dtype=np.float64)
        if numbers.shape != (self.robot.n_joints,) or not np.isfinite(numbers).all():
            raise ConfigError(
                f"{what} is {numbers.tolist()!r:.80}: expected {self.robot.n_joints} finite numbers"
            )
        return numbers


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drives:
    """What drives the joints, as the compiled loop takes it."""

    mode: int
    hold: str
    compensated: bool
    rows: Array
    delay_s: float
    integral: Array


def _drives(plant: Plant, params: SimParams, commands: CommandSequence, start: Array) -> _Drives:
    robot, arm, controller = plant.robot, params.dynamics, params.controller
    integral = np.zeros(robot.n_joints)
    if controller is None:
        return _ideal_drives(robot, arm, commands.mode, integral)
    if commands.mode != controller.mode:
        raise ConfigError(
            f"the commands are of mode '{commands.mode}' but the controller's is "
            f"'{controller.mode}': give the controller that took them"
        )
    rows = control_rows(robot, controller, arm)
    check_stability(robot, arm, rows, plant.physics_rate_hz, start)
    if controller.mode == "velocity":
        integral = resting_integral(robot, params, rows, start)
    return _Drives(
        mode=MODES.index(controller.mode),
        hold=controller.hold,
        compensated=controller.gravity_compensation,
        rows=rows,
        delay_s=arm.delay_s,
        integral=integral,
    )


def _ideal_drives(robot: RobotModel, arm: ArmDynamics, mode: str, integral: Array) -> _Drives:
    """Return the drives that the engines have; efforts come on top of the weight's."""
    modes = {
        "velocity": arm_loop.IDEAL_VELOCITY,
        "position": arm_loop.IDEAL_POSITION,
        "effort": arm_control.EFFORT,
    }
    rows = np.zeros((4, robot.n_joints))
    rows[arm_control.STRENGTH] = arm.motor_strength
    rows[arm_control.LIMIT] = robot.limits.effort_nm if mode == "effort" else np.inf
    rows[arm_loop.HIGHEST_SPEED] = robot.limits.velocity_rad_s
    return _Drives(
        mode=modes[mode],
        hold="zoh",
        compensated=mode == "effort",
        rows=rows,
        delay_s=arm.delay_s,
        integral=integral,
    )


def _signal(
    robot: RobotModel, commands: CommandSequence, mode: int, hold: str, start: Array, zero_s: float
) -> Signal:
    times, values = np.asarray(commands.time_s), np.asarray(commands.values)
    n = robot.n_joints
    if values.shape != (times.size, n) or (np.diff(times) < 0.0).any():
        raise ConfigError(
            f"commands are {values.shape} at {times.size} times: expected ({times.size}, {n}) at "
            "times that do not decrease"
        )
    by_position = mode in (arm_control.POSITION, arm_loop.IDEAL_POSITION)
    rest = start if by_position else np.zeros(n)
    signal = command_signal(times - zero_s, values, rest, hold=hold)
    if mode == arm_loop.IDEAL_POSITION:
        signal[3][:] = arm_control.command_period_s(times) or 1.0
    return signal


def _links(robot: RobotModel, bodies: tuple[Body, ...]) -> tuple[Array, Array, Array]:
    chain, rows, gravity = dynamics_rows(robot, bodies)
    return np.array(chain), np.array(rows), np.array(gravity)
