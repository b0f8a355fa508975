"""Between the spaces of a Gymnasium environment and what a learner sees and does."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from sinew_core.errors import ConfigError
from sinew_core.training.learners.problem import Problem

Float = NDArray[np.float32]


class Spaces:
    """Flattens box observations, makes discrete ones one-hot, and scales box actions.

    Attributes:
        problem: what a learner has to know.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Read the spaces of an environment.

        Raises:
            ConfigError: for spaces of other kinds, and for actions without bounds.
        """
        self._seen, self._done = env.observation_space, env.action_space
        if not isinstance(self._seen, Box | Discrete):
            raise ConfigError(
                f"observation space {self._seen}: expected a Box or Discrete: wrap the environment"
            )
        size = gymnasium.spaces.flatdim(self._seen)
        if isinstance(self._done, Discrete):
            indices = np.arange(int(self._done.n), dtype=np.float32)[:, None]
            self.problem = Problem(observation_size=size, action_size=1, choices=indices)
            return
        if not isinstance(self._done, Box):
            raise ConfigError(
                f"action space {self._done}: expected a Box or Discrete: wrap the environment"
            )
        if not self._done.is_bounded():
            raise ConfigError(
                f"action space {self._done}: expected finite bounds: wrap it in RescaleAction"
            )
        self._low = self._done.low.astype(np.float64)
        self._range = self._done.high.astype(np.float64) - self._low
        actions = gymnasium.spaces.flatdim(self._done)
        self.problem = Problem(observation_size=size, action_size=actions)

    def observe(self, observation: Any) -> Float:  # noqa: ANN401 - array or integer
        """Return an observation (size,) as the learner sees it, a copy."""
        if isinstance(self._seen, Discrete):
            one_hot = np.zeros(int(self._seen.n), dtype=np.float32)
            one_hot[int(observation) - int(self._seen.start)] = 1.0
            return one_hot
        return np.array(observation, dtype=np.float32).reshape(-1)

    def act(self, command: NDArray[np.floating]) -> Any:  # noqa: ANN401 - array or integer
        """Return what the environment gets for a command.

        That is (n,), clipped to [-1, 1], for boxes, and (1,) with the index for discrete actions.
        """
        if isinstance(self._done, Discrete):
            return int(command[0]) + int(self._done.start)
        share = 0.5 * (np.minimum(np.maximum(command, -1.0), 1.0) + 1.0)
        action = self._low + share.reshape(self._low.shape) * self._range
        return action.astype(self._done.dtype)
