"""The constants of the certified filters' equations, after those of the plain filters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sinew_core.safety.constants import filter_constants, position_constants
from sinew_core.safety.equations import (
    DRIFT,
    GAIN,
    MOTION_MOST,
    PERIOD,
    SPEED,
    SPEED_STEP,
)
from sinew_core.safety.jerk import ROUNDING_RAD_S, settled_area
from sinew_core.safety.parameters import SafetyParameters

if TYPE_CHECKING:
    from sinew_core.robots.limits import JointLimits

UNLIMITED = 4.0
"""A change of the step, in steps, that no jerk limit forbids: two are the most there can be."""


def certified_velocity_constants(
    limits: JointLimits, parameters: SafetyParameters, period_s: float
) -> tuple[list[list[float]], list[float]]:
    """Return the rows `joints` (11, n) and the entries `model` (12,) of `certified_equations`.

    The jerk limit shrinks as the acceleration limit does, by the drive's gain and by twice the
    jitter; it is a limit of commands at even periods.

    Raises:
        ConfigError: as `filter_constants`.
    """
    joints, model = filter_constants(limits, parameters, period_s)
    shrink = (1.0 - parameters.jitter) ** 2 / (1.0 + parameters.gain_error)
    hold = model[GAIN] * period_s * parameters.dead_time_periods
    return _extended(joints, model, limits, parameters, shrink, (hold, 0.0, ROUNDING_RAD_S))


def certified_position_constants(
    limits: JointLimits, parameters: SafetyParameters, period_s: float
) -> tuple[list[list[float]], list[float]]:
    """Return the same for `certified_positions`.

    Raises:
        ConfigError: as `filter_constants`.
    """
    joints, model = position_constants(limits, parameters, period_s)
    shrink = (1.0 - parameters.jitter) ** 2
    entries = (0.0, parameters.tracking_error_rad, 4e-15 / period_s)
    return _extended(joints, model, limits, parameters, shrink, entries)


def jerk_binds(joints: list[list[float]]) -> bool:
    """Tell whether the jerk limit of any joint can ever bind."""
    from sinew_core.safety.certified_equations import JERK_STEP

    return any(
        jerk < 2.0 * step for jerk, step in zip(joints[JERK_STEP], joints[SPEED_STEP], strict=True)
    )


def _extended(
    joints: list[list[float]],
    model: list[float],
    limits: JointLimits,
    parameters: SafetyParameters,
    shrink: float,
    entries: tuple[float, float, float],
) -> tuple[list[list[float]], list[float]]:
    period_s = model[PERIOD]
    scaled = 1.0 if parameters.limiting == "scale" else 0.0
    model = [*model, *entries, scaled]
    jerk_steps = [UNLIMITED * step for step in joints[SPEED_STEP]]
    if parameters.limit_jerk:
        jerk = (limits.jerk_rad_s3 * (parameters.jerk_scale * shrink * period_s**2)).tolist()
        jerk_steps = [min(a, b) for a, b in zip(jerk, jerk_steps, strict=True)]
    full = [
        _furthest_reach(speed, step, jerk_step, model, entries[0])
        for speed, step, jerk_step in zip(
            joints[SPEED], joints[SPEED_STEP], jerk_steps, strict=True
        )
    ]
    return [*joints, jerk_steps, full], model


def _furthest_reach(
    speed: float, speed_step: float, jerk_step: float, model: list[float], hold: float
) -> float:
    """Return what no reach exceeds: as long as any step lasts at full speed, then braking."""
    area, periods = settled_area(speed, 0.0, speed_step, jerk_step)
    lead = math.ceil(speed_step / jerk_step) + 2.0
    periods += lead
    return model[MOTION_MOST] * (lead * speed + area) + model[DRIFT] * periods + hold * speed
