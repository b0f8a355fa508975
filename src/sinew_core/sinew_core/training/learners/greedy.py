"""How a learner of Q explores: random actions on a schedule of environment steps."""

from __future__ import annotations

from collections.abc import Callable

from sinew_core.algorithms.dqn import DQN
from sinew_core.algorithms.exploration import EpsilonGreedy
from sinew_core.algorithms.noise import SCHEDULES
from sinew_core.algorithms.parameters import DQNParameters


def greedy_exploration(agent: DQN, parameters: DQNParameters) -> Callable[[int], EpsilonGreedy]:
    """Return the exploring policy by environment steps; until the warm-up ends, all is random."""
    schedule = SCHEDULES[parameters.epsilon_schedule](
        start=parameters.epsilon_start, end=parameters.epsilon_end, steps=parameters.epsilon_steps
    )

    def explore(env_steps: int) -> EpsilonGreedy:
        warming = env_steps < parameters.warmup_steps
        return EpsilonGreedy(
            network=agent.exploring_network(),
            epsilon=1.0 if warming else schedule(env_steps),
            persistence=parameters.epsilon_persistence,
        )

    return explore
