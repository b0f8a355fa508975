"""Evaluation of a policy: success per episode, without exploration, with its confidence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from sinew_core.smoothness import jerk_rms, mean_or_none

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
    """What one episode came to; the length is in decisions.

    jerk_rad_s3: RMS of the joints' jerk, see `smoothness`; None where `info` has no velocities.
    interventions: joint commands that the safety filter changed; None where `info` has none.
    """

    succeeded: bool
    total_reward: float
    length: int
    jerk_rad_s3: float | None = None
    interventions: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Statistics over episodes; the standard deviation is that of the population.

    jerk_rad_s3: mean over the episodes that have one, see `smoothness`; None without any.
    interventions: of all episodes; None where one does not tell.
    """

    episodes: int
    successes: int
    success_rate: float
    success_ci95: tuple[float, float]
    return_mean: float
    return_std: float
    length_mean: float
    jerk_rad_s3: float | None = None
    interventions: int | None = None


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
    observation, info = env.reset(seed=seed, options=dict(options) if options else None)
    total, infos = 0.0, [info]
    while True:
        observation, reward, terminated, truncated, info = env.step(act(observation))
        total += float(reward)
        infos.append(info)
        if info["is_success"] or terminated or truncated:
            return _outcome(total, infos)


def _outcome(total: float, infos: Sequence[Mapping[str, Any]]) -> Outcome:
    """Judge an episode by `info` of its reset and of each step."""
    last = infos[-1]
    jerk_rad_s3, interventions = None, None
    if "joint_velocity" in last and "time_s" in last:
        times = np.array([info["time_s"] for info in infos])
        jerk_rad_s3 = jerk_rms(times, np.array([info["joint_velocity"] for info in infos]))
    if "interventions" in last:
        interventions = sum(int(info["interventions"]) for info in infos[1:])
    return Outcome(
        succeeded=bool(last["is_success"]),
        total_reward=total,
        length=len(infos) - 1,
        jerk_rad_s3=jerk_rad_s3,
        interventions=interventions,
    )


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
        jerk_rad_s3=mean_or_none([o.jerk_rad_s3 for o in outcomes]),
        interventions=_sum_or_none([o.interventions for o in outcomes]),
    )


def _sum_or_none(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def pooled(parts: Sequence[Mapping[str, object]]) -> dict[str, float | None]:
    """Return mean and deviation of return, mean length and jerk over all episodes of evaluations.

    Args:
        parts: with `episodes` and, where they are known, `return_mean`, `return_std`,
            `length_mean` and `jerk_rad_s3`.

    Returns:
        These four; None for one that a part does not know.
    """
    weights = [float(str(part["episodes"])) for part in parts]

    def mean(name: str, square: bool = False) -> float | None:
        values = [part.get(name) for part in parts]
        known = [v for v in values if isinstance(v, int | float)]
        if len(known) < len(values) or not sum(weights):
            return None
        return float(np.average(np.array(known) ** (2 if square else 1), weights=weights))

    return_mean, squared = mean("return_mean"), mean("return_mean", square=True)
    within, spread = mean("return_std", square=True), None
    if return_mean is not None and squared is not None and within is not None:
        spread = math.sqrt(max(0.0, within + squared - return_mean**2))
    return {
        "return_mean": return_mean,
        "return_std": spread,
        "length_mean": mean("length_mean"),
        "jerk_rad_s3": mean("jerk_rad_s3"),
    }


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
