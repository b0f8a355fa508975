"""The drives of the simulated arm, one for each action mode, and what each does in silence."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.simulation.engine import Engine
from sinew_core.simulation.position_drive import PositionDrive

FloatArray = NDArray[np.float64]


class Drive(Protocol):
    """Brings a command (n,), in the unit of its mode, to the engine once a period."""

    def rest(self, command: FloatArray, position: FloatArray) -> None:
        """Write the command that keeps the arm at rest at a position (n,) rad."""

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Hold a command over the period that begins at a measured position (n,) rad."""

    def brake(self, command: FloatArray, position: FloatArray) -> bool:
        """Do so without fresh commands, changing `command`; return whether that stops a motion."""


class VelocityDrive:
    """Holds the velocity; in silence it ramps it down by the acceleration limits."""

    def __init__(self, engine: Engine, period_s: float) -> None:
        """Take the engine and the driver's period."""
        self._engine = engine
        self._step = engine.robot.limits.acceleration_rad_s2 * period_s

    def rest(self, command: FloatArray, position: FloatArray) -> None:
        """Write zeros."""
        command[:] = 0.0

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Hold the velocity."""
        self._engine.command_velocity(command)

    def brake(self, command: FloatArray, position: FloatArray) -> bool:
        """Ramp the velocity down."""
        moving = bool(command.any())
        command -= np.clip(command, -self._step, self._step)
        self.send(command, position)
        return moving


class FollowingDrive:
    """Follows positions; silence needs no reaction, for the last one is a place to rest."""

    def __init__(self, engine: Engine, period_s: float) -> None:
        """Take the engine and the driver's period."""
        self._engine = engine
        self._drive = PositionDrive(engine.robot.limits, period_s)

    def rest(self, command: FloatArray, position: FloatArray) -> None:
        """Write the position itself."""
        command[:] = position

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Go there within the period, or as fast as the velocity limits allow."""
        self._engine.command_velocity(self._drive.velocity(command, position))

    def brake(self, command: FloatArray, position: FloatArray) -> bool:
        """Go on to the last position."""
        self.send(command, position)
        return False


def make_drive(mode: str, engine: Engine, period_s: float) -> Drive:
    """Return the drive of an action mode."""
    return (FollowingDrive if mode == "joint_position" else VelocityDrive)(engine, period_s)
