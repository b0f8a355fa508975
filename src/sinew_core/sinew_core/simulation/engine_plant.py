"""The roll-outs of `rollout` through a physics engine, step by step."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import numpy as np

from sinew_core.errors import UnstableError
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation import Engine, arm_control, arm_loop, make_engine
from sinew_core.simulation.rollout_drives import (
    CommandSequence,
    Drives,
    Motion,
    drives_of,
    replayed,
    signal_of,
    start_of,
)


class EnginePlant:
    """One arm in a physics engine, with the roll-outs of `Plant`.

    Attributes:
        robot: the nominal arm.
        physics_rate_hz: of the steps.
    """

    def __init__(self, engine_name: str, robot: RobotModel, physics_rate_hz: int) -> None:
        """Start the engine.

        Raises:
            ConfigError: the engine is unknown or not installed, or the rate is not positive.
        """
        self.robot, self.physics_rate_hz = robot, physics_rate_hz
        self._engine = make_engine(engine_name, robot, physics_rate_hz)
        self._one_at_a_time = threading.Lock()

    def roll_out(
        self,
        params: SimParams,
        commands: CommandSequence,
        start_position_rad: Array,
        start_velocity_rad_s: Array,
        sample_time_s: Array,
    ) -> Motion:
        """Return the motion of an arm under commands, see `Plant.roll_out`.

        Raises:
            ConfigError: as there.
        """
        robot, engine = self.robot, self._engine
        start, speed = start_of(robot, start_position_rad, start_velocity_rad_s)
        drives = drives_of(robot, self.physics_rate_hz, params, commands, start)
        zero_s = float(sample_time_s[0])
        with self._one_at_a_time:
            if params.controller is None:
                # The engine's drives have strength and limits of their own.
                drives.rows[arm_control.STRENGTH] = 1.0
                if drives.mode == arm_control.EFFORT:
                    drives.rows[arm_control.LIMIT] = np.inf
                signal = signal_of(robot, commands, drives.mode, drives.hold, start, zero_s)
                engine.set_dynamics(params.dynamics)
                engine.reset(start, speed)
                feed: _Feed = _IdealFeed(engine, drives, signal)
            else:
                period_s = arm_control.command_period_s(np.asarray(commands.time_s))
                engine.set_dynamics(params.dynamics, params.controller, period_s)
                engine.reset(start, speed)
                feed = _ControllerFeed(engine, commands, zero_s)
            return self._run(feed, np.asarray(sample_time_s) - zero_s)

    def replay_efforts(
        self,
        params: SimParams,
        effort_time_s: Array,
        effort_nm: Array,
        start_position_rad: Array,
        start_velocity_rad_s: Array,
        sample_time_s: Array,
    ) -> Motion:
        """Return the motion under measured motor efforts, see `Plant.replay_efforts`.

        An engine clips efforts to the robot's limits.

        Raises:
            ConfigError: as there.
        """
        start, speed = start_of(self.robot, start_position_rad, start_velocity_rad_s)
        zero_s = float(sample_time_s[0])
        drives, signal = replayed(self.robot, effort_time_s, effort_nm, zero_s)
        strong = np.ones(self.robot.n_joints)
        with self._one_at_a_time:
            self._engine.set_dynamics(dataclasses.replace(params.dynamics, motor_strength=strong))
            self._engine.reset(start, speed)
            feed = _IdealFeed(self._engine, drives, signal)
            return self._run(feed, np.asarray(sample_time_s) - zero_s)

    def close(self) -> None:
        """Release the engine."""
        self._engine.close()

    def _run(self, feed: _Feed, time_s: Array) -> Motion:
        n, period_s = self.robot.n_joints, 1.0 / self.physics_rate_hz
        samples = np.empty((3, time_s.size, n))
        before, after = np.empty((3, n)), np.empty((3, n))
        self._engine.read_state(*before)
        step = sample = 0
        while sample < time_s.size:
            feed(step, before)
            self._engine.step(1)
            self._engine.read_state(*after)
            if not np.isfinite(after).all():
                raise UnstableError(
                    f"the arm diverges after {step * period_s:.3g} s at physics_rate_hz "
                    f"{self.physics_rate_hz}: raise it, or use smaller gains"
                )
            sample = arm_loop.take_samples(
                (time_s, *samples), sample, step, period_s,
                before[0], after[0], before[1], after[1], after[2],
            )  # fmt: skip
            before[:] = after
            step += 1
        return Motion(position_rad=samples[0], velocity_rad_s=samples[1], effort_nm=samples[2])


_Feed = Callable[[int, Array], None]
"""Commands the engine for a step, by its number and the state (3, n) before it."""


class _ControllerFeed:
    """Sends commands to the arm's own controllers in the step in which they were sent."""

    def __init__(self, engine: Engine, commands: CommandSequence, zero_s: float) -> None:
        self._engine = engine
        self._period_s = 1.0 / engine.physics_rate_hz
        self._time_s = (np.asarray(commands.time_s) - zero_s).tolist()
        self._values = np.asarray(commands.values)
        self._next = 0

    def __call__(self, step: int, state: Array) -> None:
        begin_s, end_s = step * self._period_s, (step + 1) * self._period_s
        while self._next < len(self._time_s) and self._time_s[self._next] < end_s:
            after_s = self._time_s[self._next] - begin_s
            self._engine.command_controllers(self._values[self._next], after_s=after_s)
            self._next += 1


class _IdealFeed:
    """Commands the engine's ideal drives by a signal, as the compiled loop does its own."""

    def __init__(self, engine: Engine, drives: Drives, signal: arm_control.Signal) -> None:
        n = engine.robot.n_joints
        self._engine, self._drives, self._signal = engine, drives, signal
        self._period_s = 1.0 / engine.physics_rate_hz
        self._command, self._wanted, self._none = np.zeros(n), np.zeros(n), np.zeros(n)
        self._index, self._due_s = 0, -np.inf

    def __call__(self, step: int, state: Array) -> None:
        drives, command, period_s = self._drives, self._command, self._period_s
        begin_s = step * period_s - drives.delay_s
        if drives.mode == arm_loop.IDEAL_POSITION:
            self._index, self._due_s = arm_loop.aim(
                self._signal, drives.rows, self._index, self._due_s,
                begin_s + arm_loop.ROUNDING * period_s, state[0], command,
            )  # fmt: skip
        else:
            self._index = arm_control.commanded_efforts(
                drives.mode, drives.rows, self._signal, self._signal[0].size, self._index, begin_s,
                period_s, state[0], state[1], self._none, self._none, self._wanted, command,
            )  # fmt: skip
        if drives.mode == arm_control.EFFORT:
            self._engine.command_effort(command, gravity_compensation=drives.compensated)
        else:
            self._engine.command_velocity(command)
