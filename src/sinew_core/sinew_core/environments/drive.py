"""What stands between the desired command and the engine, one class per action mode."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.environments.compiled import compiled_approach_velocity
from sinew_core.robots.limits import JointLimits
from sinew_core.safety.effort_twin import BatchEffortFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.twin import BatchVelocityFilter
from sinew_core.simulation.engine import Engine

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

    def cycle(self, desired: FloatArray, position: FloatArray, velocity: FloatArray) -> None:
        """Command what is allowed of `desired` (n,) at the measured (n,) rad, rad/s."""


class VelocityDrive:
    """The safety filter of the deployed graph, compiled.

    Attributes:
        interventions: joints whose command was changed, added up since the reset.
        fault: the filter's fault of the last cycle, 0 for none.
    """

    def __init__(
        self, engine: Engine, limits: JointLimits, safety: SafetyParameters, period_s: float
    ) -> None:
        """Start a filter for one arm."""
        self._engine = engine
        self._filter = BatchVelocityFilter(limits, safety, period_s, 1)
        self._command = np.zeros((1, limits.velocity_rad_s.size))
        self._arm_command = self._command[0]

    @property
    def interventions(self) -> int:
        """Joints whose command was changed, added up since the reset."""
        return int(self._filter.interventions.sum())

    @property
    def fault(self) -> int:
        """The filter's fault of the last cycle, 0 for none."""
        return int(self._filter.faults[0])

    def reset(self, position: FloatArray) -> None:
        """Start the filter's observer from rest at a position (n,) rad."""
        self._filter.reset(0, position)

    def cycle(self, desired: FloatArray, position: FloatArray, velocity: FloatArray) -> None:
        """Filter a desired velocity (n,) rad/s and command it."""
        self._filter.step(desired[None], position[None], self._command)
        self._engine.command_velocity(self._arm_command)


class PositionDrive(VelocityDrive):
    """Turns a position target into the velocity that stops there, then filters it as above."""

    def __init__(
        self, engine: Engine, limits: JointLimits, safety: SafetyParameters, period_s: float
    ) -> None:
        """Start a filter for one arm."""
        super().__init__(engine, limits, safety, period_s)
        self._approach = compiled_approach_velocity()
        self._deceleration = limits.acceleration_rad_s2 * safety.acceleration_scale
        self._period_s = period_s
        self._velocity = np.zeros(limits.velocity_rad_s.size)

    def cycle(self, desired: FloatArray, position: FloatArray, velocity: FloatArray) -> None:
        """Approach a desired position (n,) rad."""
        self._approach(desired, position, self._deceleration, self._period_s, self._velocity)
        super().cycle(self._velocity, position, velocity)


class EffortDrive:
    """The filter of efforts, compiled.

    With gravity compensation the engine is sent the sum of command and gravity effort, which is
    what it would add itself: the filter has it already.

    Attributes:
        interventions: joints whose command was changed, added up since the reset.
        fault: the filter's fault of the last cycle, 0 for none.
    """

    def __init__(
        self,
        engine: Engine,
        safety: SafetyParameters,
        period_s: float,
        *,
        gravity_compensation: bool,
    ) -> None:
        """Start a filter for the engine's arm."""
        self._engine = engine
        self._filter = BatchEffortFilter(
            engine.robot, safety, period_s, 1, gravity_compensation=gravity_compensation
        )
        self._command = np.zeros((1, engine.robot.n_joints))
        self._sum = np.zeros(engine.robot.n_joints)

    @property
    def interventions(self) -> int:
        """Joints whose command was changed, added up since the reset."""
        return int(self._filter.interventions.sum())

    @property
    def fault(self) -> int:
        """The filter's fault of the last cycle, 0 for none."""
        return int(self._filter.faults[0])

    def reset(self, position: FloatArray) -> None:
        """Start from the effort that holds the arm at rest at a position (n,) rad."""
        self._filter.reset(0, position)

    def cycle(self, desired: FloatArray, position: FloatArray, velocity: FloatArray) -> None:
        """Filter a desired effort (n,) N m and command it."""
        self._filter.step(desired[None], position[None], velocity[None], self._command)
        np.add(self._command[0], self._filter.gravity_nm, out=self._sum)
        self._engine.command_effort(self._sum, gravity_compensation=False)


def make_drive(
    mode: str,
    engine: Engine,
    limits: JointLimits,
    safety: SafetyParameters,
    period_s: float,
    *,
    gravity_compensation: bool,
) -> Drive:
    """Return the drive of an action mode."""
    if mode == "joint_effort":
        return EffortDrive(engine, safety, period_s, gravity_compensation=gravity_compensation)
    if mode == "joint_position":
        return PositionDrive(engine, limits, safety, period_s)
    return VelocityDrive(engine, limits, safety, period_s)
