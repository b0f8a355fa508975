"""The simulated arm behind the driver node: physics, simulated time, and the driver's watchdog."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.simulation.engine import Engine
from sinew_ros.stamps import NS_PER_S
from sinew_sim.drives import Drive

START_NS = NS_PER_S


class SimulatedArm:
    """Step an engine under commands and keep its clock in integer nanoseconds.

    Attributes:
        stamp_ns: simulated time, from 1 s on.
        position, velocity, effort: (n,) rad, rad/s, N m of the present state.
        command: (n,) in force, in the unit of the drive.
        watchdog_trips: how often silence stopped a motion.
    """

    def __init__(self, engine: Engine, drive: Drive, *, period_ns: int, watchdog_s: float) -> None:
        """Begin at home; advance by `period_ns` a step; brake `watchdog_s` after the last command.

        A watchdog of 0 is off, as in the real forward controllers.
        """
        n = engine.robot.n_joints
        self._engine = engine
        self._period_ns = period_ns
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
        self._tripped = False
        self._place(engine.robot.home_rad)

    def reset(self, position_rad: NDArray[np.float64]) -> None:
        """Place the arm at rest at (n,) rad; the clock goes on to a later whole second.

        More than one period passes, so that no node can take the reset for a step.
        """
        self.stamp_ns = NS_PER_S * ((self.stamp_ns + self._period_ns) // NS_PER_S + 1)
        self._place(position_rad)

    def accept(self, command: Sequence[float]) -> bool:
        """Put a command (n,) in force; return False for a wrong length or a value not finite."""
        if len(command) != self.command.size or not all(map(math.isfinite, command)):
            return False
        self.command[:] = command
        self._commanded_ns = self.stamp_ns
        self._tripped = False
        return True

    def step(self) -> None:
        """Advance by one period under the command in force."""
        late = self._watchdog_ns is not None and (
            self.stamp_ns - self._commanded_ns >= self._watchdog_ns
        )
        if not late:
            self._drive.send(self.command, self.position)
        elif self._drive.brake(self.command, self.position, self.velocity):
            self.watchdog_trips += not self._tripped
            self._tripped = True
        self._engine.step(self._steps)
        self.stamp_ns += self._period_ns
        self._read()

    def _place(self, position_rad: NDArray[np.float64]) -> None:
        self._engine.reset(position_rad)
        self._tripped = False
        self._read()
        self._drive.rest(self.command, self.position)

    def _read(self) -> None:
        self._engine.read_state(self.position, self.velocity, self.effort)
