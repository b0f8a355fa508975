"""What a user can choose about an identification."""

from __future__ import annotations

import dataclasses

from sinew_core.parameters import Parameters, parameter
from sinew_core.sysid.parameter_names import DEFAULT_PATTERNS

PLANTS = ("compiled", "pybullet", "mujoco")
"""`compiled` is the roll-out of `sinew_core.simulation.rollout`, the quickest."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitOptions(Parameters):
    """What may be chosen of a fit by whoever has a bag, too."""

    held_out_share: float = parameter(
        0.2,
        "Part of the recording, at its end, that is kept for validation where there is no other",
        minimum=0.0,
        maximum=0.5,
    )
    use_effort: bool = parameter(
        True, "Whether measured efforts are fitted beside positions, where there are any"
    )
    position_noise_rad: float = parameter(
        0.0,
        "Standard deviation of a measured position; 0: estimated for each joint",
        unit="rad",
        minimum=0.0,
        maximum=0.1,
    )
    max_steps: int = parameter(20, "Accepted steps of the fit at most", minimum=1, maximum=200)
    max_fit_s: float = parameter(
        420.0,
        "Time after which the fit ends with its best step, and the report says so; 0: none",
        unit="s",
        minimum=0.0,
        maximum=1e6,
    )
    seed: int = parameter(0, "Seed of everything random", minimum=0, maximum=2**31 - 1)
    workers: int = parameter(
        0, "Roll-outs at the same time; 0: one for each core", minimum=0, maximum=256
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdentifyOptions(FitOptions):
    """How an arm is identified from a recording."""

    parameters: tuple[str, ...] = parameter(
        DEFAULT_PATTERNS, "Names or patterns of what is fitted, see sysid.parameter_names"
    )
    engine: str = parameter(
        "compiled",
        "What simulates the arm: the compiled equations, or an engine, far slower",
        choices=PLANTS,
    )
    physics_rate_hz: int = parameter(
        1000,
        "Rate of the steps, best that of the arm's own loops; raised where gains need more",
        unit="Hz",
        minimum=100,
        maximum=20000,
    )
    effort_noise_nm: float = parameter(
        0.0,
        "Standard deviation of a measured effort; 0: estimated for each joint",
        unit="N m",
        minimum=0.0,
        maximum=100.0,
    )
    window_s: float = parameter(
        1.0,
        "Length of the pieces that are simulated each from its own start where efforts drive the "
        "arm openly",
        unit="s",
        minimum=0.2,
        maximum=10.0,
    )
    prior_relative_sigma: float = parameter(
        0.2, "How far off the robot's description may be, relatively", minimum=0.01, maximum=10.0
    )
    max_samples: int = parameter(
        20000,
        "Samples that are fitted at most; of more, every second, third and so on is taken",
        minimum=500,
        maximum=1000000,
    )
    global_search: bool = parameter(
        True, "Whether CMA-ES looks for another start where the fit goes nowhere near the motion"
    )
