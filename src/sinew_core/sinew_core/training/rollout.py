"""Whole episodes, run from nothing but their seed and an exploring policy.

An episode depends on no earlier one, so any worker may run it and the result stays the same.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.exploration import Explorer
from sinew_core.algorithms.replay import Motions, Transitions

if TYPE_CHECKING:
    from sinew_core.environments.arm import ArmEnv

Float = NDArray[np.float32]
_COLUMNS = tuple(field.name for field in dataclasses.fields(Motions))


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """What a training episode leaves."""

    transitions: Transitions
    total_reward: float
    succeeded: bool


def run_episode(
    env: ArmEnv, explorer: Explorer, seed: int, dynamics_seed: int | None = None
) -> Episode:
    """Run one training episode to its end; success does not end it.

    `dynamics_seed` is that of the arm's dynamics, for an environment with a randomisation.
    """
    choose = explorer.begin(seed)
    options = None if dynamics_seed is None else {"dynamics_seed": dynamics_seed}
    observation, info = env.reset(seed=seed, options=options)
    rows: list[tuple[object, ...]] = []
    while True:
        choice = choose(observation)
        following, reward, terminated, truncated, next_info = env.step(choice.command)
        rows.append(
            (  # in the order of the fields of Motions
                observation,
                choice.action,
                reward,
                following,
                float(terminated),
                next_info["reward_rest"],
                info["achieved_goal"],
                next_info["achieved_goal"],
                next_info["joint_velocity"],
            )
        )
        observation, info = following, next_info
        if terminated or truncated:
            break
    columns = [np.array(column, dtype=np.float32) for column in zip(*rows, strict=True)]
    transitions = Motions(**dict(zip(_COLUMNS, columns, strict=True)))
    return Episode(
        transitions=transitions,
        total_reward=float(transitions.reward.sum()),
        succeeded=bool(info["is_success"]),
    )
