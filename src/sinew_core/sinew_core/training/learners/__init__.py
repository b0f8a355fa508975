"""Between the algorithms and the episodes that workers bring."""

from __future__ import annotations

import torch

from sinew_core.algorithms.ddpg import DDPG
from sinew_core.algorithms.parameters import (
    DDPGParameters,
    PPOParameters,
    SACParameters,
    TD3Parameters,
)
from sinew_core.algorithms.ppo import PPO
from sinew_core.algorithms.sac import SAC
from sinew_core.algorithms.td3 import TD3
from sinew_core.parameters import Parameters
from sinew_core.training.learners.learner import Learner
from sinew_core.training.learners.noisy_actor import noisy_exploration, own_exploration
from sinew_core.training.learners.off_policy import OffPolicyLearner
from sinew_core.training.learners.on_policy import OnPolicyLearner
from sinew_core.training.learners.problem import Problem

__all__ = ["Learner", "Problem", "make_learner"]

_THREADS = 1
"""More threads make the small networks of reach slower, and the workers need the other cores."""


def make_learner(problem: Problem, parameters: Parameters, seed: int) -> Learner:
    """Return the learner that belongs to a parameter class; torch then runs on one thread."""
    torch.set_num_threads(_THREADS)
    sizes = problem.observation_size, problem.action_size
    if isinstance(parameters, DDPGParameters):
        ddpg = DDPG(*sizes, parameters, seed)
        explore = noisy_exploration(ddpg, parameters, problem.action_size)
        return OffPolicyLearner(problem, parameters, ddpg, explore, seed)
    if isinstance(parameters, TD3Parameters):
        td3 = TD3(*sizes, parameters, seed)
        explore = noisy_exploration(td3, parameters, problem.action_size)
        return OffPolicyLearner(problem, parameters, td3, explore, seed)
    if isinstance(parameters, SACParameters):
        sac = SAC(*sizes, parameters, seed)
        own = own_exploration(sac, parameters, problem.action_size)
        return OffPolicyLearner(problem, parameters, sac, own, seed)
    assert isinstance(parameters, PPOParameters)
    return OnPolicyLearner(PPO(*sizes, parameters, seed), parameters.episodes_per_iteration)
