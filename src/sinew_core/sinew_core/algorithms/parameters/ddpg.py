"""Hyper-parameters of DDPG."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.off_policy import NoisyActorParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class DDPGParameters(NoisyActorParameters):
    """Hyper-parameters of DDPG with hindsight."""

    hidden_units: int = parameter(64, "units of each of the two hidden layers", minimum=1)
    actor_learning_rate: float = parameter(1e-3, "Adam step of the actor", minimum=0.0)
    critic_learning_rate: float = parameter(1e-3, "Adam step of the critic", minimum=0.0)
    learning_rate_updates: int = parameter(
        5000, "updates over which both Adam steps fall linearly", minimum=1
    )
    final_learning_rate_share: float = parameter(
        0.1, "share of the Adam steps that is left then", minimum=0.0, maximum=1.0
    )
    gamma: float = parameter(0.93, "discount of a control period", minimum=0.0, maximum=1.0)
    target_rate: float = parameter(
        0.01, "share of the online in the target networks per update", minimum=0.0, maximum=1.0
    )
    actor_period: int = parameter(1, "critic updates for each actor update", minimum=1)
    action_penalty: float = parameter(
        0.3, "weight of the mean squared action in the actor's loss", minimum=0.0
    )
    action_friction: float = parameter(
        1.0, "weight of the mean absolute action in the actor's loss", minimum=0.0
    )
