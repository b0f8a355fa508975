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
from sinew_core.safety.effort_filter import EffortFilter
from sinew_core.safety.filter import PositionFilter, VelocityFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.watched import watches_pairs

if TYPE_CHECKING:
    from sinew_core.collision import CollisionModel
    from sinew_core.robots.limits import JointLimits
    from sinew_core.safety.twin import BatchPositionFilter, BatchVelocityFilter

MOTION_MODES = ("joint_velocity", "joint_position")
FILTERED_MODES = (*MOTION_MODES, "joint_effort")


def make_filter(
    mode: str,
    robot: RobotModel,
    parameters: SafetyParameters,
    period_s: float,
    *,
    gravity_compensation: bool = True,
) -> VelocityFilter | PositionFilter | EffortFilter:
    """Return the filter that a safety node runs: a certified one where its limits can bind.

    `gravity_compensation` tells, for efforts, whether the arm's controller adds gravity's.

    Raises:
        ConfigError: for an unknown mode, or limits, parameters and period that do not fit.
        RobotError: if distances are asked for and a collision shape cannot be used.
    """
    if mode == "joint_effort":
        return EffortFilter(robot, parameters, period_s, gravity_compensation=gravity_compensation)
    _check_mode(mode, FILTERED_MODES)
    distances = _distances(robot, parameters)
    return make_motion_filter(mode, robot.limits, parameters, period_s, distances)


def make_motion_filter(
    mode: str,
    limits: JointLimits,
    parameters: SafetyParameters,
    period_s: float,
    distances: CollisionModel | None = None,
) -> VelocityFilter | PositionFilter:
    """Return the filter of joint velocities or positions for an arm of which limits are known.

    Raises:
        ConfigError: for another mode, or limits, parameters and period that do not fit.
    """
    _check_mode(mode, MOTION_MODES)
    certified = distances is not None or _binds(mode, limits, parameters, period_s)
    if mode == "joint_velocity":
        if certified:
            return CertifiedVelocityFilter(limits, parameters, period_s, distances)
        return VelocityFilter(limits, parameters, period_s)
    if certified:
        return CertifiedPositionFilter(limits, parameters, period_s, distances)
    return PositionFilter(limits, parameters, period_s)


def make_batch_filter(
    mode: str, robot: RobotModel, parameters: SafetyParameters, period_s: float, n_arms: int
) -> BatchVelocityFilter | BatchPositionFilter:
    """Return the same filter for `n_arms` arms, which training runs; it needs numba.

    That of efforts reads velocities, too: `effort_twin.BatchEffortFilter`, made directly.

    Raises:
        ConfigError: as `make_filter`.
        RobotError: as `make_filter`.
    """
    from sinew_core.safety import certified_twin, twin

    _check_mode(mode, MOTION_MODES)
    limits, distances = robot.limits, _distances(robot, parameters)
    certified = distances is not None or _binds(mode, limits, parameters, period_s)
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


def _check_mode(mode: str, modes: tuple[str, ...]) -> None:
    if mode not in modes:
        raise ConfigError(f"no safety filter for mode '{mode}': {suggest(mode, modes)}")


def _distances(robot: RobotModel, parameters: SafetyParameters) -> CollisionModel | None:
    """Return the distances that the parameters ask for; None where they ask for none."""
    if not watches_pairs(parameters):
        return None
    from sinew_core.collision import CollisionModel

    model = CollisionModel(robot, parameters)
    return model if model.pairs else None


def _binds(mode: str, limits: JointLimits, parameters: SafetyParameters, period_s: float) -> bool:
    """Tell whether whole commands are scaled, or a jerk limit can bind."""
    if parameters.limiting == "scale":
        return True
    constants = (
        certified_velocity_constants if mode == "joint_velocity" else certified_position_constants
    )
    joints, _ = constants(limits, parameters, period_s)
    return jerk_binds(joints)
