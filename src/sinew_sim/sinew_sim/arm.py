"""The simulated arm behind the driver node: physics, simulated time, and the driver's watchdog."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.delay import DelayedCommands
from sinew_core.simulation.engine import Engine
from sinew_core.simulation.sensors import SensorNoise
from sinew_ros.stamps import NS_PER_S
from sinew_sim.drives import Drive

START_NS = NS_PER_S

Place = tuple[NDArray[np.float64], float]
"""Of an object: its centre (3,) m in the base frame, its heading in rad."""


class SimulatedArm:
    """Step an engine under commands and keep its clock in integer nanoseconds.

    Attributes:
        stamp_ns: simulated time, from 1 s on.
        position, velocity, effort: (n,) rad, rad/s, N m of the present state.
        command: (n,) in force, in the unit of the drive.
        watchdog_trips: how often silence stopped a motion.
    """

    def __init__(
        self,
        engine: Engine,
        drive: Drive,
        *,
        period_ns: int,
        watchdog_s: float,
        params: SimParams | None = None,
        command_period_s: float = 0.0,
        rng: np.random.Generator | None = None,
        thing: Place | None = None,
    ) -> None:
        """Begin at home; advance by `period_ns` a step; brake `watchdog_s` after the last command.

        The period is that of a rate in Hz, cut to nanoseconds.
        A watchdog of 0 is off, as in the real forward controllers. With `params` it is another
        copy of the arm, whose sensors take their noise from `rng`; a linear hold of its controllers
        goes from one command to the next in the command period. An engine with an object needs a
        place for it, `thing`.
        """
        n = engine.robot.n_joints
        self._engine = engine
        self._simulate(params, command_period_s)
        self._rng = rng or np.random.default_rng(0)
        self._fresh = False
        self._period_ns, self._rate_hz = period_ns, round(NS_PER_S / period_ns)
        self._began_ns, self._periods = START_NS, 0
        self._steps = round(period_ns * engine.physics_rate_hz / NS_PER_S)
        self._watchdog_ns = round(watchdog_s * NS_PER_S) if watchdog_s else None
        self._drive = drive
        self._commanded_ns = 0
        self.stamp_ns = START_NS
        self.position: NDArray[np.float64] = np.zeros(n)
        self.velocity: NDArray[np.float64] = np.zeros(n)
        self.effort: NDArray[np.float64] = np.zeros(n)
        self.command: NDArray[np.float64] = np.zeros(n)
        self.watchdog_trips = 0
        self._unread: NDArray[np.float64] = np.zeros(n)
        # What the drive sees, which has encoders of its own; the same without noise.
        self._true_position = self.position if self._noise is None else np.zeros(n)
        self._true_velocity = self.velocity if self._noise is None else np.zeros(n)
        self._tripped = False
        self._place(engine.robot.home_rad, thing)

    def _simulate(self, params: SimParams | None, command_period_s: float) -> None:
        """Make the engine another copy of the arm, or the nominal one without `params`."""
        engine = self._engine
        if params is None:
            engine.set_dynamics(None)
        else:
            engine.set_dynamics(params.dynamics, params.controller, command_period_s)
        self._noise = SensorNoise(params.dynamics) if params else None
        self._jitter_s = params.dynamics.command_jitter_s if params else 0.0
        self._lateness = 0.0
        # Controllers of the arm's own have the delay in them, and hold what was sent once.
        self._controlled = bool(params and params.controller)
        late = params is not None and not self._controlled
        self._commands = DelayedCommands(
            engine,
            self._send,
            params.dynamics.delay_s if params and late else 0.0,
            0.0 if self._controlled else self._jitter_s,
        )

    def reset(self, position_rad: NDArray[np.float64], thing: Place | None = None) -> None:
        """Place the arm at rest at (n,) rad; the clock goes on to a later whole second.

        An engine with an object needs a place for it.

        More than one period passes, so that no node can take the reset for a step.
        """
        self.stamp_ns = NS_PER_S * ((self.stamp_ns + self._period_ns) // NS_PER_S + 1)
        self._began_ns, self._periods = self.stamp_ns, 0
        self._place(position_rad, thing)

    def accept(self, command: Sequence[float]) -> bool:
        """Put a command (n,) in force; return False for a wrong length or a value not finite."""
        if len(command) != self.command.size or not all(map(math.isfinite, command)):
            return False
        self.command[:] = command
        self._commanded_ns = self.stamp_ns
        self._tripped = False
        self._fresh = True
        return True

    def step(self) -> None:
        """Advance by one period under the command in force."""
        late = self._watchdog_ns is not None and (
            self.stamp_ns - self._commanded_ns >= self._watchdog_ns
        )
        if late:
            self._commands.forget()
            if self._drive.brake(self.command, self._true_position, self._true_velocity):
                self.watchdog_trips += not self._tripped
                self._tripped = True
        elif self._fresh or not self._controlled:
            if self._jitter_s and self._fresh:
                self._lateness = self._rng.random()
            self._commands.send(self.command, self._lateness)
        self._advance()

    def brake(self) -> None:
        """Advance by one period as if no command were in force, without counting a trip."""
        self._commands.forget()
        self._drive.brake(self.command, self._true_position, self._true_velocity)
        self._advance()

    def stand(self) -> None:
        """Put the command in force that keeps the arm where it is."""
        self._drive.rest(self.command, self._true_position)

    def _advance(self) -> None:
        self._fresh = False
        self._commands.step(self._steps)
        self._periods += 1
        # Periods of rates such as 60 Hz are cut to nanoseconds: their sum would fall behind.
        self.stamp_ns = self._began_ns + self._periods * NS_PER_S // self._rate_hz
        self._read()

    def _place(self, position_rad: NDArray[np.float64], thing: Place | None) -> None:
        self._engine.reset(position_rad)
        if thing is not None:
            self._engine.place_object(*thing)
        self._commands.forget()
        self._tripped = self._fresh = False
        self._read()
        self._drive.rest(self.command, self._true_position)

    def _read(self) -> None:
        self._engine.read_state(self._true_position, self._true_velocity, self.effort)
        if self._noise is not None:
            self.position[:] = self._true_position
            self.velocity[:] = self._true_velocity
            self._noise.add(self.position, self.velocity, self._rng)

    def _send(self, command: NDArray[np.float64]) -> None:
        """Hand a command that has arrived to the drive, in the midst of a period too."""
        if self._noise is not None:
            self._engine.read_state(self._true_position, self._true_velocity, self._unread)
        if self._controlled and self._jitter_s:
            late_s = self._lateness * self._jitter_s
            self._engine.command_controllers(command, after_s=late_s)
        else:
            self._drive.send(command, self._true_position)
