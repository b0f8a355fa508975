"""Every on-policy algorithm and DQN solve the probes, each in a fraction of a second."""

import numpy as np
import pytest
import torch

from learning import probes
from learning.probes import PROBES
from sinew_core.algorithms.a2c import A2C
from sinew_core.algorithms.dqn import DQN
from sinew_core.algorithms.parameters import (
    A2CParameters,
    DQNParameters,
    PPOParameters,
    REINFORCEParameters,
)
from sinew_core.algorithms.ppo import PPO
from sinew_core.algorithms.reinforce import REINFORCE
from sinew_core.training.learners.greedy import greedy_exploration
from sinew_core.training.learners.off_policy import OffPolicyLearner
from sinew_core.training.learners.on_policy import OnPolicyLearner

torch.set_num_threads(1)

ON_POLICY = {
    "hidden_units": 8,
    "learning_rate": 0.01,
    "final_learning_rate": 0.01,
    "critic_learning_rate": 0.03,
    "gamma": probes.GAMMA,
    "action_friction": 0.0,
    "maximum_gradient_norm": 10.0,
}
AGENTS = {
    "ppo": (PPO, PPOParameters(**ON_POLICY, minibatch_size=16, epochs=2)),
    "a2c": (A2C, A2CParameters(**ON_POLICY, minibatch_size=16)),
    "a2c n-step": (A2C, A2CParameters(**ON_POLICY, minibatch_size=16, advantages="n_step")),
    "reinforce": (REINFORCE, REINFORCEParameters(**ON_POLICY, baseline_minibatch_size=16)),
}


@pytest.mark.parametrize("probe", PROBES, ids=str)
@pytest.mark.parametrize("discrete", [False, True], ids=["continuous", "discrete"])
@pytest.mark.parametrize("name", AGENTS)
def test_an_on_policy_algorithm_solves_it(name, discrete, probe):
    kind, parameters = AGENTS[name]
    problem = probes.problem(discrete=discrete)
    agent = kind(problem.observation_size, problem.action_size, parameters, 0, problem.choices)
    learner = OnPolicyLearner(agent, episodes_per_iteration=8)
    value = lambda observation: float(agent.values(observation[None])[0])  # noqa: E731
    probes.solve(learner, probe, iterations=100, value=value)


@pytest.mark.parametrize("probe", PROBES, ids=str)
@pytest.mark.parametrize("double", [False, True])
def test_dqn_solves_it(double, probe):
    parameters = DQNParameters(
        hidden_units=16,
        gamma=probes.GAMMA,
        learning_rate=0.02,
        batch_size=32,
        warmup_steps=16,
        epsilon_steps=200,
        target_rate=0.1,
        double=double,
    )
    problem = probes.problem(discrete=True)
    agent = DQN(1, problem.choices, parameters, 0)
    explore = greedy_exploration(agent, parameters)
    learner = OffPolicyLearner(problem, parameters, agent, explore, seed=0)
    value = lambda o: float(np.max(agent.values(o[None])))  # noqa: E731
    probes.solve(learner, probe, iterations=400, value=value)
