"""A small task for the tests: a point in a plane that should reach a target.

Observation (4,): position (2,), target minus position (2,). Action (2,): displacement in tenths.
"""

import dataclasses

import numpy as np

from sinew_core.algorithms.exploration import Choice
from sinew_core.algorithms.hindsight import HindsightSampler
from sinew_core.algorithms.replay import Motions, Replay

STEP = 0.1


def goal_reward(achieved_goal, joint_velocity, target):
    return -np.linalg.norm(achieved_goal[:, :2] - target[:, :2], axis=1)


def relabel(observation, seen_goal, target):
    relabelled = observation.copy()
    relabelled[:, 2:] = target[:, :2] - seen_goal[:, :2]
    return relabelled


def observe(position, target):
    return np.concatenate([position, target - position]).astype(np.float32)


def episode(act, rng, length=20):
    """Run one episode; return its transitions and the final distance."""

    def choose(observation):
        action = np.asarray(act(observation))
        return Choice(action=action, command=action)

    return explored_episode(choose, rng, length)


def explored_episode(choose, rng, length=20):
    """Run one episode with an explorer; return its transitions and the final distance."""
    position, target = rng.uniform(-1, 1, 2), rng.uniform(-1, 1, 2)
    rows = []
    for _ in range(length):
        observation = observe(position, target)
        action, command = choose(observation)
        before = position
        position = position + STEP * np.clip(command, -1, 1)
        distance = float(np.linalg.norm(position - target))
        rows.append(
            (
                observation,
                action,
                -distance,
                observe(position, target),
                0.0,
                0.0,
                [*before, 0.0],
                [*position, 0.0],
                [*position, 0.0],
                [0.0, 0.0],
            )
        )
    columns = [np.array(c, np.float32) for c in zip(*rows, strict=True)]
    names = [field.name for field in dataclasses.fields(Motions)]
    return Motions(**dict(zip(names, columns, strict=True))), distance


def some_batch(size=8, seed=0):
    """Draw transitions of one episode of random actions."""
    rng = np.random.default_rng(seed)
    replay = Replay(Motions, 100)
    replay.add_episode(episode(lambda _: rng.uniform(-1, 1, 2), rng)[0])
    return replay.take(replay.sample(size, rng))


def train_with_hindsight(agent, act_of, rng, episodes):
    """Train an off-policy agent, 20 updates an episode; `act_of` gives the policy of an episode."""
    replay = Replay(Motions, 10_000)
    sampler = HindsightSampler(fraction=0.5, relabel=relabel, goal_reward=goal_reward)
    for number in range(episodes):
        replay.add_episode(episode(act_of(number), rng)[0])
        for _ in range(20):
            agent.update(sampler.sample(replay, 64, rng))


def median_distance(act):
    """Return what 30 episodes leave; an untrained policy is left 1.0 away."""
    rng = np.random.default_rng(99)
    return np.median([episode(act, rng, length=30)[1] for _ in range(30)])
