"""Whole episodes, run from nothing but their seed, a policy and the noise around it.

An episode depends on no earlier one, so any worker may run it and the result stays the same.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.noise import GaussianNoise, OrnsteinUhlenbeckNoise
from sinew_core.algorithms.replay import Transitions
from sinew_core.bundle.runtime import NumpyPolicy

if TYPE_CHECKING:
    from sinew_core.environments.arm import ArmEnv

Float = NDArray[np.float32]
_COLUMNS = tuple(field.name for field in dataclasses.fields(Transitions))
_NOISE_STREAM = 1
"""Keeps an episode's noise apart from its start and target, which come from the same seed."""


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """Noise around the policy: `process` as in `DDPGParameters.noise`, `sigma` (n,) of it."""

    process: str
    sigma: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """What a training episode leaves; actions as drawn, before the environment clips them."""

    transitions: Transitions
    total_reward: float
    succeeded: bool


def run_episode(env: ArmEnv, policy: NumpyPolicy, exploration: Exploration, seed: int) -> Episode:
    """Run one training episode to its end; success does not end it."""
    noise = _noise(exploration, np.random.default_rng([seed, _NOISE_STREAM]))
    observation, info = env.reset(seed=seed)
    rows: list[tuple[object, ...]] = []
    while True:
        action = policy.act(observation) + noise.sample()
        following, reward, terminated, truncated, next_info = env.step(action)
        rows.append(
            (  # in the order of the fields of Transitions
                observation,
                action,
                reward,
                next_info["reward_rest"],
                following,
                float(terminated),
                info["tool_position"],
                next_info["tool_position"],
                next_info["joint_velocity"],
            )
        )
        observation, info = following, next_info
        if terminated or truncated:
            break
    columns = [np.array(column, dtype=np.float32) for column in zip(*rows, strict=True)]
    transitions = Transitions(**dict(zip(_COLUMNS, columns, strict=True)))
    return Episode(
        transitions=transitions,
        total_reward=float(transitions.reward.sum()),
        succeeded=bool(info["is_success"]),
    )


def _noise(
    exploration: Exploration, rng: np.random.Generator
) -> GaussianNoise | OrnsteinUhlenbeckNoise:
    sigma = np.array(exploration.sigma)
    if exploration.process == "ornstein_uhlenbeck":
        return OrnsteinUhlenbeckNoise(sigma, rng)
    return GaussianNoise(sigma, rng)
