"""Between the algorithms and the episodes that workers bring."""

from __future__ import annotations

import torch

from sinew_core.algorithms.a2c import A2C
from sinew_core.algorithms.ddpg import DDPG
from sinew_core.algorithms.device import open_device
from sinew_core.algorithms.dqn import DQN
from sinew_core.algorithms.parameters import (
    A2CParameters,
    DDPGParameters,
    DQNParameters,
    PPOParameters,
    REINFORCEParameters,
    SACParameters,
    TD3Parameters,
)
from sinew_core.algorithms.parameters.off_policy import OffPolicyParameters
from sinew_core.algorithms.ppo import PPO
from sinew_core.algorithms.reinforce import REINFORCE
from sinew_core.algorithms.sac import SAC
from sinew_core.algorithms.td3 import TD3
from sinew_core.errors import ConfigError
from sinew_core.parameters import Parameters
from sinew_core.training.learners.greedy import greedy_exploration
from sinew_core.training.learners.learner import Learner
from sinew_core.training.learners.noisy_actor import noisy_exploration, own_exploration
from sinew_core.training.learners.off_policy import OffPolicyLearner
from sinew_core.training.learners.on_policy import OnPolicyLearner
from sinew_core.training.learners.problem import Problem

__all__ = ["Learner", "Problem", "make_learner"]

_THREADS = 1
"""More threads make the small networks of reach slower, and the workers need the other cores."""


def make_learner(
    problem: Problem, parameters: Parameters, seed: int, device: str = "cpu"
) -> Learner:
    """Return the learner that belongs to a parameter class; torch then runs on one thread.

    Networks, optimisers and batches are on `device`, one of `DEVICES`; memory and policies stay
    on the CPU.

    Raises:
        ConfigError: for an algorithm of one kind of actions on a problem of the other, for a
            device that is not there, and for networks that do not fit into the memory.
    """
    torch.set_num_threads(_THREADS)
    opened = open_device(device)
    try:
        if isinstance(parameters, OffPolicyParameters):
            return _off_policy(problem, parameters, seed, opened)
        return _on_policy(problem, parameters, seed, opened)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        if "memory" not in reason:
            raise
        raise ConfigError(
            f"networks do not fit into memory ({reason}): lower hidden_units"
        ) from None


def _off_policy(
    problem: Problem, parameters: OffPolicyParameters, seed: int, device: torch.device
) -> OffPolicyLearner:
    if isinstance(parameters, DQNParameters):
        if problem.choices is None:
            raise ConfigError("dqn chooses among discrete actions: take an algorithm for others")
        dqn = DQN(problem.observation_size, problem.choices, parameters, seed, device)
        return OffPolicyLearner(problem, parameters, dqn, greedy_exploration(dqn, parameters), seed)
    if problem.choices is not None:
        raise ConfigError("actions are discrete: take dqn, ppo, a2c or reinforce")
    sizes = problem.observation_size, problem.action_size
    if isinstance(parameters, SACParameters):
        sac = SAC(*sizes, parameters, seed, device)
        own = own_exploration(sac, parameters, problem.action_size)
        return OffPolicyLearner(problem, parameters, sac, own, seed)
    agent: DDPG | TD3
    if isinstance(parameters, TD3Parameters):
        agent = TD3(*sizes, parameters, seed, device)
    else:
        assert isinstance(parameters, DDPGParameters)
        agent = DDPG(*sizes, parameters, seed, device)
    explore = noisy_exploration(agent, parameters, problem.action_size)
    return OffPolicyLearner(problem, parameters, agent, explore, seed)


def _on_policy(
    problem: Problem, parameters: Parameters, seed: int, device: torch.device
) -> OnPolicyLearner:
    sizes = problem.observation_size, problem.action_size
    agent: PPO | A2C | REINFORCE
    if isinstance(parameters, PPOParameters):
        agent = PPO(*sizes, parameters, seed, problem.choices, device)
    elif isinstance(parameters, A2CParameters):
        agent = A2C(*sizes, parameters, seed, problem.choices, device)
    else:
        assert isinstance(parameters, REINFORCEParameters)
        agent = REINFORCE(*sizes, parameters, seed, problem.choices, device)
    return OnPolicyLearner(agent, parameters.episodes_per_iteration)
