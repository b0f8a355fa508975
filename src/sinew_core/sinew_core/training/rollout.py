"""Whole episodes, run from nothing but their seed and an exploring policy.

An episode depends on no earlier one, so any worker may run it and the result stays the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.exploration import Explorer
from sinew_core.algorithms.replay import Motions, Transitions

if TYPE_CHECKING:
    from sinew_core.environments.arm import ArmEnv
    from sinew_core.training.graph.environment import GraphEnv

Float = NDArray[np.float32]
_COLUMNS = tuple(field.name for field in dataclasses.fields(Motions))


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """What a training episode leaves."""

    transitions: Transitions
    total_reward: float
    succeeded: bool


class Recorder:
    """Takes down an episode step by step."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows: list[tuple[object, ...]] = []
        self._successes: list[bool] = []

    def run(
        self,
        env: ArmEnv | GraphEnv,
        explorer: Explorer,
        seed: int,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """Run one training episode to its end; success does not end it."""
        choose = explorer.begin(seed)
        observation, info = env.reset(seed=seed, options=dict(options) if options else None)
        ended = False
        while not ended:
            choice = choose(observation)
            following, reward, terminated, truncated, next_info = env.step(choice.command)
            self._rows.append(
                (  # in the order of the fields of Motions
                    observation,
                    choice.action,
                    reward,
                    following,
                    float(terminated),
                    next_info["reward_rest"],
                    info["seen_goal"],
                    next_info["seen_goal"],
                    next_info["achieved_goal"],
                    next_info["joint_velocity"],
                )
            )
            self._successes.append(bool(next_info["is_success"]))
            observation, info = following, next_info
            ended = terminated or truncated

    def episode(self, steps: int | None = None) -> Episode:
        """Return the first `steps` steps, at least one, as an episode; None: all of them."""
        rows = self._rows[:steps]
        columns = [np.array(column, dtype=np.float32) for column in zip(*rows, strict=True)]
        transitions = Motions(**dict(zip(_COLUMNS, columns, strict=True)))
        return Episode(
            transitions=transitions,
            total_reward=float(transitions.reward.sum()),
            succeeded=self._successes[len(rows) - 1],
        )


def run_episode(
    env: ArmEnv, explorer: Explorer, seed: int, dynamics_seed: int | None = None
) -> Episode:
    """Run one training episode to its end.

    `dynamics_seed` is that of the arm's dynamics, for an environment with a randomisation.
    """
    recorder = Recorder()
    options = None if dynamics_seed is None else {"dynamics_seed": dynamics_seed}
    recorder.run(env, explorer, seed, options)
    return recorder.episode()
