"""How the off-policy actors explore: wandering noise first, then their own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sinew_core.algorithms.exploration import Explorer, NoisyPolicy
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.parameters.off_policy import ActorCriticParameters, NoisyActorParameters
from sinew_core.bundle.runtime import PolicyNetwork


class Actor(Protocol):
    """An agent whose actor returns one action for an observation."""

    def exploring_network(self) -> PolicyNetwork:
        """Return the actor that explores, without its noise."""


class StochasticActor(Actor, Protocol):
    """An agent that explores by a distribution of its own."""

    def explorer(self) -> Explorer:
        """Return the policy as it explores."""


def noisy_exploration(
    agent: Actor, parameters: NoisyActorParameters, action_size: int
) -> Callable[[int], Explorer]:
    """Return the exploring policy by environment steps: after warming, noise on its schedule."""
    schedule = LinearSchedule(
        start=parameters.noise_start, end=parameters.noise_end, steps=parameters.noise_steps
    )

    def explore(env_steps: int) -> Explorer:
        if env_steps < parameters.warmup_steps:
            return _warming(agent, parameters, action_size)
        return NoisyPolicy(
            network=agent.exploring_network(),
            process=parameters.noise,
            sigma=(schedule(env_steps),) * action_size,
            as_drawn=False,
        )

    return explore


def own_exploration(
    agent: StochasticActor, parameters: ActorCriticParameters, action_size: int
) -> Callable[[int], Explorer]:
    """Return the exploring policy by environment steps: after warming, the agent's own."""

    def explore(env_steps: int) -> Explorer:
        if env_steps < parameters.warmup_steps:
            return _warming(agent, parameters, action_size)
        return agent.explorer()

    return explore


def _warming(agent: Actor, parameters: ActorCriticParameters, action_size: int) -> NoisyPolicy:
    """Return wide, slowly wandering noise around the untrained actor."""
    return NoisyPolicy(
        network=agent.exploring_network(),
        process="ornstein_uhlenbeck",
        sigma=(parameters.warmup_noise,) * action_size,
        as_drawn=False,
    )
