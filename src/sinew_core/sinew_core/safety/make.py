"""The safety filter of an action mode: one arm in plain Python, or many arms compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinew_core.errors import ConfigError, suggest
from sinew_core.robots.model import RobotModel
from sinew_core.safety.certified import CertifiedPositionFilter, CertifiedVelocityFilter
from sinew_core.safety.certified_constants import (
    certified_position_constants,
    certified_velocity_constants,
    jerk_binds,
)
from sinew_core.safety.filter import ArmFilter, PositionFilter, VelocityFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.watched import watches_pairs

if TYPE_CHECKING:
    from sinew_core.collision import CollisionModel
    from sinew_core.safety.twin import BatchFilter

FILTERED_MODES = ("joint_velocity", "joint_position")


def make_filter(
    mode: str, robot: RobotModel, parameters: SafetyParameters, period_s: float
) -> ArmFilter:
    """Return the filter that a safety node runs: a certified one where its limits can bind.

    Raises:
        ConfigError: for an unknown mode, or limits, parameters and period that do not fit.
        RobotError: if distances are asked for and a collision shape cannot be used.
    """
    distances = _distances(mode, robot, parameters)
    certified = distances is not None or _binds(mode, robot, parameters, period_s)
    if mode == "joint_velocity":
        if certified:
            return CertifiedVelocityFilter(robot.limits, parameters, period_s, distances)
        return VelocityFilter(robot.limits, parameters, period_s)
    if certified:
        return CertifiedPositionFilter(robot.limits, parameters, period_s, distances)
    return PositionFilter(robot.limits, parameters, period_s)


def make_batch_filter(
    mode: str, robot: RobotModel, parameters: SafetyParameters, period_s: float, n_arms: int
) -> BatchFilter:
    """Return the same filter for `n_arms` arms, which training runs; it needs numba.

    Raises:
        ConfigError: as `make_filter`.
        RobotError: as `make_filter`.
    """
    from sinew_core.safety import certified_twin, twin

    limits, distances = robot.limits, _distances(mode, robot, parameters)
    certified = distances is not None or _binds(mode, robot, parameters, period_s)
    if mode == "joint_velocity":
        if certified:
            return certified_twin.BatchCertifiedVelocityFilter(
                limits, parameters, period_s, n_arms, distances
            )
        return twin.BatchVelocityFilter(limits, parameters, period_s, n_arms)
    if certified:
        return certified_twin.BatchCertifiedPositionFilter(
            limits, parameters, period_s, n_arms, distances
        )
    return twin.BatchPositionFilter(limits, parameters, period_s, n_arms)


def _distances(mode: str, robot: RobotModel, parameters: SafetyParameters) -> CollisionModel | None:
    """Return the distances that the parameters ask for; None where they ask for none."""
    if mode not in FILTERED_MODES:
        raise ConfigError(f"no safety filter for mode '{mode}': {suggest(mode, FILTERED_MODES)}")
    if not watches_pairs(parameters):
        return None
    from sinew_core.collision import CollisionModel

    model = CollisionModel(robot, parameters)
    return model if model.pairs else None


def _binds(mode: str, robot: RobotModel, parameters: SafetyParameters, period_s: float) -> bool:
    """Tell whether whole commands are scaled, or a jerk limit can bind."""
    if parameters.limiting == "scale":
        return True
    constants = (
        certified_velocity_constants if mode == "joint_velocity" else certified_position_constants
    )
    joints, _ = constants(robot.limits, parameters, period_s)
    return jerk_binds(joints)
