"""What the filter has to assume where it and the driver each run by their own clock."""

from __future__ import annotations

import dataclasses
import math

from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters

JITTER = 0.1
"""Clocks that are not synchronised leave out one command and hold another for twice as long."""


LATE_STATES = 3
"""State periods by which a joint state may be late: the least that its watchdog may allow."""


def trajectory_assumptions(safety: SafetyParameters, periods: float) -> SafetyParameters:
    """Return the parameters for an arm that takes so many filter periods to each point.

    Each point is replaced after one period, when `1 / periods` of the way to it is done, so that
    the part `(1 - 1 / periods)^k` of the way is still to go k periods later: a sixteenth after
    four at two periods. Positions between the points of that time are what the filter allows for.
    """
    lag = 1 + math.ceil(4.0 * (periods - 1.0) - 1e-9)
    latency = safety.max_latency_periods + lag
    return dataclasses.replace(safety, max_latency_periods=latency)


def real_time_assumptions(safety: SafetyParameters, rates: Rates) -> SafetyParameters:
    """Return the parameters with latency and jitter raised to what any running graph may show.

    A joint state may come late, and a command waits up to one period for the driver: with no
    latency assumed, a measurement that is only late would contradict the commands. Larger values
    stay; the filter brakes no later in any case.
    """
    latency = math.ceil(LATE_STATES * rates.filter_rate_hz / rates.state_rate_hz) + 1
    return dataclasses.replace(
        safety,
        max_latency_periods=max(safety.max_latency_periods, latency),
        jitter=max(safety.jitter, JITTER),
    )
