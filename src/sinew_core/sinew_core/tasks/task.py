"""What a task says: where episodes start, what is wanted, what is rewarded, when it is done."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import ConfigError
from sinew_core.rates import Rates
from sinew_core.specs import ActionSpec, ObservationSpec
from sinew_core.tasks.judge import HoldJudge
from sinew_core.tasks.parameters import TaskParameters
from sinew_core.tasks.tick import TickFigures

if TYPE_CHECKING:
    from sinew_core.robots.model import RobotModel
    from sinew_core.simulation.tabletop import Tabletop

FloatArray = NDArray[np.float64]
Vectors = NDArray[np.float32] | NDArray[np.float64]
Number = TypeVar("Number", float, FloatArray)

_LIMIT_MARGIN_RAD = 0.1
"""Starts keep this far from the position limits, so that the filter leaves them free to move."""


class Task(abc.ABC):
    """A task with a target in space.

    What is achieved is the tool's position, or that of the object where the task has one. The
    reward is `goal + rest`: the first part depends on the target, so that hindsight can compute it
    anew; the rest does not.

    Attributes:
        name: of the task, in `task:=` and in bundles, and of its section of parameters.
        parameters_class: of that section.
        action_mode: that suits it, which its Gymnasium environments have by default.
        in_graph: whether the ROS 2 nodes tell all that the task is observed and judged by.
        achieved: what is brought to the target, for reports.
        scene: what stands before the arm; None for nothing.
        judge: of success.
        episode_ticks: control periods of an episode.
    """

    name: ClassVar[str]
    parameters_class: ClassVar[type[TaskParameters]]
    action_mode: ClassVar[str] = "joint_velocity"
    in_graph: ClassVar[bool] = True
    achieved: ClassVar[str] = "tool"
    scene: Tabletop | None = None

    def __init__(
        self, robot: RobotModel, parameters: TaskParameters, rates: Rates, start_rad: FloatArray
    ) -> None:
        """Take what all tasks share; episodes start near (n,) rad.

        Raises:
            ConfigError: for a start with another number of joints or outside the limits.
        """
        self.judge = HoldJudge(parameters, rates)
        self.episode_ticks = parameters.episode_ticks(rates.control_rate_hz)
        limits = robot.limits
        margin = np.minimum(
            _LIMIT_MARGIN_RAD, 0.25 * (limits.position_upper_rad - limits.position_lower_rad)
        )
        self._start_lower_rad = limits.position_lower_rad + margin
        self._start_upper_rad = limits.position_upper_rad - margin
        self._start_rad = _checked_start(start_rad, robot)
        self._start_noise_rad = parameters.start_noise_rad

    @abc.abstractmethod
    def observation_spec(self, robot: RobotModel, action: ActionSpec) -> ObservationSpec:
        """Return what the policy sees, of the fields that `ObservationBuilder` can make."""

    @abc.abstractmethod
    def sample_target(self, rng: np.random.Generator) -> FloatArray:
        """Return a target (3,) m in the base frame."""

    def sample_start(self, rng: np.random.Generator) -> FloatArray:
        """Return a start position (n,) rad: start plus uniform noise, kept off the limits."""
        noise = self._start_noise_rad
        start = self._start_rad + rng.uniform(-noise, noise, self._start_rad.size)
        clipped: FloatArray = np.clip(start, self._start_lower_rad, self._start_upper_rad)
        return clipped

    def sample_object(
        self, rng: np.random.Generator, target: FloatArray
    ) -> tuple[FloatArray, float]:
        """Return where the object starts, (3,) m in the base frame, and its heading in rad."""
        raise NotImplementedError(f"task {self.name} has no object")

    def target_apart(self, rng: np.random.Generator, object_position: FloatArray) -> FloatArray:
        """Return a target (3,) m for an object that is at (3,) m already."""
        raise NotImplementedError(f"task {self.name} has no object")

    def reward_goal(
        self, achieved_goal: Vectors, joint_velocity: Vectors, target: Vectors
    ) -> FloatArray:
        """Return the part of the reward that depends on the target.

        Args:
            achieved_goal: (batch, 3) m, base frame, after the control period.
            joint_velocity: (batch, n) rad/s, after the control period.
            target: (batch, 3) m, base frame.

        Returns:
            (batch,) rewards.
        """
        offset = achieved_goal - target
        x, y, z = offset[:, 0], offset[:, 1], offset[:, 2]
        distance = np.sqrt(x * x + y * y + z * z)
        peak = np.max(np.abs(joint_velocity), axis=1)
        return self.goal_part(distance, rms(joint_velocity), peak)

    @abc.abstractmethod
    def goal_part(
        self, distance_m: Number, rms_speed_rad_s: Number, peak_speed_rad_s: Number
    ) -> Number:
        """Return the goal-dependent reward of floats, or of arrays (batch,)."""

    @abc.abstractmethod
    def rest_part(self, rms_speed_rad_s: Number, power_w: Number, change: Number) -> Number:
        """Return the goal-independent reward of floats, or of arrays (batch,)."""

    def reward_parts(
        self, figures: TickFigures, tool_position: FloatArray, achieved: FloatArray
    ) -> tuple[float, float]:
        """Return the goal-dependent part and the rest of the reward of one control tick.

        Args:
            figures: of the tick.
            tool_position: (3,) m in the base frame.
            achieved: (3,) m in the base frame, of the object where there is one, else the tool.
        """
        distance, rms_speed, peak_speed, power, change = figures
        rest = self.rest_part(rms_speed, power, change)
        if self.scene is not None:
            rest += self.object_part(tool_position, achieved)
        return self.goal_part(distance, rms_speed, peak_speed), rest

    def object_part(self, tool_position: FloatArray, object_position: FloatArray) -> float:
        """Return what the rest gains by the object, from (3,) m and (3,) m in the base frame."""
        return 0.0


def rms(joint_velocity: Vectors) -> FloatArray:
    """Return the RMS (batch,) of joint velocities (batch, n)."""
    root: FloatArray = np.sqrt(np.mean(np.square(joint_velocity), axis=1))
    return root


def _checked_start(start: FloatArray, robot: RobotModel) -> FloatArray:
    if start.size != robot.n_joints:
        raise ConfigError(
            f"start_rad has {start.size} values: robot {robot.name} has {robot.n_joints} joints"
        )
    lower, upper = robot.limits.position_lower_rad, robot.limits.position_upper_rad
    for joint, value, low, high in zip(robot.joint_names, start, lower, upper, strict=True):
        if not low <= value <= high:
            raise ConfigError(f"start_rad of {joint} is {value:g}: allowed {low:g} to {high:g} rad")
    return start
