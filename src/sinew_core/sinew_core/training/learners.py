"""Between the algorithms and the episodes that workers bring: one class for each algorithm."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from sinew_core.algorithms.ddpg import DDPG
from sinew_core.algorithms.hindsight import HindsightSampler
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.parameters import DDPGParameters, PPOParameters
from sinew_core.algorithms.ppo import PPO, Steps
from sinew_core.algorithms.replay import Replay
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.observation import ObservationBuilder
from sinew_core.parameters import Parameters
from sinew_core.tasks.setup import ReachSetup
from sinew_core.training.rollout import Episode, Exploration

_THREADS = 1
"""More threads make the small networks of reach slower, and the workers need the other cores."""


class Learner(Protocol):
    """Learns from episodes.

    Attributes:
        episodes_per_iteration: how many to collect with one policy.
        overlaps: whether the next episodes may be collected with the policy from before `learn`.
        evaluation_period_steps: environment steps between quick evaluations, which are to cost
            little beside the learning.
        updates: gradient steps so far.
    """

    episodes_per_iteration: int
    overlaps: bool
    evaluation_period_steps: int
    updates: int

    def exploration(self, env_steps: int) -> Exploration:
        """Return the noise for the next episodes."""

    def explorer(self) -> PolicyNetwork:
        """Return the policy that explores."""

    def network(self) -> PolicyNetwork:
        """Return the policy to deploy."""

    def learn(self, episodes: list[Episode], env_steps: int) -> None:
        """Learn; `env_steps` counts these episodes too."""


class DDPGLearner:
    """DDPG with hindsight; collects while it learns."""

    episodes_per_iteration = 1
    overlaps = True
    evaluation_period_steps = 600

    def __init__(self, setup: ReachSetup, parameters: DDPGParameters, seed: int) -> None:
        """Take the sizes of observation and action, what hindsight changes, and the reward."""
        self.updates = 0
        self._parameters = parameters
        self._n_joints = setup.robot.n_joints
        self._agent = DDPG(setup.observation_spec.size, self._n_joints, parameters, seed)
        self._replay = Replay(parameters.replay_capacity)
        self._rng = np.random.default_rng(seed)
        self._sampler = HindsightSampler(
            fraction=parameters.hindsight_fraction,
            relabel=ObservationBuilder(setup.observation_spec, setup.robot.chain).relabel,
            goal_reward=setup.task.reward_goal,
        )
        self._sigma = LinearSchedule(
            start=parameters.noise_start, end=parameters.noise_end, steps=parameters.noise_steps
        )

    def exploration(self, env_steps: int) -> Exploration:
        """Return wide, slowly wandering noise first, then noise on its schedule."""
        if env_steps < self._parameters.warmup_steps:
            kick = (self._parameters.warmup_noise,) * self._n_joints
            return Exploration(process="ornstein_uhlenbeck", sigma=kick)
        sigma = (self._sigma(env_steps),) * self._n_joints
        return Exploration(process=self._parameters.noise, sigma=sigma)

    def explorer(self) -> PolicyNetwork:
        """Return the actor."""
        return self._agent.policy_network(averaged=False)

    def network(self) -> PolicyNetwork:
        """Return the averaged actor."""
        return self._agent.policy_network(averaged=True)

    def learn(self, episodes: list[Episode], env_steps: int) -> None:
        """Remember the episodes, then update."""
        for episode in episodes:
            steps = episode.transitions
            np.clip(steps.action, -1.0, 1.0, out=steps.action)
            self._replay.add_episode(steps)
        if env_steps < self._parameters.warmup_steps:
            return
        count = sum(len(e.transitions.reward) for e in episodes)
        for _ in range(round(count * self._parameters.updates_per_step)):
            batch = self._sampler.sample(self._replay, self._parameters.batch_size, self._rng)
            self._agent.update(batch)
            self.updates += 1


class PPOLearner:
    """PPO; collects anew with each policy."""

    overlaps = False
    evaluation_period_steps = 3000

    def __init__(self, setup: ReachSetup, parameters: PPOParameters, seed: int) -> None:
        """Take the sizes of observation and action."""
        self.updates = 0
        self.episodes_per_iteration = parameters.episodes_per_iteration
        self._agent = PPO(setup.observation_spec.size, setup.robot.n_joints, parameters, seed)

    def exploration(self, env_steps: int) -> Exploration:
        """Return the policy's own deviation."""
        sigma = self._agent.log_std.exp().tolist()
        return Exploration(process="gaussian", sigma=tuple(sigma))

    def explorer(self) -> PolicyNetwork:
        """Return the mean."""
        return self._agent.policy_network()

    def network(self) -> PolicyNetwork:
        """Return the mean."""
        return self._agent.policy_network()

    def learn(self, episodes: list[Episode], env_steps: int) -> None:
        """Learn from the steps of all episodes."""
        parts = [episode.transitions for episode in episodes]
        ends = [np.arange(len(p.reward)) == len(p.reward) - 1 for p in parts]
        steps = Steps(
            observation=np.concatenate([p.observation for p in parts]),
            action=np.concatenate([p.action for p in parts]),
            reward=np.concatenate([p.reward for p in parts]),
            next_observation=np.concatenate([p.next_observation for p in parts]),
            terminated=np.concatenate([p.terminated for p in parts]) > 0,
            episode_ends=np.concatenate(ends),
        )
        self._agent.update(steps)
        self.updates = self._agent.updates


def make_learner(setup: ReachSetup, parameters: Parameters, seed: int) -> Learner:
    """Return the learner that belongs to a parameter class; torch then runs on one thread."""
    torch.set_num_threads(_THREADS)
    if isinstance(parameters, DDPGParameters):
        return DDPGLearner(setup, parameters, seed)
    assert isinstance(parameters, PPOParameters)
    return PPOLearner(setup, parameters, seed)
