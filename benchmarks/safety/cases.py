"""Parameter sets to search for violations in: robots, rates and assumptions, drawn from a seed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.limits import JointLimits
from sinew_core.safety.constants import filter_constants, position_constants
from sinew_core.safety.parameters import SafetyParameters

RATES_HZ = (50.0, 100.0, 200.0, 500.0, 1000.0)
ROBOTS = ("panda", "iiwa14")
_PANDA, _IIWA = (load_robot(name).limits for name in ROBOTS)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Limits, assumptions and rate of one search.

    Attributes:
        limits: of the arm.
        parameters: what is assumed of its drive, and what the drive then does.
        period_s: of the filter.
    """

    limits: JointLimits
    parameters: SafetyParameters
    period_s: float


def draw_case(rng: np.random.Generator) -> Case:
    """Return a parameter set that both filters accept, the extremes often among it."""
    while True:
        limits = (_PANDA, _IIWA, _random_limits(rng))[rng.integers(3)]
        period_s = 1.0 / float(rng.choice(RATES_HZ))
        parameters = _draw(rng, period_s)
        try:
            filter_constants(limits, parameters, period_s)
            position_constants(limits, parameters, period_s)
        except ConfigError:
            continue
        return Case(limits=limits, parameters=parameters, period_s=period_s)


def _random_limits(rng: np.random.Generator) -> JointLimits:
    n = 7
    centre, half = rng.uniform(-2.0, 2.0, n), 10.0 ** rng.uniform(-0.5, 0.5, n)
    return JointLimits(
        position_lower_rad=centre - half,
        position_upper_rad=centre + half,
        velocity_rad_s=10.0 ** rng.uniform(-0.7, 0.8, n),
        acceleration_rad_s2=10.0 ** rng.uniform(0.0, 2.0, n),
        jerk_rad_s3=np.full(n, 1e4),
        effort_nm=np.full(n, 10.0),
        effort_rate_nm_s=np.full(n, 1e3),
    )


def _draw(rng: np.random.Generator, period_s: float) -> SafetyParameters:
    """Draw assumptions; each is none, the default, an extreme, or anything between."""

    def choose(*values: float) -> float:
        return (
            float(rng.choice(values))
            if rng.random() < 0.7
            else float(rng.uniform(values[0], values[-1]))
        )

    noise = choose(0.0, 1e-4, 1e-3, 1e-2)
    drift = float(rng.choice([0.0, 0.0, 0.002, 0.005, 0.01]))
    latency = int(rng.choice([0, 0, 1, 2, 4, 8, 16]))
    parameters = SafetyParameters(
        margin_rad=choose(0.0, 0.0, 0.005, 0.02),
        noise_rad=noise,
        tracking_error_rad=choose(0.0, 1e-3, 0.02, 0.1),
        drift_rad_s=drift,
        gain_error=choose(0.0, 0.005, 0.05, 0.2),
        jitter=choose(0.0, 0.0, 0.1, 0.5),
        max_latency_periods=latency,
        dead_time_periods=choose(0.0, 0.5, 3.0, 20.0),
        interpolation=choose(0.0, 0.25, 0.4, 0.5),
        velocity_scale=choose(0.1, 0.5, 1.0, 1.0),
        acceleration_scale=choose(0.1, 0.5, 0.5, 1.0),
    )
    if drift == 0.0:
        return parameters
    # The margin takes up the drift of a joint that has nothing left to brake.
    needed = 0.005 + 2.5 * noise + 2.0 * drift * period_s * (latency + 2)
    return dataclasses.replace(parameters, margin_rad=max(parameters.margin_rad, needed))
