"""The drives of the simulated arm, one for each action mode, and what each does in silence."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.simulation.engine import Engine
from sinew_core.simulation.position_drive import PositionDrive

FloatArray = NDArray[np.float64]

_REST_RAD_S = 1e-3


class Drive(Protocol):
    """Brings a command (n,), in the unit of its mode, to the engine once a period."""

    def rest(self, command: FloatArray, position: FloatArray) -> None:
        """Write the command that keeps the arm at rest at a position (n,) rad."""

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Hold a command over the period that begins at a measured position (n,) rad."""

    def brake(self, command: FloatArray, position: FloatArray, velocity: FloatArray) -> bool:
        """Do so without fresh commands, changing `command`; return whether that stops a motion.

        The velocity is measured, (n,) rad/s.
        """


class VelocityDrive:
    """Holds the velocity; in silence it ramps it down by the acceleration limits."""

    def __init__(self, engine: Engine, period_s: float) -> None:
        """Take the engine and the driver's period."""
        self._engine = engine
        limits = engine.robot.limits
        self._fastest, self._step = limits.velocity_rad_s, limits.acceleration_rad_s2 * period_s

    def rest(self, command: FloatArray, position: FloatArray) -> None:
        """Write zeros."""
        command[:] = 0.0

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Hold the velocity."""
        self._engine.command_velocity(command)

    def brake(self, command: FloatArray, position: FloatArray, velocity: FloatArray) -> bool:
        """Ramp the velocity down, from its limit where the command was beyond it."""
        moving = bool(command.any())
        np.clip(command, -self._fastest, self._fastest, out=command)
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

    def brake(self, command: FloatArray, position: FloatArray, velocity: FloatArray) -> bool:
        """Go on to the last position."""
        self.send(command, position)
        return False


class EffortDrive:
    """Applies efforts; in silence it brakes by the acceleration limits, then holds the arm."""

    def __init__(self, engine: Engine, period_s: float, *, gravity_compensation: bool) -> None:
        """Take the engine, the driver's period, and whether gravity's effort is added."""
        self._engine = engine
        self._step = engine.robot.limits.acceleration_rad_s2 * period_s
        self._gravity_compensation = gravity_compensation

    def rest(self, command: FloatArray, position: FloatArray) -> None:
        """Write what gravity asks for, where it is not added anyway."""
        command[:] = 0.0 if self._gravity_compensation else self._engine.gravity_effort(position)

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Hold the efforts."""
        self._engine.command_effort(command, gravity_compensation=self._gravity_compensation)

    def brake(self, command: FloatArray, position: FloatArray, velocity: FloatArray) -> bool:
        """Hold less and less of the measured velocity; efforts come in force again when sent."""
        self._engine.command_velocity(velocity - np.clip(velocity, -self._step, self._step))
        return bool(np.abs(velocity).max() > _REST_RAD_S)


class ControlledPositions(FollowingDrive):
    """Sends positions to the arm's own controllers, which go on to the last one in silence."""

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Send the positions."""
        self._engine.command_controllers(command)

    def brake(self, command: FloatArray, position: FloatArray, velocity: FloatArray) -> bool:
        """Leave the arm to its controllers."""
        return False


class ControlledVelocities(VelocityDrive):
    """Sends velocities to the arm's own controllers; in silence it ramps them down."""

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Send the velocities."""
        self._engine.command_controllers(command)


class ControlledEfforts(EffortDrive):
    """Sends efforts to the arm's own controllers; in silence it takes over and brakes."""

    def send(self, command: FloatArray, position: FloatArray) -> None:
        """Send the efforts."""
        self._engine.command_controllers(command)


def make_drive(
    mode: str,
    engine: Engine,
    period_s: float,
    *,
    gravity_compensation: bool,
    controlled: bool = False,
) -> Drive:
    """Return the drive of an action mode; gravity compensation is of efforts.

    It drives the arm ideally, or where that is `controlled` sends commands to its own controllers.
    """
    if controlled and mode == "joint_effort":
        return ControlledEfforts(engine, period_s, gravity_compensation=gravity_compensation)
    if controlled:
        by_position = mode == "joint_position"
        return (ControlledPositions if by_position else ControlledVelocities)(engine, period_s)
    if mode == "joint_effort":
        return EffortDrive(engine, period_s, gravity_compensation=gravity_compensation)
    return (FollowingDrive if mode == "joint_position" else VelocityDrive)(engine, period_s)
