"""What stands between the desired command and the engine, one class per action mode."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.robots.model import RobotModel
from sinew_core.safety.effort_twin import BatchEffortFilter
from sinew_core.safety.make import make_batch_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation.engine import Engine
from sinew_core.simulation.position_drive import PositionDrive
from sinew_core.specs import command_mode

FloatArray = NDArray[np.float64]


class Drive(Protocol):
    """Commands the engine once per cycle of the safety filter."""

    @property
    def interventions(self) -> int:
        """Joints whose command was changed, added up since the reset."""

    @property
    def fault(self) -> int:
        """The fault of the last cycle, 0 for none."""

    def reset(self, position: FloatArray) -> None:
        """Start from rest at a position (n,) rad."""

    def filtered(
        self, desired: FloatArray, position: FloatArray, velocity: FloatArray
    ) -> FloatArray:
        """Return what the safety filter makes of what is desired (n,), an array used again."""

    def apply(self, command: FloatArray, position: FloatArray) -> None:
        """Command the engine, whose arm is at (n,) rad; the command is one that was filtered."""

    def cycle(self, desired: FloatArray, position: FloatArray, velocity: FloatArray) -> None:
        """Command what is allowed of `desired` (n,) at the measured (n,) rad, rad/s."""


class VelocityDrive:
    """The safety filter of the deployed graph, compiled, before a drive that holds velocities.

    Attributes:
        interventions: joints whose command was changed, added up since the reset.
        fault: the filter's fault of the last cycle, 0 for none.
    """

    mode = "joint_velocity"

    def __init__(
        self, engine: Engine, robot: RobotModel, safety: SafetyParameters, period_s: float
    ) -> None:
        """Start a filter for one arm."""
        self._engine = engine
        self._filter = make_batch_filter(self.mode, robot, safety, period_s, 1)
        self._command = np.zeros((1, robot.n_joints))
        self._arm_command: FloatArray = self._command[0]

    @property
    def interventions(self) -> int:
        """Joints whose command was changed, added up since the reset."""
        return sum(self._filter.interventions[0].tolist())

    @property
    def fault(self) -> int:
        """The filter's fault of the last cycle, 0 for none."""
        return int(self._filter.faults[0])

    def reset(self, position: FloatArray) -> None:
        """Start the filter from rest at a position (n,) rad."""
        self._filter.reset(0, position)

    def cycle(self, desired: FloatArray, position: FloatArray, velocity: FloatArray) -> None:
        """Filter what is desired (n,) and command it."""
        self.apply(self.filtered(desired, position, velocity), position)

    def filtered(
        self, desired: FloatArray, position: FloatArray, velocity: FloatArray
    ) -> FloatArray:
        """Return what is safe of what is desired (n,)."""
        self._filter.step(desired[None], position[None], self._command)
        return self._arm_command

    def apply(self, command: FloatArray, position: FloatArray) -> None:
        """Command a velocity (n,) rad/s."""
        self._engine.command_velocity(command)


class FilteredPositionDrive(VelocityDrive):
    """The same for positions, before the position drive of the simulated driver."""

    mode = "joint_position"

    def __init__(
        self, engine: Engine, robot: RobotModel, safety: SafetyParameters, period_s: float
    ) -> None:
        """Start a filter for one arm."""
        super().__init__(engine, robot, safety, period_s)
        self._drive = PositionDrive(robot.limits, period_s)

    def apply(self, command: FloatArray, position: FloatArray) -> None:
        """Command the velocity that leads to a position (n,) rad."""
        self._engine.command_velocity(self._drive.velocity(command, position))


class EffortDrive:
    """The safety filter for efforts, compiled, before torque-controlled motors.

    The engine adds gravity's effort as it does for the simulated driver: the filter's own would
    differ in the last bit.

    Attributes:
        interventions: joints whose command was changed, added up since the reset.
        fault: the filter's fault of the last cycle, 0 for none.
    """

    def __init__(
        self,
        engine: Engine,
        robot: RobotModel,
        safety: SafetyParameters,
        period_s: float,
        *,
        gravity_compensation: bool,
    ) -> None:
        """Start a filter for one arm."""
        self._engine = engine
        self._gravity_compensation = gravity_compensation
        self._filter = BatchEffortFilter(
            robot, safety, period_s, 1, gravity_compensation=gravity_compensation
        )
        self._command = np.zeros((1, robot.n_joints))
        self._arm_command: FloatArray = self._command[0]

    @property
    def interventions(self) -> int:
        """Joints whose command was changed, added up since the reset."""
        return sum(self._filter.interventions[0].tolist())

    @property
    def fault(self) -> int:
        """The filter's fault of the last cycle, 0 for none."""
        return int(self._filter.faults[0])

    def reset(self, position: FloatArray) -> None:
        """Start from the effort that holds the arm at rest at a position (n,) rad."""
        self._filter.reset(0, position)

    def cycle(self, desired: FloatArray, position: FloatArray, velocity: FloatArray) -> None:
        """Filter a desired effort (n,) N m and command it."""
        self.apply(self.filtered(desired, position, velocity), position)

    def filtered(
        self, desired: FloatArray, position: FloatArray, velocity: FloatArray
    ) -> FloatArray:
        """Return what is safe of a desired effort (n,) N m."""
        self._filter.step(desired[None], position[None], velocity[None], self._command)
        return self._arm_command

    def apply(self, command: FloatArray, position: FloatArray) -> None:
        """Command an effort (n,) N m."""
        self._engine.command_effort(command, gravity_compensation=self._gravity_compensation)


def make_drive(
    mode: str,
    engine: Engine,
    robot: RobotModel,
    safety: SafetyParameters,
    period_s: float,
    *,
    gravity_compensation: bool,
) -> Drive:
    """Return the drive of an action mode."""
    commanded = command_mode(mode)
    if commanded == "joint_effort":
        return EffortDrive(
            engine, robot, safety, period_s, gravity_compensation=gravity_compensation
        )
    if commanded == "joint_position":
        return FilteredPositionDrive(engine, robot, safety, period_s)
    return VelocityDrive(engine, robot, safety, period_s)
