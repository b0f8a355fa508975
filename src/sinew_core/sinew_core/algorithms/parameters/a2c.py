"""Hyper-parameters of A2C."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.on_policy import OnPolicyParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class A2CParameters(OnPolicyParameters):
    """Hyper-parameters of advantage actor-critic."""

    advantages: str = parameter(
        "gae", "how far advantages look: by decay, or by n steps", choices=("gae", "n_step")
    )
    gae_lambda: float = parameter(0.9, "gae: decay of advantages", minimum=0.0, maximum=1.0)
    n_steps: int = parameter(5, "n_step: rewards until the critic's value", minimum=1)
    normalise_advantages: bool = parameter(True, "scale each update's advantages to deviation 1")
    minibatch_size: int = parameter(100, "steps of an update; each step is used once", minimum=2)
    critic_weight: float = parameter(
        0.5, "weight of the critic's loss in the gradient that is clipped", minimum=0.0
    )
