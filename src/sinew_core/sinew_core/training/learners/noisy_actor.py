"""How a deterministic actor explores: noise on a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sinew_core.algorithms.exploration import NoisyPolicy
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.parameters.off_policy import NoisyActorParameters
from sinew_core.bundle.runtime import PolicyNetwork


class DeterministicActor(Protocol):
    """An agent whose actor returns one action for an observation."""

    def exploring_network(self) -> PolicyNetwork:
        """Return the actor that explores."""


def noisy_exploration(
    agent: DeterministicActor, parameters: NoisyActorParameters, action_size: int
) -> Callable[[int], NoisyPolicy]:
    """Return the exploring policy by environment steps.

    It is wide, slowly wandering noise first, then noise on its schedule.
    """
    schedule = LinearSchedule(
        start=parameters.noise_start, end=parameters.noise_end, steps=parameters.noise_steps
    )

    def explore(env_steps: int) -> NoisyPolicy:
        warming = env_steps < parameters.warmup_steps
        size = parameters.warmup_noise if warming else schedule(env_steps)
        return NoisyPolicy(
            network=agent.exploring_network(),
            process="ornstein_uhlenbeck" if warming else parameters.noise,
            sigma=(size,) * action_size,
            as_drawn=False,
        )

    return explore
