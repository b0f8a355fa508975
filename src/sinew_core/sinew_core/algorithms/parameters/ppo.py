"""Hyper-parameters of PPO."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.on_policy import OnPolicyParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class PPOParameters(OnPolicyParameters):
    """Hyper-parameters of PPO."""

    gae_lambda: float = parameter(0.9, "decay of advantages", minimum=0.0, maximum=1.0)
    clip_range: float = parameter(0.2, "bound of the ratio's change", minimum=0.0)
    epochs: int = parameter(10, "passes over each iteration's steps", minimum=1)
    minibatch_size: int = parameter(100, "steps of an update", minimum=2)
