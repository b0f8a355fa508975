"""A task and an arm put together: all that is to be known of an environment but its physics."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.action import ActionParameters, make_action_spec
from sinew_core.rates import Rates
from sinew_core.robots.model import RobotModel
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.specs import ActionSpec, ObservationSpec
from sinew_core.tasks import TASKS, Task, make_task
from sinew_core.tasks.parameters import TaskParameters


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskSetup:
    """A task of an arm: what a learner must know, which never steps it."""

    robot: RobotModel
    rates: Rates
    safety_parameters: SafetyParameters
    task: Task
    action_spec: ActionSpec
    observation_spec: ObservationSpec

    @classmethod
    def make(
        cls,
        robot: RobotModel,
        action_mode: str,
        *,
        task: str = "reach",
        task_parameters: TaskParameters | None = None,
        action_parameters: ActionParameters | None = None,
        rates: Rates | None = None,
        safety: SafetyParameters | None = None,
    ) -> TaskSetup:
        """Put the parts together; None stands for the defaults.

        Raises:
            ConfigError: for an unknown action mode or task, or a task that does not fit the robot.
        """
        rates = rates or Rates()
        if task_parameters is None and task in TASKS:
            task_parameters = TASKS[task].parameters_class()
        action_spec = make_action_spec(action_mode, robot, rates, action_parameters)
        made = make_task(task, robot, task_parameters or TaskParameters(), rates)
        return cls(
            robot=robot,
            rates=rates,
            safety_parameters=safety or SafetyParameters(),
            task=made,
            action_spec=action_spec,
            observation_spec=made.observation_spec(robot, action_spec),
        )
