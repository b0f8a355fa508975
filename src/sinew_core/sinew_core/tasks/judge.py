"""When a task has succeeded, from what a deployed system can measure."""

from __future__ import annotations

import math

from sinew_core.rates import Rates
from sinew_core.tasks.parameters import TaskParameters


class HoldJudge:
    """Judges success from distance and joint speed, once at each control tick of an episode.

    Success needs ticks without a gap that span `hold_s`: with a hold of 0.5 s at 25 Hz the first
    and the last good tick lie ceil(12.5) = 13 periods apart, so 14 good ticks. It then stays.

    Attributes:
        succeeded: whether it has been reached.
        tolerance_m: largest distance from the target.
    """

    def __init__(self, parameters: TaskParameters, rates: Rates) -> None:
        """Take tolerance, hold and speed of rest, and the control rate."""
        self.succeeded = False
        # 1e-9: a hold of 0.12 s at 25 Hz is 3 periods, though 0.12 * 25 is not exactly 3.
        periods = math.ceil(parameters.hold_s * rates.control_rate_hz - 1e-9)
        self._needed = periods + 1
        self.tolerance_m = parameters.tolerance_m
        self._rest_speed_rad_s = parameters.rest_speed_rad_s
        self._good = 0

    def reset(self) -> None:
        """Begin an episode."""
        self.succeeded = False
        self._good = 0

    def update(self, distance_m: float, peak_speed_rad_s: float) -> bool:
        """Judge one control tick, the first of the episode included; return `succeeded`."""
        good = distance_m < self.tolerance_m and peak_speed_rad_s < self._rest_speed_rad_s
        self._good = self._good + 1 if good else 0
        if self._good >= self._needed:
            self.succeeded = True
        return self.succeeded
