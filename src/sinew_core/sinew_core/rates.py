"""The four rates of the stack, each dividing the one above it."""

from __future__ import annotations

import dataclasses
import itertools

from sinew_core.parameters import Parameters, parameter

_NS_PER_S = 1_000_000_000
_NEAR_NS = 50_000
"""Half a period of the fastest joint states."""
_ORDER = ("physics_rate_hz", "state_rate_hz", "filter_rate_hz", "control_rate_hz")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rates(Parameters):
    """Rates of physics, joint states, safety filter and policy, in simulation as on an arm."""

    physics_rate_hz: int = parameter(500, "physics steps", unit="Hz", minimum=1, maximum=10_000)
    state_rate_hz: int = parameter(100, "joint states", unit="Hz", minimum=1, maximum=10_000)
    filter_rate_hz: int = parameter(
        100, "cycles and outputs of the safety filter", unit="Hz", minimum=1, maximum=10_000
    )
    control_rate_hz: int = parameter(
        25, "decisions of the policy", unit="Hz", minimum=1, maximum=10_000
    )

    def check(self) -> list[str]:
        """Return one sentence for each rate that does not divide the one above it."""
        problems = []
        for above, below in itertools.pairwise(_ORDER):
            fast, slow = getattr(self, above), getattr(self, below)
            if fast % slow:
                allowed = ", ".join(str(d) for d in divisors(fast))
                problems.append(
                    f"{below} {slow} does not divide {above} {fast}: choose one of {allowed}"
                )
        return problems

    @property
    def filter_period_s(self) -> float:
        """Time from one cycle of the safety filter to the next."""
        return 1.0 / self.filter_rate_hz

    @property
    def control_period_s(self) -> float:
        """Time from one decision of the policy to the next."""
        return 1.0 / self.control_rate_hz

    @property
    def cycles_per_control(self) -> int:
        """Cycles of the safety filter in one control period."""
        return self.filter_rate_hz // self.control_rate_hz

    @property
    def physics_steps_per_cycle(self) -> int:
        """Physics steps in one cycle of the safety filter."""
        return self.physics_rate_hz // self.filter_rate_hz


def is_tick(stamp_ns: int, period_ns: int) -> bool:
    """Tell whether a stamp is a multiple of the period of a rate in Hz, cut to nanoseconds.

    A period such as that of 30 Hz is no whole number of them: the nearest stamp counts.
    """
    rate_hz = round(_NS_PER_S / period_ns)
    beyond = stamp_ns * rate_hz % _NS_PER_S
    return min(beyond, _NS_PER_S - beyond) < rate_hz * _NEAR_NS


def divisors(number: int) -> list[int]:
    """Return every divisor of a positive integer in ascending order."""
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})
