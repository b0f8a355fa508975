"""What a learner must know of the environment, which it never steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.hindsight import GoalReward, Relabel
from sinew_core.observation import ObservationBuilder
from sinew_core.tasks.setup import TaskSetup


@dataclass(frozen=True, kw_only=True)
class Hindsight:
    """How the same motion is judged by another target, see `HindsightSampler`."""

    relabel: Relabel
    goal_reward: GoalReward


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Sizes of observation and action, and what hindsight changes where there is a target.

    `choices` (k, n) holds what each of k discrete actions commands; None for continuous actions. An
    environment that takes indices has the table of the numbers 0 to k - 1, (k, 1).
    """

    observation_size: int
    action_size: int
    choices: NDArray[np.float32] | None = None
    hindsight: Hindsight | None = None

    @classmethod
    def of(cls, setup: TaskSetup) -> Problem:
        """Return the problem that a task of an arm poses."""
        nudges = np.array(setup.action_spec.nudges, dtype=np.float32)
        builder = ObservationBuilder(setup.observation_spec, setup.robot.chain)
        return cls(
            observation_size=setup.observation_spec.size,
            action_size=setup.action_spec.size,
            choices=nudges if len(nudges) else None,
            hindsight=Hindsight(relabel=builder.relabel, goal_reward=setup.task.reward_goal),
        )
