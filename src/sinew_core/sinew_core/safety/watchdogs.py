"""Parameters of the safety filter's watchdogs, and which of them a running graph allows."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Sequence

from sinew_core.errors import ConfigError
from sinew_core.parameters import Parameters, parameter
from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters

_NS = 1_000_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class SupervisorParameters(Parameters):
    """Watchdogs of the safety filter."""

    command_timeout_s: float = parameter(
        0.1, "Age at which a command is stale", unit="s", minimum=0.001, maximum=10.0, settable=True
    )
    state_timeout_s: float = parameter(
        0.03, "Age at which a joint state is stale", unit="s", minimum=0.001, maximum=10.0
    )
    future_s: float = parameter(
        0.02, "How far in the future a stamp may be", unit="s", minimum=0.0, maximum=1.0
    )
    epoch_jump_s: float = parameter(
        1.0, "Forward jump of stamps that starts a new epoch", unit="s", minimum=0.1, maximum=60.0
    )
    rest_speed_rad_s: float = parameter(
        0.02, "Measured joint speed that counts as rest", unit="rad/s", minimum=1e-4, maximum=1.0
    )
    missed_cycles: int = parameter(
        3, "Filter cycles missed in a row that end in the latch", minimum=1, maximum=10_000
    )
    guard_timeout_s: float = parameter(
        0.0,
        "Silence of ~/guard after which an armed arm brakes and latches, in real time; 0: nobody "
        "has to watch",
        unit="s",
        minimum=0.0,
        maximum=10.0,
    )
    frozen_travel_rad: float = parameter(
        0.002,
        "Travel that an arm surely made without any change of its measured positions, which then "
        "count as frozen",
        unit="rad",
        minimum=1e-5,
        maximum=1.0,
    )


class Guard:
    """Whoever watches an arm, and shows regularly that it does."""

    def __init__(self, timeout_s: float) -> None:
        """Expect a sign of life within this time; 0: nobody has to watch."""
        self._timeout_ns = round(timeout_s * _NS)
        self._heard_ns: int | None = None

    def heard(self, now_ns: int) -> None:
        """Take a sign of life."""
        self._heard_ns = now_ns

    def problems(self, now_ns: int) -> list[str]:
        """Return what is wrong, as a list of at most one."""
        if not self._timeout_ns:
            return []
        if self._heard_ns is None:
            return ["nobody watches the arm: ~/guard was not heard yet"]
        silence_ns = now_ns - self._heard_ns
        if silence_ns <= self._timeout_ns:
            return []
        return [f"nobody watches the arm: ~/guard was last heard {silence_ns / _NS:.3f} s ago"]


class FrozenPositions:
    """Notices measured positions that stand still although the arm surely moves.

    An arm that keeps to what is assumed of it shows all motion with some delay, up to the declared
    age, and moves by less than it was told to, by the declared errors of the drive. What it must
    have shown since the positions changed last is thus what was sent that delay before, for
    whichever delay makes it least: nothing where the arm began to move within the age only, all of
    it where the arm goes on as before.
    """

    def __init__(
        self, parameters: SupervisorParameters, safety: SafetyParameters, period_ns: int
    ) -> None:
        """Take the filter's period, and what is assumed of the arm where it runs."""
        period_s = period_ns / _NS
        self._enough_rad = parameters.frozen_travel_rad
        self._patience = math.ceil(parameters.state_timeout_s / period_s - 1e-9)
        self._least = (1.0 - safety.jitter) * (1.0 - safety.gain_error)
        self._drift_rad = safety.drift_rad_s * period_s * (1.0 + safety.jitter)
        # All travel so far, at each of the last cycles, and what that was at the last change.
        self._totals: deque[float] = deque(maxlen=safety.max_latency_periods + 1)
        self._before: Sequence[float] = ()
        self.forget()

    def forget(self) -> None:
        """Begin anew: the arm rests."""
        self._totals.extend([0.0] * (self._totals.maxlen or 0))
        self.changed()

    def changed(self) -> None:
        """Note that the measured positions have changed."""
        self._before = tuple(self._totals)
        self._periods = 0

    def travel(self, travel_rad: float) -> None:
        """Take the largest travel of a joint that was commanded for one period."""
        if self._totals[0] == self._totals[-1]:
            # A rest as long as the age: the last change has shown all before, whatever its delay.
            self._before = (self._before[-1],) * len(self._before)
        least_rad = max(0.0, self._least * travel_rad - self._drift_rad)
        self._totals.append(self._totals[-1] + least_rad)
        self._periods += 1

    @property
    def found(self) -> bool:
        """Whether a joint state that has come now should have shown a motion.

        Not before the positions have stood still for as long as a state may be missing.
        """
        if self._periods < self._patience:
            return False
        shown_rad = min(map(float.__sub__, self._totals, self._before))
        return shown_rad > self._enough_rad


def check_watchdogs(parameters: SupervisorParameters, rates: Rates) -> None:
    """Refuse watchdogs that would trip on a graph that runs as it should.

    Raises:
        ConfigError: for each timeout that is too short for the rates.
    """
    command_s, state_s = 2.5 * rates.control_period_s, 3.0 / rates.state_rate_hz
    problems = []
    # 1e-9: 2.5 * 0.04 is 0.1 only up to rounding.
    if parameters.command_timeout_s < command_s - 1e-9:
        problems.append(
            f"command_timeout_s is {parameters.command_timeout_s}: at least 2.5 control periods, "
            f"{command_s:g} s at control_rate_hz {rates.control_rate_hz}"
        )
    if parameters.state_timeout_s < state_s - 1e-9:
        problems.append(
            f"state_timeout_s is {parameters.state_timeout_s}: at least 3 state periods, "
            f"{state_s:g} s at state_rate_hz {rates.state_rate_hz}"
        )
    if problems:
        raise ConfigError("; ".join(problems))
