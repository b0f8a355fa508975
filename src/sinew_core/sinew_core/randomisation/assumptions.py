"""What the safety filter has to assume, so that its guarantees hold for every arm that is drawn."""

from __future__ import annotations

import math

from sinew_core.errors import ConfigError
from sinew_core.parameters import describe
from sinew_core.randomisation.randomisation import Randomisation
from sinew_core.randomisation.tracking import tracking_needs
from sinew_core.rates import Rates
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import NOISE_SIGMAS, ArmDynamics
from sinew_core.robots.link_shape import SHAPE
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.specs import command_mode

CONTROLLER_MODES = {
    "joint_position": "position",
    "joint_velocity": "velocity",
    "joint_effort": "effort",
}
"""What an arm's own controllers have to take, by what the safety filter sends."""


def check_assumptions(
    randomisation: Randomisation,
    safety: SafetyParameters,
    rates: Rates,
    action_mode: str,
    controller: ArmController | None = None,
) -> None:
    """Check that the safety filter assumes no less than what is drawn and simulated.

    Args:
        randomisation: what is drawn; without entries it is the one arm that it is around.
        safety: of the filter.
        rates: of the filter.
        action_mode: what the policy commands.
        controller: of the arm; None where its drives are ideal.

    Raises:
        ConfigError: naming every safety parameter that has to be raised, and to what; or the
            controllers take other commands.
    """
    check_controller(controller, action_mode)
    needed = needed_assumptions(randomisation, rates, action_mode, controller, safety)
    short = {name: value for name, value in needed.items() if getattr(safety, name) < value}
    if not short:
        return
    highest = {name: info.maximum for name, info, _ in describe(SafetyParameters)}
    for name, value in short.items():
        most = highest[name]
        if most is not None and value > most:
            raise ConfigError(
                f"sim_params: the arm needs safety.{name}:={value:g}, and the safety filter can "
                f"assume {most:g} at most: lower safety.acceleration_scale, or use an arm, or "
                "ranges, that follow better"
            )
    arguments = " ".join(f"safety.{name}:={value:g}" for name, value in short.items())
    if randomisation.entries or randomisation.correlated:
        raise ConfigError(
            f"randomisation draws more than the safety filter assumes: add {arguments}, or narrow "
            "the ranges"
        )
    raise ConfigError(f"sim_params: the safety filter assumes a better arm: add {arguments}")


def check_controller(controller: ArmController | None, action_mode: str) -> None:
    """Check that an arm's controllers take what the safety filter sends.

    Raises:
        ConfigError: they do not; names the action mode that they take.
    """
    if controller is None or controller.mode == CONTROLLER_MODES[command_mode(action_mode)]:
        return
    fitting = next(mode for mode, kind in CONTROLLER_MODES.items() if kind == controller.mode)
    raise ConfigError(
        f"sim_params: the arm's controllers take mode '{controller.mode}', but {action_mode} sends "
        f"'{CONTROLLER_MODES[command_mode(action_mode)]}': use {fitting}, or sim_params of such an "
        "arm"
    )


def needed_assumptions(
    randomisation: Randomisation,
    rates: Rates,
    action_mode: str,
    controller: ArmController | None = None,
    safety: SafetyParameters | None = None,
) -> dict[str, float]:
    """Return the least value of each safety parameter under which its assumptions hold.

    What the filter may ask of an arm's own controllers, by `safety`, decides how far they lag.
    """
    bounds = {name: (v, v) for name, v in randomisation.base_values().items()}
    bounds |= randomisation.bounds()
    _, delay_s = bounds["delay_s"]
    _, command_jitter_s = bounds["jitter/command_s"]
    _, state_jitter_s = bounds["jitter/state_s"]
    late_s = delay_s + command_jitter_s + state_jitter_s
    _, noise_rad = bounds["sensor_noise/position_rad"]
    needed = {"max_latency_periods": 0.0, "noise_rad": NOISE_SIGMAS * noise_rad}
    if command_jitter_s:
        # One command is in force for that much longer than a period, another for less.
        needed["jitter"] = round(command_jitter_s * rates.filter_rate_hz, 9)
    if controller is None:
        strengths = [b for name, b in bounds.items() if name.startswith("motor_strength/")]
        gain = max(max(1.0 - low, high - 1.0) for low, high in strengths)
        if command_mode(action_mode) == "joint_velocity":
            needed["gain_error"] = round(gain, 9)  # 1 - 0.9 is not quite 0.1
    else:
        arms = _extremes(randomisation, bounds)
        limits = safety or SafetyParameters()
        lag_s, needs = tracking_needs(randomisation.robot, arms, controller, limits)
        late_s += lag_s + (rates.filter_period_s if controller.hold == "linear" else 0.0)
        for name, value in needs.items():
            needed[name] = needed.get(name, 0.0) + value
    # A tenth of a per mille of rounding is no delay.
    needed["max_latency_periods"] = math.ceil(late_s * rates.filter_rate_hz - 1e-4)
    return needed


def _extremes(
    randomisation: Randomisation, bounds: dict[str, tuple[float, float]]
) -> tuple[ArmDynamics, ArmDynamics]:
    """Return the arm that is lightest, and the one that is heaviest and weakest."""
    scalar = {k: v for k, v in bounds.items() if k.partition("/")[0] not in SHAPE}
    weak = {k: v for k, v in scalar.items() if k.startswith("motor_strength/")}
    lightest = {k: low for k, (low, _) in scalar.items()}
    heaviest = {k: high for k, (_, high) in scalar.items()} | {k: v[0] for k, v in weak.items()}
    robot, base = randomisation.robot, randomisation.base
    low, high = (ArmDynamics.from_values(robot, v, base=base) for v in (lightest, heaviest))
    return low, high
