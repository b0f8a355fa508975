"""Our side: a training by a parameter file, then the score of its deployed policy."""

from __future__ import annotations

import dataclasses

from benchmarks.learning.tasks import JUDGED_EPISODES, Part
from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.evaluation import episode_seeds, judge_episode, summarise
from sinew_core.training.configuration import RunConfiguration, read_parameter_file
from sinew_core.training.environment import make_environment
from sinew_core.training.gym import GymConfiguration, GymTraining, TabularTraining
from sinew_core.training.gym.configuration import TABULAR
from sinew_core.training.learners import Problem, make_learner
from sinew_core.training.rollout import run_episode
from sinew_core.training.seeds import Seeds


def arm_configuration(part: Part, seed: int) -> RunConfiguration:
    """Return the configuration of a part whose task is an arm's."""
    configuration = RunConfiguration.from_mapping(read_parameter_file(part.file), str(part.file))
    train = dataclasses.replace(configuration.train, action_mode=part.task.action_mode, seed=seed)
    return dataclasses.replace(configuration, train=train)


def gym_configuration(part: Part, seed: int) -> GymConfiguration:
    """Return the configuration of a part whose task is a Gymnasium environment."""
    return GymConfiguration.read(part.file, seed=seed)


def budget(part: Part) -> int:
    """Return the environment steps of training."""
    if part.task.action_mode:
        return arm_configuration(part, 0).train.env_steps
    return gym_configuration(part, 0).train.env_steps


def our_score(part: Part, seed: int) -> float:
    """Train ours once and judge it."""
    return _arm_score(part, seed) if part.task.action_mode else _gym_score(part, seed)


def _gym_score(part: Part, seed: int) -> float:
    configuration = gym_configuration(part, seed)
    tabular = configuration.train.algorithm == TABULAR
    training = TabularTraining(configuration) if tabular else GymTraining(configuration)
    try:
        training.run()
        return training.evaluate(JUDGED_EPISODES).return_mean
    finally:
        training.close()


def _arm_score(part: Part, seed: int) -> float:
    """Train in one process; `./sinew train` does the same in several."""
    configuration = arm_configuration(part, seed)
    env, env_steps, seeds = make_environment(configuration), 0, Seeds(seed)
    learner = make_learner(Problem.of(env.setup), configuration.algorithm, seed)
    try:
        while env_steps < configuration.train.env_steps:
            explorer = learner.explorer(env_steps)
            chosen = seeds.training(learner.episodes_per_iteration)
            episodes = [run_episode(env, explorer, s) for s in chosen]
            env_steps += sum(len(e.transitions.reward) for e in episodes)
            learner.learn(episodes, env_steps)
        policy = NumpyPolicy(learner.network())
        judged = episode_seeds(seed, JUDGED_EPISODES)
        return summarise([judge_episode(env, policy.act, s) for s in judged]).success_rate
    finally:
        env.close()
