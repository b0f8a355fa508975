"""Between the algorithms and the episodes that workers bring."""

from __future__ import annotations

import torch

from sinew_core.algorithms.a2c import A2C
from sinew_core.algorithms.ddpg import DDPG
from sinew_core.algorithms.dqn import DQN
from sinew_core.algorithms.parameters import (
    A2CParameters,
    DDPGParameters,
    DQNParameters,
    PPOParameters,
    REINFORCEParameters,
)
from sinew_core.algorithms.ppo import PPO
from sinew_core.algorithms.reinforce import REINFORCE
from sinew_core.errors import ConfigError
from sinew_core.parameters import Parameters
from sinew_core.training.learners.greedy import greedy_exploration
from sinew_core.training.learners.learner import Learner
from sinew_core.training.learners.noisy_actor import noisy_exploration
from sinew_core.training.learners.off_policy import OffPolicyLearner
from sinew_core.training.learners.on_policy import OnPolicyLearner
from sinew_core.training.learners.problem import Problem

__all__ = ["Learner", "Problem", "make_learner"]

_THREADS = 1
"""More threads make the small networks of reach slower, and the workers need the other cores."""


def make_learner(problem: Problem, parameters: Parameters, seed: int) -> Learner:
    """Return the learner that belongs to a parameter class; torch then runs on one thread.

    Raises:
        ConfigError: for an algorithm of one kind of actions on a problem of the other.
    """
    torch.set_num_threads(_THREADS)
    sizes = problem.observation_size, problem.action_size
    if isinstance(parameters, DDPGParameters):
        _refuse_choices(problem, "ddpg")
        ddpg = DDPG(*sizes, parameters, seed)
        explore = noisy_exploration(ddpg, parameters, problem.action_size)
        return OffPolicyLearner(problem, parameters, ddpg, explore, seed)
    if isinstance(parameters, DQNParameters):
        if problem.choices is None:
            raise ConfigError("dqn chooses among discrete actions: take an algorithm for others")
        dqn = DQN(problem.observation_size, problem.choices, parameters, seed)
        return OffPolicyLearner(problem, parameters, dqn, greedy_exploration(dqn, parameters), seed)
    return _on_policy(problem, parameters, seed)


def _on_policy(problem: Problem, parameters: Parameters, seed: int) -> OnPolicyLearner:
    sizes = problem.observation_size, problem.action_size
    agent: PPO | A2C | REINFORCE
    if isinstance(parameters, PPOParameters):
        agent = PPO(*sizes, parameters, seed, problem.choices)
    elif isinstance(parameters, A2CParameters):
        agent = A2C(*sizes, parameters, seed, problem.choices)
    else:
        assert isinstance(parameters, REINFORCEParameters)
        agent = REINFORCE(*sizes, parameters, seed, problem.choices)
    return OnPolicyLearner(agent, parameters.episodes_per_iteration)


def _refuse_choices(problem: Problem, algorithm: str) -> None:
    if problem.choices is not None:
        raise ConfigError(f"{algorithm} has continuous actions: take dqn, ppo, a2c or reinforce")
