"""The constants of the filter's equations, from limits, assumptions and period."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from sinew_core.errors import ConfigError
from sinew_core.safety.equations import EMPTY_TOLERANCE, NOISE, stopping_distance
from sinew_core.safety.parameters import SafetyParameters

if TYPE_CHECKING:
    from sinew_core.robots.limits import JointLimits

HOLDING_POLE = 0.3
HOLDING_RAD_S = 30.0
PATIENCE_PERIODS = 10
"""Periods without a measurement, beyond the declared latency, that are a fault."""


def filter_constants(
    limits: JointLimits, parameters: SafetyParameters, period_s: float
) -> tuple[list[list[float]], list[float]]:
    """Return the rows `joints` (9, n) and the entries `model` (8,) that `equations` indexes.

    Velocity and acceleration limits shrink so that the drive's error and a short period do not
    take the arm past them: V = (v_max - drift) / (1 + gain error),
    a = a_max (1 - jitter) / (1 + gain error).

    Raises:
        ConfigError: if the period is not positive, or the margins leave a joint no room or speed.
    """
    if not (math.isfinite(period_s) and period_s > 0.0):
        raise ConfigError(f"filter period_s is {period_s}: expected a positive number of seconds")
    p = parameters
    gain = (1.0 + p.jitter) * (1.0 + p.gain_error)
    drift = p.drift_rad_s * period_s * (1.0 + p.jitter)
    columns = [
        _joint_constants(limits, j, p, period_s, gain, drift)
        for j in range(len(limits.velocity_rad_s))
    ]
    model = [
        period_s,
        gain,
        gain * period_s,
        (1.0 - p.jitter) * (1.0 - p.gain_error) * period_s,
        drift,
        p.noise_rad,
        p.interpolation * gain * period_s,
        p.recovery_speed_rad_s,
    ]
    return [list(row) for row in zip(*columns, strict=True)], model


def position_constants(
    limits: JointLimits, parameters: SafetyParameters, period_s: float
) -> tuple[list[list[float]], list[float]]:
    """Return the same rows and entries for `position_equations`.

    A drive that follows positions adds no gain error, drift or dead time; what it may be off is
    the tracking error, by which the position limits shrink. Jitter makes a step of the reference
    faster than it was meant to be.

    Raises:
        ConfigError: as `filter_constants`.
    """
    p = parameters
    exact = dataclasses.replace(
        p,
        margin_rad=p.margin_rad + p.tracking_error_rad,
        velocity_scale=p.velocity_scale * (1.0 - p.jitter),
        acceleration_scale=p.acceleration_scale * (1.0 - p.jitter),
        drift_rad_s=0.0,
        gain_error=0.0,
        jitter=0.0,
        dead_time_periods=0.0,
        interpolation=0.0,
    )
    joints, model = filter_constants(limits, exact, period_s)
    model[NOISE] += p.tracking_error_rad
    return joints, model


def _joint_constants(
    limits: JointLimits, j: int, p: SafetyParameters, period_s: float, gain: float, drift: float
) -> list[float]:
    """Return the column of joint `j`; `gain` and `drift` (rad a period) are those of `model`."""
    lower, upper = float(limits.position_lower_rad[j]), float(limits.position_upper_rad[j])
    speed = float(limits.velocity_rad_s[j]) * p.velocity_scale - p.drift_rad_s
    if speed <= 0.0 or lower + p.margin_rad >= upper - p.margin_rad:
        raise ConfigError(
            f"joint {j}: margin_rad {p.margin_rad} or drift_rad_s {p.drift_rad_s} leaves "
            f"nothing of [{lower}, {upper}] rad at {limits.velocity_rad_s[j]} rad/s: lower it"
        )
    speed /= 1.0 + p.gain_error
    deceleration = float(limits.acceleration_rad_s2[j]) * p.acceleration_scale
    deceleration *= (1.0 - p.jitter) / (1.0 + p.gain_error)
    speed_step = deceleration * period_s
    dead_time = p.dead_time_periods + drift / (gain * speed_step * period_s)
    return [
        lower + p.margin_rad,
        upper - p.margin_rad,
        lower - EMPTY_TOLERANCE,
        upper + EMPTY_TOLERANCE,
        speed,
        speed_step,
        deceleration,
        dead_time,
        gain * stopping_distance(speed, deceleration, period_s, dead_time),
    ]


def effort_constants(
    limits: JointLimits,
    parameters: SafetyParameters,
    period_s: float,
    *,
    gravity_compensation: bool,
) -> tuple[list[list[float]], list[float]]:
    """Return the rows `joints` (11, n) and the entries `model` (8,) of `effort_equations`.

    What concerns only velocity drives (gain error, drift, interpolation) does not count. A latency
    of L periods makes the arm faster than measured by A L dt, and further by L periods and
    A (L dt)² / 2.

    Raises:
        ConfigError: as `filter_constants`.
    """
    if not (math.isfinite(period_s) and period_s > 0.0):
        raise ConfigError(f"filter period_s is {period_s}: expected a positive number of seconds")
    p = parameters
    latency = p.max_latency_periods
    columns = [_effort_joint(limits, j, p, period_s) for j in range(limits.n_joints)]
    # Both poles of a held joint at 1 - w; 30 rad/s where the period would allow stiffer.
    w = min(HOLDING_POLE, HOLDING_RAD_S * period_s) / (1.0 + latency)
    model = [
        period_s,
        period_s * (1.0 + p.jitter),
        w * w / (period_s * period_s),
        (2.0 * w - 0.5 * w * w) / period_s,
        p.recovery_speed_rad_s,
        1.0 if gravity_compensation else 0.0,
        float(latency),
        float(latency + PATIENCE_PERIODS),
    ]
    return [list(row) for row in zip(*columns, strict=True)], model


def _effort_joint(limits: JointLimits, j: int, p: SafetyParameters, period_s: float) -> list[float]:
    """Return the column of joint `j`."""
    longest_s = period_s * (1.0 + p.jitter)
    late_s = p.max_latency_periods * longest_s
    hardest = float(limits.acceleration_rad_s2[j])
    steady = hardest * p.acceleration_scale
    margin = p.margin_rad + p.noise_rad + 0.5 * steady * late_s * late_s
    lower, upper = float(limits.position_lower_rad[j]), float(limits.position_upper_rad[j])
    speed = float(limits.velocity_rad_s[j]) * p.velocity_scale - steady * late_s
    if speed <= 0.0 or lower + margin >= upper - margin:
        raise ConfigError(
            f"joint {j}: margin_rad {p.margin_rad} or max_latency_periods {p.max_latency_periods} "
            f"leaves nothing of [{lower}, {upper}] rad at {limits.velocity_rad_s[j]} rad/s: lower "
            "it"
        )
    dead_time = p.dead_time_periods + p.max_latency_periods
    return [
        lower + margin,
        upper - margin,
        lower - EMPTY_TOLERANCE,
        upper + EMPTY_TOLERANCE,
        speed,
        steady,
        hardest,
        dead_time,
        # What `outward_bound` may need before the first period, but for the turn of the effort.
        stopping_distance(speed, steady, longest_s, dead_time + 0.5),
        float(limits.effort_nm[j]),
        float(limits.effort_rate_nm_s[j]) * period_s * (1.0 - p.jitter),
    ]
