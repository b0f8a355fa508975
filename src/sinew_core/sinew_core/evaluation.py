"""Evaluation of a policy: success per episode, without exploration, with its confidence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    import gymnasium

Observed = TypeVar("Observed")
Acted = TypeVar("Acted")
Seen = TypeVar("Seen", contravariant=True)
Done = TypeVar("Done", covariant=True)

_Z_95 = 1.959963984540054
_EVALUATION_STREAM = 0x5EED
"""Keeps the episodes of an evaluation apart from those of a training with the same seed."""


class Policy(Protocol[Seen, Done]):
    """Anything that acts without exploration."""

    def act(self, observation: Seen) -> Done:
        """Return the action for an observation."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one episode came to; the length is in decisions."""

    succeeded: bool
    total_reward: float
    length: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Statistics over episodes; the standard deviation is that of the population."""

    episodes: int
    successes: int
    success_rate: float
    success_ci95: tuple[float, float]
    return_mean: float
    return_std: float
    length_mean: float


def evaluate(
    env: gymnasium.Env[Observed, Acted],
    act: Callable[[Observed], Acted],
    episodes: int,
    seed: int,
) -> EvaluationResult:
    """Run episodes and judge each as a whole: it succeeds when `info["is_success"]` becomes true.

    An episode ends on success, termination or truncation, whichever comes first.

    Args:
        env: an environment whose `info` has `is_success`.
        act: the policy without exploration.
        episodes: how many, at least 1.
        seed: equal seeds give equal starts and targets, apart from those of a training.
    """
    return summarise([judge_episode(env, act, s) for s in episode_seeds(seed, episodes)])


def judge_episode(
    env: gymnasium.Env[Observed, Acted],
    act: Callable[[Observed], Acted],
    seed: int,
    options: Mapping[str, object] | None = None,
) -> Outcome:
    """Run one episode from its seed, and options of the reset, until success or its end."""
    observation, _ = env.reset(seed=seed, options=dict(options) if options else None)
    total, length = 0.0, 0
    while True:
        observation, reward, terminated, truncated, info = env.step(act(observation))
        total += float(reward)
        length += 1
        if info["is_success"] or terminated or truncated:
            succeeded = bool(info["is_success"])
            return Outcome(succeeded=succeeded, total_reward=total, length=length)


def summarise(outcomes: Sequence[Outcome]) -> EvaluationResult:
    """Return the statistics of episodes."""
    episodes = len(outcomes)
    successes = sum(o.succeeded for o in outcomes)
    returns = [o.total_reward for o in outcomes]
    return EvaluationResult(
        episodes=episodes,
        successes=successes,
        success_rate=successes / episodes,
        success_ci95=wilson_interval(successes, episodes),
        return_mean=float(np.mean(returns)),
        return_std=float(np.std(returns)),
        length_mean=float(np.mean([o.length for o in outcomes])),
    )


def episode_seeds(seed: int, episodes: int) -> list[int]:
    """Return the seed of each episode of an evaluation; more episodes begin with the same."""
    sequence = np.random.SeedSequence([seed, _EVALUATION_STREAM])
    return [int(word) for word in sequence.generate_state(episodes)]


def wilson_interval(successes: int, episodes: int) -> tuple[float, float]:
    """Return the Wilson score interval of a rate at 95 % (Wilson 1927).

    Raises:
        ValueError: unless 0 <= successes <= episodes and episodes > 0.
    """
    if episodes < 1 or not 0 <= successes <= episodes:
        raise ValueError(
            f"{successes} successes of {episodes} episodes: give 0 to all of at least one"
        )
    rate, spread = successes / episodes, _Z_95**2 / episodes
    centre = rate + spread / 2
    half = _Z_95 * math.sqrt(rate * (1 - rate) / episodes + spread / (4 * episodes))
    # The bounds at 0 and at all successes are exact; rounding must not take them past 0 or 1.
    low = 0.0 if successes == 0 else (centre - half) / (1 + spread)
    high = 1.0 if successes == episodes else (centre + half) / (1 + spread)
    return low, high
