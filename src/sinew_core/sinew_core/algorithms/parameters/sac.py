"""Hyper-parameters of SAC."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.off_policy import ActorCriticParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class SACParameters(ActorCriticParameters):
    """Hyper-parameters of SAC with hindsight."""

    temperature_learning_rate: float = parameter(
        1e-3, "Adam step of the temperature's logarithm", minimum=0.0
    )
    initial_temperature: float = parameter(
        0.1, "weight of the entropy at first", minimum=1e-6, maximum=1e3
    )
    target_entropy: float = parameter(
        -0.5, "entropy of each action that the temperature aims at, in nats"
    )
