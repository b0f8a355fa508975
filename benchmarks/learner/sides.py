"""Both sides of a learner's speed: the same hyper-parameters, sizes, batches and random data.

Sizes are those of reach with seven joints. Each measurement returns its rate, by the processor time
of this process; both sides compute on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from benchmarks.learning.peers import PEERS, Setting
from sinew_core.algorithms.parameters import PARAMETERS
from sinew_core.algorithms.replay import Transitions
from sinew_core.parameters import Parameters
from sinew_core.training.learners import Problem, make_learner
from sinew_core.training.rollout import Episode

OBSERVATION_SIZE, ACTION_SIZE = 24, 7
EPISODE_STEPS = 128
BATCH_SIZE = 256
HELD = 20_480
"""Transitions in the replay memory."""
COLLECTED = 2048
"""Steps of an iteration of an on-policy algorithm."""
BEFORE_WARM_UP = -1
"""Environment steps at which a learner only remembers."""
Rate = Callable[[], float]


class Spaces(gymnasium.Env[Any, Any]):
    """An environment that is never stepped: a peer reads its spaces."""

    observation_space = Box(-np.inf, np.inf, (OBSERVATION_SIZE,), np.float32)
    action_space = Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Return an observation of zeros."""
        return np.zeros(OBSERVATION_SIZE, dtype=np.float32), {}


def off_policy_parameters(algorithm: str, hidden_units: int, held: int = HELD) -> Parameters:
    """Return hyper-parameters of one update a step, from a replay memory of `held` transitions."""
    values = {"hidden_units": hidden_units, "batch_size": BATCH_SIZE, "warmup_steps": 0}
    return PARAMETERS[algorithm].from_mapping({**values, "replay_capacity": held})


def on_policy_parameters(algorithm: str, minibatch_size: int) -> Parameters:
    """Return hyper-parameters with minibatches of this size."""
    return PARAMETERS[algorithm].from_mapping({"minibatch_size": minibatch_size})


def our_updates(parameters: Parameters, held: int = HELD) -> Rate:
    """Return the measurement of our gradient steps/s; remembering the steps is part of it."""
    problem = Problem(observation_size=OBSERVATION_SIZE, action_size=ACTION_SIZE)
    learner = make_learner(problem, parameters, 0)
    episode = _episode()
    for _ in range(held // EPISODE_STEPS):
        learner.learn([episode], BEFORE_WARM_UP)

    def updates_per_s() -> float:
        before, start = learner.updates, time.process_time()
        learner.learn([episode], held)
        return (learner.updates - before) / (time.process_time() - start)

    updates_per_s()
    return updates_per_s


def peer_updates(algorithm: str, parameters: Parameters, held: int = HELD) -> Rate:
    """Return the measurement of the peer's gradient steps/s."""
    model = PEERS[algorithm](parameters, _setting(COLLECTED))
    assert isinstance(model, OffPolicyAlgorithm)
    model.set_logger(Logger(None, []))
    replay, rng = model.replay_buffer, np.random.default_rng(0)
    assert replay is not None
    for _ in range(held):
        seen, following = rng.standard_normal((2, 1, OBSERVATION_SIZE)).astype(np.float32)
        action = rng.uniform(-1.0, 1.0, (1, ACTION_SIZE))
        replay.add(seen, following, action, rng.standard_normal(1), np.zeros(1), [{}])

    def updates_per_s() -> float:
        start = time.process_time()
        model.train(EPISODE_STEPS, BATCH_SIZE)
        return EPISODE_STEPS / (time.process_time() - start)

    updates_per_s()
    return updates_per_s


def our_samples(parameters: Parameters, epochs: int) -> Rate:
    """Return the measurement of our samples/s per epoch; advantages are part of it."""
    problem = Problem(observation_size=OBSERVATION_SIZE, action_size=ACTION_SIZE)
    learner = make_learner(problem, parameters, 0)
    episodes = [_episode() for _ in range(COLLECTED // EPISODE_STEPS)]

    def samples_per_s() -> float:
        start = time.process_time()
        learner.learn(episodes, COLLECTED)
        return epochs * COLLECTED / (time.process_time() - start)

    samples_per_s()
    return samples_per_s


def peer_samples(algorithm: str, parameters: Parameters, epochs: int) -> Rate:
    """Return the measurement of the peer's samples/s per epoch; it has its advantages already."""
    model = PEERS[algorithm](parameters, _setting(COLLECTED))
    assert isinstance(model, OnPolicyAlgorithm)
    model.set_logger(Logger(None, []))
    rollout, rng = model.rollout_buffer, np.random.default_rng(0)
    for step in range(COLLECTED):
        observation = rng.standard_normal((1, OBSERVATION_SIZE)).astype(np.float32)
        with torch.no_grad():
            action, value, log_prob = model.policy(torch.from_numpy(observation))
        begins = np.array([step % EPISODE_STEPS == 0])
        rollout.add(observation, action.numpy(), rng.standard_normal(1), begins, value, log_prob)
    rollout.compute_returns_and_advantage(torch.zeros(1), np.ones(1))

    def samples_per_s() -> float:
        start = time.process_time()
        model.train()
        return epochs * COLLECTED / (time.process_time() - start)

    samples_per_s()
    return samples_per_s


def _setting(steps: int) -> Setting:
    return Setting(
        make=Spaces,
        environments=1,
        steps=steps,
        seed=0,
        hindsight=False,
        env_steps=HELD,
        action_size=ACTION_SIZE,
    )


def _episode() -> Episode:
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((EPISODE_STEPS + 1, OBSERVATION_SIZE)).astype(np.float32)
    transitions = Transitions(
        observation=seen[:-1],
        action=rng.uniform(-1.0, 1.0, (EPISODE_STEPS, ACTION_SIZE)).astype(np.float32),
        reward=rng.standard_normal(EPISODE_STEPS).astype(np.float32),
        next_observation=seen[1:],
        terminated=np.zeros(EPISODE_STEPS, dtype=np.float32),
    )
    return Episode(transitions=transitions, total_reward=0.0, succeeded=False)
