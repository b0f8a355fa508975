"""Hyper-parameters of DDPG."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.off_policy import NoisyActorParameters


@dataclass(frozen=True, kw_only=True)
class DDPGParameters(NoisyActorParameters):
    """Hyper-parameters of DDPG with hindsight."""
