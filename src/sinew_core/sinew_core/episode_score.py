"""Return and smoothness of an episode from the states of its control ticks.

What the environment sums up while it steps is summed up here afterwards, by the same functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinew_core.smoothness import jerk_rms
from sinew_core.tasks.task import Task
from sinew_core.tasks.tick import tick_figures

FloatArray = NDArray[np.float64]
ToolPosition = Callable[[Sequence[float]], tuple[float, float, float]]


@dataclass(frozen=True, kw_only=True)
class Tick:
    """What is known of one control tick.

    Attributes:
        position, velocity: (n,) rad, rad/s.
        effort: (n,) N m; empty where nobody measured it.
        action: (m,) in [-1, 1], what the policy had asked for in the period that ends here; empty
            where it is not known, and at the first tick.
        achieved: (3,) m in the base frame, of the object where there is one, else of the tool.
    """

    position: Sequence[float]
    velocity: Sequence[float]
    effort: Sequence[float]
    action: Sequence[float]
    achieved: Sequence[float]


def rewards_effort(task: Task) -> bool:
    """Tell whether the reward of a task depends on the efforts."""
    return task.rest_part(0.0, 1.0, 0.0) != task.rest_part(0.0, 0.0, 0.0)


def rewards_action(task: Task) -> bool:
    """Tell whether the reward of a task depends on how the action changes."""
    return task.rest_part(0.0, 0.0, 1.0) != task.rest_part(0.0, 0.0, 0.0)


def total_reward(
    task: Task, tool_xyz: ToolPosition, target: Sequence[float], ticks: Sequence[Tick]
) -> float | None:
    """Return the sum of the rewards of an episode, as the environment gives it for each step.

    Args:
        task: says what is rewarded.
        tool_xyz: forward kinematics, (n,) rad to (x, y, z) m in the base frame.
        target: (3,) m in the base frame.
        ticks: the first is the one that the first decision is made on.

    Returns:
        None where the reward depends on what is not known: efforts, actions, or a lost object.
    """
    with_effort, with_action = rewards_effort(task), rewards_action(task)
    total = 0.0
    before: Sequence[float] = _zeros(ticks[1].action if len(ticks) > 1 else ())
    for tick in ticks[1:]:
        known = (tick.effort or not with_effort) and (tick.action or not with_action)
        if not known or not all(map(math.isfinite, tick.achieved)):
            return None
        action = tick.action or before
        achieved = np.array(tick.achieved)
        figures = tick_figures(
            tick.achieved,
            target,
            tick.velocity,
            tick.effort or _zeros(tick.velocity),
            action,
            before,
        )
        has_object = task.scene is not None
        tool = np.array(tool_xyz(tick.position)) if has_object else achieved
        goal, rest = task.reward_parts(figures, tool, achieved)
        total += goal + rest
        before = action
    return total


def jerk_of(time_s: FloatArray, ticks: Sequence[Tick]) -> float | None:
    """Return the RMS jerk in rad/s³ of ticks at these times (ticks,) s."""
    return jerk_rms(time_s, np.array([tick.velocity for tick in ticks]))


def _zeros(like: Sequence[float]) -> tuple[float, ...]:
    return (0.0,) * max(len(like), 1)
