"""Hyper-parameters of A2C."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.on_policy import OnPolicyParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class A2CParameters(OnPolicyParameters):
    """Hyper-parameters of advantage actor-critic."""

    learning_rate: float = parameter(2e-3, "Adam step of the actor at first", minimum=0.0)
    final_learning_rate: float = parameter(3e-4, "Adam step of the actor at last", minimum=0.0)
    learning_rate_steps: int = parameter(200_000, "steps from first to last", minimum=1)
    episodes_per_iteration: int = parameter(2, "episodes collected by one policy", minimum=1)
    advantages: str = parameter(
        "gae", "how far advantages look: by decay, or by n steps", choices=("gae", "n_step")
    )
    gae_lambda: float = parameter(0.95, "gae: decay of advantages", minimum=0.0, maximum=1.0)
    n_steps: int = parameter(5, "n_step: rewards until the critic's value", minimum=1)
    normalise_advantages: bool = parameter(True, "scale each update's advantages to deviation 1")
    minibatch_size: int = parameter(100, "steps of an update; each step is used once", minimum=2)
    critic_epochs: int = parameter(
        5, "passes of the critic over each iteration's steps, the first with the actor", minimum=1
    )
    critic_weight: float = parameter(
        0.5, "weight of the critic's loss in the gradient that is clipped", minimum=0.0
    )
