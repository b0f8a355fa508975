"""What the safety filter has to assume, so that its guarantees hold for every arm that is drawn."""

from __future__ import annotations

import math

from sinew_core.errors import ConfigError
from sinew_core.randomisation.randomisation import Randomisation
from sinew_core.rates import Rates
from sinew_core.robots.arm_dynamics import NOISE_SIGMAS
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.specs import command_mode


def check_assumptions(
    randomisation: Randomisation, safety: SafetyParameters, rates: Rates, action_mode: str
) -> None:
    """Check that the safety filter assumes no less than what is drawn.

    Raises:
        ConfigError: naming every safety parameter that has to be raised, and to what.
    """
    needed = needed_assumptions(randomisation, rates, action_mode)
    short = {name: value for name, value in needed.items() if getattr(safety, name) < value}
    if short:
        arguments = " ".join(f"safety.{name}:={value:g}" for name, value in short.items())
        raise ConfigError(
            f"randomisation draws more than the safety filter assumes: add {arguments}, or narrow "
            "the ranges"
        )


def needed_assumptions(
    randomisation: Randomisation, rates: Rates, action_mode: str
) -> dict[str, float]:
    """Return the least value of each safety parameter under which its assumptions hold."""
    bounds = randomisation.bounds()
    _, delay_s = bounds.get("delay_s", (0.0, 0.0))
    _, noise_rad = bounds.get("sensor_noise/position_rad", (0.0, 0.0))
    strengths = [b for name, b in bounds.items() if name.startswith("motor_strength/")]
    gain = max((max(1.0 - low, high - 1.0) for low, high in strengths), default=0.0)
    needed: dict[str, float] = {
        # A tenth of a per mille of rounding is no delay.
        "max_latency_periods": math.ceil(delay_s * rates.filter_rate_hz - 1e-4),
        "noise_rad": NOISE_SIGMAS * noise_rad,
    }
    if command_mode(action_mode) == "joint_velocity":
        needed["gain_error"] = round(gain, 9)  # 1 - 0.9 is not quite 0.1
    return needed
