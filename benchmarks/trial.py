"""One training run against the clock, judged alike whoever trains."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium

Act = Callable[[Any], Any]  # observation and action of either library

SUCCESS_RATE = 0.95
EPISODES = 200


class Trainer(Protocol):
    """A training run that can be judged between its steps."""

    env: gymnasium.Env[Any, Any]
    """For judging; not the one that it trains in."""

    def advance(self) -> int:
        """Train on for a little; return the environment steps so far."""

    def act(self, observation: Any) -> Any:  # noqa: ANN401 - of either library
        """Return the action without exploration."""

    def close(self) -> None:
        """Stop the engines."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a run reached.

    Attributes:
        seconds: training time of the processor; None when the limit came first.
        wall_s: training time on the wall.
        env_steps: environment steps of training.
    """

    seconds: float | None
    wall_s: float
    env_steps: int


def time_to_success(
    trainer: Trainer,
    fresh_seeds: Callable[[int], Sequence[int]],
    *,
    every_steps: int,
    limit_s: float,
    clock: Callable[[], float] = time.process_time,
    wall_clock: Callable[[], float] = time.perf_counter,
) -> Trial:
    """Train until `is_successful`; only training is on the clock, judging is not.

    Args:
        trainer: begins untrained.
        fresh_seeds: returns that many seeds of episodes never judged before.
        every_steps: environment steps between two evaluations.
        limit_s: time on `clock` after which the run is given up.
        clock: of this process on the processor, in seconds; on one thread that never waits it is
            the time on the wall of an idle machine.
        wall_clock: in seconds, for information.
    """
    spent_s, wall_s, due = 0.0, 0.0, every_steps
    while True:
        start, wall_start = clock(), wall_clock()
        env_steps = trainer.advance()
        spent_s += clock() - start
        wall_s += wall_clock() - wall_start
        successful = False
        if env_steps >= due:
            due = env_steps - env_steps % every_steps + every_steps
            successful = is_successful(trainer.env, trainer.act, fresh_seeds(EPISODES))
        if successful or spent_s > limit_s:
            seconds = spent_s if successful else None
            return Trial(seconds=seconds, wall_s=wall_s, env_steps=env_steps)


def is_successful(env: gymnasium.Env[Any, Any], act: Act, seeds: Sequence[int]) -> bool:
    """Say whether 95 % of the episodes succeed, one for each seed.

    It ends as soon as too many have failed, which changes nothing but the time it takes.
    """
    allowed = len(seeds) - math.ceil(SUCCESS_RATE * len(seeds))
    failures = 0
    for seed in seeds:
        failures += not _succeeds(env, act, seed)
        if failures > allowed:
            return False
    return True


def _succeeds(env: gymnasium.Env[Any, Any], act: Act, seed: int) -> bool:
    observation, _ = env.reset(seed=seed)
    while True:
        observation, _, terminated, truncated, info = env.step(act(observation))
        if info["is_success"] or terminated or truncated:
            return bool(info["is_success"])
