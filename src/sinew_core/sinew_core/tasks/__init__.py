"""Tasks: what is asked of the arm, how it is rewarded, and when it has succeeded.

A task is a file here and an entry of `TASKS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sinew_core.errors import ConfigError, suggest
from sinew_core.rates import Rates
from sinew_core.tasks.parameters import TaskParameters
from sinew_core.tasks.push import PushTask
from sinew_core.tasks.reach import ReachTask
from sinew_core.tasks.task import Task

if TYPE_CHECKING:
    from sinew_core.robots.model import RobotModel

__all__ = ["TASKS", "Task", "make_task", "task_parameters"]

TASKS: dict[str, type[Task]] = {kind.name: kind for kind in (ReachTask, PushTask)}
"""Every task by its name."""


def make_task(name: str, robot: RobotModel, parameters: TaskParameters, rates: Rates) -> Task:
    """Return a task for a robot.

    Raises:
        ConfigError: for an unknown name, parameters of another task, or a task that the robot
            cannot do.
    """
    if name not in TASKS:
        raise ConfigError(f"task '{name}': {suggest(name, TASKS)}")
    kind = TASKS[name]
    if not isinstance(parameters, kind.parameters_class):
        raise ConfigError(
            f"task '{name}' takes {kind.parameters_class.__name__}: found "
            f"{type(parameters).__name__}"
        )
    # Each class takes its own parameters, as was just checked.
    return kind(robot, parameters, rates)  # type: ignore[call-arg]


def task_parameters(mapping: Mapping[str, object], source: str) -> tuple[str, TaskParameters]:
    """Return name and parameters of the task of a bundle.

    Raises:
        ConfigError: for an unknown task or parameter, with `source` in front.
    """
    name = str(mapping.get("name"))
    if name not in TASKS:
        raise ConfigError(f"{source}: name '{name}': {suggest(name, TASKS)}")
    values = {k: v for k, v in mapping.items() if k != "name"}
    return name, TASKS[name].parameters_class.from_mapping(values, source)
