"""Hyper-parameters of REINFORCE."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.on_policy import OnPolicyParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class REINFORCEParameters(OnPolicyParameters):
    """Hyper-parameters of REINFORCE; the critic is its baseline."""

    learning_rate: float = parameter(4e-3, "Adam step of the actor at first", minimum=0.0)
    final_learning_rate: float = parameter(5e-4, "Adam step of the actor at last", minimum=0.0)
    learning_rate_steps: int = parameter(200_000, "steps from first to last", minimum=1)
    episodes_per_iteration: int = parameter(2, "episodes collected by one policy", minimum=1)
    normalise_returns: bool = parameter(
        True, "scale each update's returns over the baseline to mean 0, deviation 1"
    )
    baseline_epochs: int = parameter(
        5, "passes of the baseline over each iteration's returns", minimum=1
    )
    baseline_minibatch_size: int = parameter(100, "steps of the baseline's update", minimum=2)
