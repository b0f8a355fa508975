"""Training on a Gymnasium environment in this process: collect, learn, evaluate.

All randomness derives from the seed, so one seed gives one result, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium

from sinew_core.algorithms.parameters.off_policy import OffPolicyParameters
from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.evaluation import EvaluationResult, Outcome, episode_seeds, summarise
from sinew_core.training.gym.collector import Collector
from sinew_core.training.gym.configuration import GymConfiguration
from sinew_core.training.gym.limit import refuse_endless
from sinew_core.training.gym.spaces import Spaces
from sinew_core.training.learners import make_learner
from sinew_core.training.rollout import Episode
from sinew_core.training.seeds import Seeds

Make = Callable[[], "gymnasium.Env[Any, Any]"]
Act = Callable[[Any], Any]


class GymTraining:
    """A training run, which may be evaluated between its iterations.

    Attributes:
        env_steps: environment steps so far.
        learner: what learns, see `sinew_core.training.learners.Learner`.
    """

    def __init__(self, configuration: GymConfiguration, make: Make | None = None) -> None:
        """Start untrained; `make` makes the environment where an id does not say enough.

        Raises:
            ConfigError: the spaces do not suit the algorithm, or any algorithm; its replay memory
                cannot hold an episode; or the device is not there.
        """
        train = configuration.train
        self._train = train
        self._make = make or (lambda: gymnasium.make(train.environment))
        self._envs = [self._make() for _ in range(train.environments)]
        self._spaces = Spaces(self._envs[0])
        if isinstance(configuration.algorithm, OffPolicyParameters):
            configuration.algorithm.refuse_longer(self._longest_piece())
        seeds = Seeds(train.seed)
        self._collectors = [
            Collector(env, self._spaces, lambda: seeds.training(1)[0]) for env in self._envs
        ]
        self._turn = 0
        self.env_steps = 0
        self.learner = make_learner(
            self._spaces.problem, configuration.algorithm, train.seed, train.device
        )

    @property
    def returns(self) -> list[float]:
        """Returns of the training episodes that have ended, exploration included."""
        return [total for collector in self._collectors for total in collector.returns]

    def run(self, env_steps: int | None = None) -> None:
        """Train until `env_steps` have been made in total; None: as many as configured."""
        goal = self._train.env_steps if env_steps is None else env_steps
        while self.env_steps < goal:
            self.advance()

    def advance(self) -> int:
        """Collect once and learn from it; return the environment steps so far."""
        pieces = self._collect()
        self.env_steps += sum(len(piece.transitions.reward) for piece in pieces)
        self.learner.learn(pieces, self.env_steps)
        return self.env_steps

    def policy(self) -> Act:
        """Return the function from observation to action of the deployed policy, as it is now."""
        policy, spaces = NumpyPolicy(self.learner.network()), self._spaces
        return lambda observation: spaces.act(policy.act(spaces.observe(observation)))

    def evaluate(self, episodes: int) -> EvaluationResult:
        """Run whole episodes without exploration, in a fresh environment.

        An episode succeeds where the environment's `info` says `is_success` at its end.

        Raises:
            ConfigError: an episode does not end, and no `evaluation_limit_steps` is set.
        """
        env = self._make()
        try:
            limit = self._train.evaluation_limit_steps
            return evaluate(env, self.policy(), episodes, self._train.seed, limit)
        finally:
            env.close()

    def close(self) -> None:
        """Close the environments."""
        for env in self._envs:
            env.close()

    def _longest_piece(self) -> int:
        """Return the steps of the longest episode, or piece of one; 0 where nothing limits them."""
        spec = self._envs[0].spec
        limits = self._train.steps_per_iteration, spec.max_episode_steps if spec else 0
        return min((limit for limit in limits if limit), default=0)

    def _collect(self) -> list[Episode]:
        explorer = self.learner.explorer(self.env_steps)
        count = self._train.steps_per_iteration
        if count:
            return [piece for c in self._collectors for piece in c.steps(explorer, count)]
        episodes = []
        for _ in range(self.learner.episodes_per_iteration):
            episodes.append(self._collectors[self._turn].episode(explorer))
            self._turn = (self._turn + 1) % len(self._collectors)
        return episodes


def evaluate(
    env: gymnasium.Env[Any, Any], act: Act, episodes: int, seed: int, limit_steps: int = 0
) -> EvaluationResult:
    """Run whole episodes without exploration, apart from those of a training with this seed.

    `limit_steps` cuts an episode as a time limit does; 0: the environment's own.

    Raises:
        ConfigError: an episode does not end, and nothing limits it.
    """
    return summarise([_judge(env, act, s, limit_steps) for s in episode_seeds(seed, episodes)])


def _judge(env: gymnasium.Env[Any, Any], act: Act, seed: int, limit_steps: int) -> Outcome:
    observation, _ = env.reset(seed=seed)
    total, length = 0.0, 0
    while True:
        observation, reward, terminated, truncated, info = env.step(act(observation))
        total += float(reward)
        length += 1
        if terminated or truncated or length == limit_steps:
            succeeded = bool(info.get("is_success", False))
            return Outcome(succeeded=succeeded, total_reward=total, length=length)
        if not limit_steps:
            refuse_endless(env, length, "set evaluation_limit_steps")
