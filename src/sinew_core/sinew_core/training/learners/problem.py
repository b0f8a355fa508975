"""What a learner must know of the environment, which it never steps."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.hindsight import GoalReward, Relabel
from sinew_core.observation import ObservationBuilder
from sinew_core.tasks.setup import ReachSetup


@dataclass(frozen=True, kw_only=True)
class Hindsight:
    """How the same motion is judged by another target, see `HindsightSampler`."""

    relabel: Relabel
    goal_reward: GoalReward


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Sizes of observation and action, and what hindsight changes where there is a target."""

    observation_size: int
    action_size: int
    hindsight: Hindsight | None = None

    @classmethod
    def of(cls, setup: ReachSetup) -> Problem:
        """Return the problem that a task of an arm poses."""
        builder = ObservationBuilder(setup.observation_spec, setup.robot.chain)
        return cls(
            observation_size=setup.observation_spec.size,
            action_size=setup.action_spec.size,
            hindsight=Hindsight(relabel=builder.relabel, goal_reward=setup.task.reward_goal),
        )
