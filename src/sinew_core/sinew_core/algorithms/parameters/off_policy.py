"""What the off-policy algorithms share: replay, hindsight, warm-up and noise on the action."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter


@dataclass(frozen=True, kw_only=True)
class OffPolicyParameters(Parameters):
    """Replay, hindsight, and how much is learned from each step."""

    batch_size: int = parameter(256, "transitions of an update", minimum=1)
    replay_capacity: int = parameter(1_000_000, "transitions remembered", minimum=1)
    hindsight_fraction: float = parameter(
        0.8, "share of each batch judged by a target reached later", minimum=0.0, maximum=1.0
    )
    warmup_steps: int = parameter(500, "environment steps before learning", minimum=0)
    updates_per_step: float = parameter(1.0, "updates for each environment step", minimum=0.0)


@dataclass(frozen=True, kw_only=True)
class NoisyActorParameters(OffPolicyParameters):
    """Noise around the action of a deterministic actor."""

    warmup_noise: float = parameter(
        0.4, "kick of the Ornstein-Uhlenbeck noise before learning", minimum=0.0
    )
    noise: str = parameter(
        "gaussian", "exploration process", choices=("gaussian", "ornstein_uhlenbeck")
    )
    noise_start: float = parameter(0.5, "standard deviation of the noise at first", minimum=0.0)
    noise_end: float = parameter(0.5, "standard deviation of the noise at last", minimum=0.0)
    noise_steps: int = parameter(5000, "environment steps from first to last", minimum=1)
