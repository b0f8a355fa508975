"""A small task for the tests: a point in a plane that should reach a target.

Observation (4,): position (2,), target minus position (2,). Action (2,): displacement in tenths.
"""

import dataclasses

import numpy as np

from sinew_core.algorithms.exploration import Choice
from sinew_core.algorithms.replay import Motions

STEP = 0.1


def goal_reward(achieved_goal, joint_velocity, target):
    return -np.linalg.norm(achieved_goal[:, :2] - target[:, :2], axis=1)


def relabel(observation, achieved_goal, target):
    relabelled = observation.copy()
    relabelled[:, 2:] = target[:, :2] - achieved_goal[:, :2]
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
                [0.0, 0.0],
            )
        )
    columns = [np.array(c, np.float32) for c in zip(*rows, strict=True)]
    names = [field.name for field in dataclasses.fields(Motions)]
    return Motions(**dict(zip(names, columns, strict=True))), distance
