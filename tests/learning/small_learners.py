"""Small learners of every algorithm, on the toy task."""

import numpy as np

from learning import toy
from sinew_core.algorithms.parameters import PARAMETERS
from sinew_core.algorithms.parameters.nudges import nudge_sizes
from sinew_core.training.learners import Problem, make_learner
from sinew_core.training.learners.problem import Hindsight
from sinew_core.training.rollout import Episode

SMALL = {
    "sac": {"warmup_steps": 20, "batch_size": 16, "hidden_units": 8},
    "td3": {"warmup_steps": 20, "batch_size": 16, "hidden_units": 8},
    "ddpg": {"warmup_steps": 20, "batch_size": 16, "hidden_units": 8},
    "a2c": {"minibatch_size": 10, "hidden_units": 8, "normalise_observations": True},
    "reinforce": {"hidden_units": 8, "nudges": [0.5]},
    "dqn": {"warmup_steps": 20, "batch_size": 16, "hidden_units": 8, "target_period": 7},
    "ppo": {"minibatch_size": 10, "epochs": 2, "hidden_units": 8, "normalise_observations": True},
}

CHOICES = np.array([[0.0, 0.0], [0.5, 0.0], [-0.5, 0.0], [0.0, 0.5], [0.0, -0.5]], np.float32)


def learner(algorithm, seed=0, device="cpu", **values):
    parameters = PARAMETERS[algorithm].from_mapping({**SMALL[algorithm], **values})
    problem = Problem(
        observation_size=4,
        action_size=2,
        choices=CHOICES if nudge_sizes(parameters) else None,
        hindsight=Hindsight(relabel=toy.relabel, goal_reward=toy.goal_reward),
    )
    return make_learner(problem, parameters, seed, device)


def learn(agent, iterations, first=0):
    for iteration in range(first, first + iterations):
        choose = agent.explorer(20 * iteration).begin(iteration)
        steps, _ = toy.explored_episode(choose, np.random.default_rng(iteration))
        episode = Episode(transitions=steps, total_reward=0.0, succeeded=False)
        agent.learn([episode], 20 * (iteration + 1))
    return agent
