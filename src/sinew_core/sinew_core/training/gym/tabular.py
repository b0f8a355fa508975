"""Q-learning in a table, for environments whose observations and actions are numbered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.spaces import Discrete

from sinew_core.algorithms.parameters.q_learning import QLearningParameters
from sinew_core.algorithms.q_learning import QLearning, learn
from sinew_core.errors import ConfigError
from sinew_core.evaluation import EvaluationResult
from sinew_core.training.gym.configuration import TABULAR, GymConfiguration
from sinew_core.training.gym.training import evaluate


class TabularTraining:
    """A training run of Q-learning, evaluated as `GymTraining`.

    Attributes:
        agent: the table.
        returns: of every training episode that has ended, exploration included.
    """

    def __init__(self, configuration: GymConfiguration) -> None:
        """Start with an empty table.

        Raises:
            ConfigError: the algorithm is another, or a space is not Discrete from 0 on.
        """
        train, parameters = configuration.train, configuration.algorithm
        if not isinstance(parameters, QLearningParameters):
            raise ConfigError(f"algorithm '{train.algorithm}' has no table: give '{TABULAR}'")
        self._train = train
        self._env: gymnasium.Env[Any, Any] = gymnasium.make(train.environment)
        sizes = [_size(space) for space in (self._env.observation_space, self._env.action_space)]
        self.agent = QLearning(sizes[0], sizes[1], parameters, train.seed)
        self.returns: list[float] = []

    def run(self) -> None:
        """Train for as many steps as configured."""
        self.returns = learn(self.agent, self._env, self._train.env_steps, self._train.seed)

    def policy(self) -> Callable[[Any], int]:
        """Return the greedy policy, as it is now."""
        return lambda observation: self.agent.act(int(observation))

    def evaluate(self, episodes: int) -> EvaluationResult:
        """Run whole episodes without exploration, in a fresh environment."""
        env = gymnasium.make(self._train.environment)
        try:
            limit = self._train.evaluation_limit_steps
            return evaluate(env, self.policy(), episodes, self._train.seed, limit)
        finally:
            env.close()

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def _size(space: gymnasium.Space[Any]) -> int:
    if not isinstance(space, Discrete) or space.start:
        raise ConfigError(f"{space}: {TABULAR} expects a Discrete space from 0 on")
    return int(space.n)
