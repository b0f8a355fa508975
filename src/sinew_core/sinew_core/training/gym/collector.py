"""Steps of a Gymnasium environment, in whole episodes or a fixed number at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from sinew_core.algorithms.exploration import Explorer
from sinew_core.algorithms.replay import Transitions
from sinew_core.training.gym.limit import refuse_endless
from sinew_core.training.gym.spaces import Float, Spaces
from sinew_core.training.rollout import Episode


class Collector:
    """One copy of the environment, which may be in the middle of an episode.

    Attributes:
        returns: of every episode that has ended, in order.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], spaces: Spaces, seeds: Callable[[], int]
    ) -> None:
        """Collect in `env`; `seeds` gives those of episodes and of their exploration."""
        self.returns: list[float] = []
        self._env = env
        self._spaces = spaces
        self._seeds = seeds
        self._observation: Float | None = None
        self._return = 0.0

    def episode(self, explorer: Explorer) -> Episode:
        """Run one episode to its end.

        Raises:
            ConfigError: it does not end, and the environment has no time limit.
        """
        return self._piece(explorer, None)

    def steps(self, explorer: Explorer, count: int) -> list[Episode]:
        """Run `count` steps; the last episode may be cut, and goes on at the next call.

        A cut is no termination: a learner bootstraps from the observation that it ends with.
        Exploration begins anew after a cut, so that noise with a memory forgets.
        """
        pieces: list[Episode] = []
        while count > 0:
            pieces.append(self._piece(explorer, count))
            count -= len(pieces[-1].transitions.reward)
        return pieces

    def _piece(self, explorer: Explorer, limit: int | None) -> Episode:
        """Run to the end of the episode, up to `limit` steps."""
        seed = self._seeds()
        observation = self._observation
        if observation is None:
            observation = self._spaces.observe(self._env.reset(seed=seed)[0])
        choose = explorer.begin(seed)
        rows: list[tuple[object, ...]] = []
        ended, succeeded = False, False
        while not ended and len(rows) != limit:
            choice = choose(observation)
            answer = self._env.step(self._spaces.act(choice.command))
            following = self._spaces.observe(answer[0])
            reward, terminated = float(answer[1]), float(answer[2])
            rows.append((observation, choice.action, reward, following, terminated))
            observation, ended = following, bool(answer[2] or answer[3])
            succeeded = bool(answer[4].get("is_success", False))
            if limit is None and not ended:
                refuse_endless(self._env, len(rows), "set steps_per_iteration")
        self._observation = None if ended else observation
        return self._left(rows, ended=ended, succeeded=succeeded)

    def _left(self, rows: list[tuple[object, ...]], *, ended: bool, succeeded: bool) -> Episode:
        columns = [np.array(column, dtype=np.float32) for column in zip(*rows, strict=True)]
        names = ("observation", "action", "reward", "next_observation", "terminated")
        transitions = Transitions(**dict(zip(names, columns, strict=True)))
        total = float(transitions.reward.sum(dtype=np.float64))
        self._return += total
        if ended:
            self.returns.append(self._return)
            self._return = 0.0
        return Episode(transitions=transitions, total_reward=total, succeeded=succeeded)
