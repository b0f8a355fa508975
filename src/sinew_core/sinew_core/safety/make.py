"""The safety filter of an action mode: one arm in plain Python, or many arms compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinew_core.errors import ConfigError, suggest
from sinew_core.robots.model import RobotModel
from sinew_core.safety.effort_filter import EffortFilter
from sinew_core.safety.filter import PositionFilter, VelocityFilter
from sinew_core.safety.parameters import SafetyParameters

if TYPE_CHECKING:
    from sinew_core.safety.twin import BatchPositionFilter, BatchVelocityFilter

FILTERED_MODES = ("joint_velocity", "joint_position", "joint_effort")


def make_filter(
    mode: str,
    robot: RobotModel,
    parameters: SafetyParameters,
    period_s: float,
    *,
    gravity_compensation: bool = True,
) -> VelocityFilter | PositionFilter | EffortFilter:
    """Return the filter that a safety node runs.

    `gravity_compensation` tells, for efforts, whether the arm's controller adds gravity's.

    Raises:
        ConfigError: for an unknown mode, or limits, parameters and period that do not fit.
    """
    if mode == "joint_velocity":
        return VelocityFilter(robot.limits, parameters, period_s)
    if mode == "joint_position":
        return PositionFilter(robot.limits, parameters, period_s)
    if mode == "joint_effort":
        return EffortFilter(robot, parameters, period_s, gravity_compensation=gravity_compensation)
    raise ConfigError(f"no safety filter for mode '{mode}': {suggest(mode, FILTERED_MODES)}")


def make_batch_filter(
    mode: str, robot: RobotModel, parameters: SafetyParameters, period_s: float, n_arms: int
) -> BatchVelocityFilter | BatchPositionFilter:
    """Return the same filter for `n_arms` arms, which training runs; it needs numba.

    That of efforts reads velocities, too: `effort_twin.BatchEffortFilter`, made directly.

    Raises:
        ConfigError: as `make_filter`.
    """
    from sinew_core.safety.twin import BatchPositionFilter, BatchVelocityFilter

    if mode == "joint_velocity":
        return BatchVelocityFilter(robot.limits, parameters, period_s, n_arms)
    if mode == "joint_position":
        return BatchPositionFilter(robot.limits, parameters, period_s, n_arms)
    raise ConfigError(f"no safety filter for mode '{mode}': {suggest(mode, FILTERED_MODES)}")
