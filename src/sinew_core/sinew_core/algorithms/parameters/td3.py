"""Hyper-parameters of TD3."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.off_policy import NoisyActorParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class TD3Parameters(NoisyActorParameters):
    """Hyper-parameters of TD3 with hindsight."""

    actor_period: int = parameter(2, "critic updates for each actor update", minimum=1)
    target_noise: float = parameter(
        0.2, "standard deviation of the noise on the target's action", minimum=0.0
    )
    target_noise_clip: float = parameter(0.5, "bound of that noise", minimum=0.0)
