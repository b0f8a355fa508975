"""A task and an arm put together: all that is to be known of an environment but its physics."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.action import ActionParameters, make_action_spec
from sinew_core.observation import reach_observation_spec
from sinew_core.rates import Rates
from sinew_core.robots.model import RobotModel
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.specs import ActionSpec, ObservationSpec
from sinew_core.tasks.reach import ReachParameters, ReachTask


@dataclass(frozen=True, kw_only=True, eq=False)
class ReachSetup:
    """The reach task of an arm: what a learner must know, which never steps it."""

    robot: RobotModel
    rates: Rates
    safety_parameters: SafetyParameters
    task: ReachTask
    action_spec: ActionSpec
    observation_spec: ObservationSpec

    @classmethod
    def make(
        cls,
        robot: RobotModel,
        action_mode: str,
        *,
        task_parameters: ReachParameters | None = None,
        action_parameters: ActionParameters | None = None,
        rates: Rates | None = None,
        safety: SafetyParameters | None = None,
    ) -> ReachSetup:
        """Put the parts together; None stands for the defaults.

        Raises:
            ConfigError: for an unknown action mode, or a start that does not fit the robot.
        """
        rates = rates or Rates()
        action_spec = make_action_spec(action_mode, robot, rates, action_parameters)
        return cls(
            robot=robot,
            rates=rates,
            safety_parameters=safety or SafetyParameters(),
            task=ReachTask(robot, task_parameters or ReachParameters(), rates),
            action_spec=action_spec,
            observation_spec=reach_observation_spec(robot.limits, action=action_spec),
        )
