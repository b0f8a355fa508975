"""A copy of the arm other than the nominal one, between the environment and the engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sinew_core.environments.drive import Drive
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.delay import DelayedCommands
from sinew_core.simulation.engine import Engine
from sinew_core.simulation.sensors import SensorNoise

FloatArray = NDArray[np.float64]


class VariedArm:
    """Runs the cycles of one copy of the arm: filter, delay, drive, physics, noisy sensors.

    Attributes:
        params: of this copy.
        position: (n,) rad, the truth.
        velocity: (n,) rad/s, the truth.
        tool_position: (3,) m in the base frame, the truth.
    """

    def __init__(
        self,
        engine: Engine,
        drive: Drive,
        params: SimParams,
        tool_position_of: Callable[[FloatArray, FloatArray], None],
        command_period_s: float,
    ) -> None:
        """Make the engine simulate this copy; an engine that is reset has to follow.

        Raises:
            ConfigError: the physics rate is too low for the copy's controllers.
        """
        n = engine.robot.n_joints
        self.params = params
        self.position, self.velocity = np.zeros(n), np.zeros(n)
        self.tool_position = np.zeros(3)
        self._tool_position_of = tool_position_of
        self._engine, self._drive = engine, drive
        dynamics = params.dynamics
        self._noise = SensorNoise(dynamics)
        self._jitter_s, self._lateness = dynamics.command_jitter_s, 0.0
        # Controllers of the arm's own have the delay in them.
        controlled = params.controller is not None
        self._commands = (
            DelayedCommands(engine, self._apply_controlled)
            if controlled
            else DelayedCommands(engine, self._apply, dynamics.delay_s, self._jitter_s)
        )
        self._unread = np.zeros(n)
        engine.set_dynamics(params.dynamics, params.controller, command_period_s)

    def begin(self) -> None:
        """Begin an episode."""
        self._commands.forget()

    def cycle(
        self, desired: FloatArray, position: FloatArray, velocity: FloatArray, steps: int
    ) -> None:
        """Filter what is desired (n,) by what is measured, send it, and step the physics."""
        command = self._drive.filtered(desired, position, velocity)
        self._commands.send(command, self._lateness)
        self._commands.step(steps)

    def measure(
        self,
        position: FloatArray,
        velocity: FloatArray,
        effort: FloatArray,
        rng: np.random.Generator,
    ) -> None:
        """Write what the sensors say: (n,) rad, rad/s and N m; draw how late the answer is."""
        self._engine.read_state(self.position, self.velocity, effort)
        self._tool_position_of(self.position, self.tool_position)
        position[:] = self.position
        velocity[:] = self.velocity
        self._noise.add(position, velocity, rng)
        if self._jitter_s:
            self._lateness = rng.random()

    def _apply_controlled(self, command: FloatArray) -> None:
        self._engine.command_controllers(command, after_s=self._lateness * self._jitter_s)

    def _apply(self, command: FloatArray) -> None:
        # The drive has an encoder of its own, next to the motor.
        self._engine.read_state(self.position, self.velocity, self._unread)
        self._drive.apply(command, self.position)
