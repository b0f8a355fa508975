"""Parameters of the safety filter's watchdogs, and which of them a running graph allows."""

from __future__ import annotations

import dataclasses

from sinew_core.errors import ConfigError
from sinew_core.parameters import Parameters, parameter
from sinew_core.rates import Rates

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
        "Commanded travel without any change of the measured positions that counts as frozen",
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
