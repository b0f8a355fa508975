"""Both sides of a learner's speed: the same hyper-parameters, sizes, batches and random data.

Sizes are those of reach with seven joints. Each measurement returns its rate, by the processor time
of this process; both sides compute on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
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
BATCH_SIZE = 256
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


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much data there is.

    Attributes:
        held: transitions in the replay memory.
        steps: gradient steps of a measurement, or collected steps of an iteration.
    """

    held: int
    steps: int


UPDATING = Size(held=20_000, steps=100)
COLLECTING = Size(held=0, steps=2048)


def off_policy_parameters(
    algorithm: str, hidden_units: int, batch_size: int = BATCH_SIZE
) -> Parameters:
    """Return hyper-parameters of one update for each step."""
    values = {"hidden_units": hidden_units, "batch_size": batch_size, "warmup_steps": 0}
    capacity = {"replay_capacity": UPDATING.held}
    return PARAMETERS[algorithm].from_mapping({**values, **capacity})


def on_policy_parameters(algorithm: str, minibatch_size: int) -> Parameters:
    """Return hyper-parameters with minibatches of this size."""
    return PARAMETERS[algorithm].from_mapping({"minibatch_size": minibatch_size})


def our_updates(parameters: Parameters, size: Size = UPDATING) -> Rate:
    """Return the measurement of our gradient steps/s; remembering the steps is part of it."""
    problem = Problem(observation_size=OBSERVATION_SIZE, action_size=ACTION_SIZE)
    learner = make_learner(problem, parameters, 0)
    episode = _episode(size.steps)
    for _ in range(size.held // size.steps):
        learner.learn([episode], BEFORE_WARM_UP)

    def updates_per_s() -> float:
        before, start = learner.updates, time.process_time()
        learner.learn([episode], size.held)
        return (learner.updates - before) / (time.process_time() - start)

    updates_per_s()
    return updates_per_s


def peer_updates(algorithm: str, parameters: Parameters, size: Size = UPDATING) -> Rate:
    """Return the measurement of the peer's gradient steps/s."""
    model = PEERS[algorithm](parameters, _setting(size))
    assert isinstance(model, OffPolicyAlgorithm)
    model.set_logger(Logger(None, []))
    replay, rng = model.replay_buffer, np.random.default_rng(0)
    assert replay is not None
    batch_size = model.batch_size
    for _ in range(size.held):
        seen, following = rng.standard_normal((2, 1, OBSERVATION_SIZE)).astype(np.float32)
        action = rng.uniform(-1.0, 1.0, (1, ACTION_SIZE))
        replay.add(seen, following, action, rng.standard_normal(1), np.zeros(1), [{}])

    def updates_per_s() -> float:
        start = time.process_time()
        model.train(size.steps, batch_size)
        return size.steps / (time.process_time() - start)

    updates_per_s()
    return updates_per_s


def our_samples(parameters: Parameters, epochs: int, size: Size = COLLECTING) -> Rate:
    """Return the measurement of our samples/s per epoch; advantages are part of it."""
    problem = Problem(observation_size=OBSERVATION_SIZE, action_size=ACTION_SIZE)
    learner = make_learner(problem, parameters, 0)
    episodes = [_episode(size.steps)]

    def samples_per_s() -> float:
        start = time.process_time()
        learner.learn(episodes, size.steps)
        return epochs * size.steps / (time.process_time() - start)

    samples_per_s()
    return samples_per_s


def peer_samples(
    algorithm: str, parameters: Parameters, epochs: int, size: Size = COLLECTING
) -> Rate:
    """Return the measurement of the peer's samples/s per epoch; it has its advantages already."""
    model = PEERS[algorithm](parameters, _setting(size))
    assert isinstance(model, OnPolicyAlgorithm)
    model.set_logger(Logger(None, []))
    rollout, rng = model.rollout_buffer, np.random.default_rng(0)
    for step in range(size.steps):
        observation = rng.standard_normal((1, OBSERVATION_SIZE)).astype(np.float32)
        with torch.no_grad():
            action, value, log_prob = model.policy(torch.from_numpy(observation))
        begins = np.array([step == 0])
        rollout.add(observation, action.numpy(), rng.standard_normal(1), begins, value, log_prob)
    rollout.compute_returns_and_advantage(torch.zeros(1), np.ones(1))

    def samples_per_s() -> float:
        start = time.process_time()
        model.train()
        return epochs * size.steps / (time.process_time() - start)

    samples_per_s()
    return samples_per_s


def _setting(size: Size) -> Setting:
    return Setting(
        make=Spaces,
        environments=1,
        steps=0 if size.held else size.steps,
        seed=0,
        hindsight=False,
        env_steps=size.held,
        action_size=ACTION_SIZE,
    )


def _episode(steps: int) -> Episode:
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((steps + 1, OBSERVATION_SIZE)).astype(np.float32)
    transitions = Transitions(
        observation=seen[:-1],
        action=rng.uniform(-1.0, 1.0, (steps, ACTION_SIZE)).astype(np.float32),
        reward=rng.standard_normal(steps).astype(np.float32),
        next_observation=seen[1:],
        terminated=np.zeros(steps, dtype=np.float32),
    )
    return Episode(transitions=transitions, total_reward=0.0, succeeded=False)
