"""Hyper-parameters of REINFORCE."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.on_policy import OnPolicyParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class REINFORCEParameters(OnPolicyParameters):
    """Hyper-parameters of REINFORCE; the critic is its baseline."""

    normalise_returns: bool = parameter(
        True, "scale each update's returns over the baseline to mean 0, deviation 1"
    )
    baseline_epochs: int = parameter(
        5, "passes of the baseline over each iteration's returns", minimum=1
    )
    baseline_minibatch_size: int = parameter(100, "steps of the baseline's update", minimum=2)
