"""Reach: bring the tool to a target and hold it there at rest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from sinew_core.observation import reach_observation_spec
from sinew_core.parameters import parameter
from sinew_core.rates import Rates
from sinew_core.specs import ActionSpec, ObservationSpec
from sinew_core.tasks.parameters import TaskParameters
from sinew_core.tasks.task import FloatArray, Number, Task, Vectors, rms

if TYPE_CHECKING:
    from sinew_core.robots.model import RobotModel


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReachParameters(TaskParameters):
    """Where targets lie, what counts as success, and the weights of the reward."""

    target_lower_m: tuple[float, ...] = parameter(
        (), "lower corner of the targets, base frame; empty: the box of the robot", unit="m"
    )
    target_upper_m: tuple[float, ...] = parameter(
        (), "upper corner of the targets, base frame; empty: the box of the robot", unit="m"
    )
    distance_weight: float = parameter(
        5.0, "penalty on the distance from tool to target", unit="1/m", minimum=0
    )
    softness_m: float = parameter(
        0.02, "distance below which its penalties level off, so that rest pays", unit="m", minimum=0
    )
    precision_weight: float = parameter(
        1.0, "penalty d / (d + precision_m) on the distance d, steep near the target", minimum=0
    )
    precision_m: float = parameter(
        0.05, "distance at which half of that penalty is left", unit="m", minimum=1e-4
    )
    touch_bonus: float = parameter(0.0, "reward inside touch_within_m", minimum=0)
    touch_within_m: float = parameter(
        0.1, "distance that touch_bonus asks for", unit="m", minimum=0
    )
    rest_bonus: float = parameter(0.0, "reward inside the tolerance at rest", minimum=0)
    near_velocity_weight: float = parameter(
        0.0, "penalty on the RMS joint speed inside near_m", unit="s/rad", minimum=0
    )
    near_m: float = parameter(
        0.05, "distance below which near_velocity_weight applies", unit="m", minimum=0
    )
    velocity_weight: float = parameter(
        0.0, "penalty on the RMS joint speed everywhere", unit="s/rad", minimum=0
    )
    damping_weight: float = parameter(
        0.0, "penalty on the mean square joint speed everywhere", unit="s²/rad²", minimum=0
    )
    energy_weight: float = parameter(0.0, "penalty on the mechanical power", unit="1/W", minimum=0)
    smoothness_weight: float = parameter(
        0.0, "penalty on the mean square change of the action", minimum=0
    )

    def check(self) -> list[str]:
        """Return violations: an impossible box, or an episode that is shorter than the hold."""
        problems = super().check()
        lower, upper = self.target_lower_m, self.target_upper_m
        if (len(lower), len(upper)) not in ((0, 0), (3, 3)):
            problems.append(
                f"target_lower_m {lower} and target_upper_m {upper}: give both as [x, y, z] or none"
            )
        elif any(low >= high for low, high in zip(lower, upper, strict=True)):
            problems.append(f"target_lower_m {lower} is not below target_upper_m {upper}")
        return problems


def reference_reach() -> ReachParameters:
    """Return the reward of the reference material: minus the distance, plus 10 inside 0.1 m."""
    return ReachParameters(
        distance_weight=1.0,
        precision_weight=0.0,
        softness_m=0.0,
        touch_bonus=10.0,
        touch_within_m=0.1,
        velocity_weight=0.0,
        energy_weight=0.0,
        smoothness_weight=0.0,
    )


def reference_shaped_reach() -> ReachParameters:
    """Return the shaped reward of the reference material: 1.0, 0.1, 0.01 and 0.05.

    The default leaves the last three out: at 0.01 per watt, lifting the arm costs as much as the
    distance, and friction in the learner brings the arm to rest without a noisier reward.
    """
    return ReachParameters(
        distance_weight=1.0,
        precision_weight=0.0,
        softness_m=0.0,
        velocity_weight=0.1,
        energy_weight=0.01,
        smoothness_weight=0.05,
    )


def panda_gym_reach() -> ReachParameters:
    """Return reach as panda-gym's `PandaReachDense-v3` defines it, for comparison with peers only.

    5 cm, first touch, 50 decisions at 25 Hz, minus the distance as reward. Its goals lie in a
    cube of 0.3 m on the table, whose centre is 0.6 m before the base of the arm.
    """
    return ReachParameters(
        tolerance_m=0.05,
        hold_s=0.0,
        rest_speed_rad_s=1000.0,
        episode_s=2.0,
        start_noise_rad=0.0,
        start_rad=(0.0, 0.41, 0.0, -1.85, 0.0, 2.26, 0.79),
        target_lower_m=(0.45, -0.15, 0.0),
        target_upper_m=(0.75, 0.15, 0.3),
        distance_weight=1.0,
        precision_weight=0.0,
        softness_m=0.0,
        velocity_weight=0.0,
        energy_weight=0.0,
        smoothness_weight=0.0,
    )


class ReachTask(Task):
    """Samples starts and targets, and rewards what happened in one control period.

    The reward is `goal + rest`. With distance d (m), the soft distance
    e = sqrt(d² + softness_m²) - softness_m, RMS and peak joint speed s, p (rad/s), power
    P = Σ|τ·q̇| (W) and mean square change of action c:

    - goal = - distance_weight·e - precision_weight·e/(e + precision_m)
      + touch_bonus·[d < touch_within_m] + rest_bonus·[d < tolerance_m and p < rest_speed_rad_s]
      - near_velocity_weight·s·[d < near_m]
    - rest = - velocity_weight·s - damping_weight·s² - energy_weight·P - smoothness_weight·c

    Hindsight computes the goal part anew and keeps the rest.
    """

    name = "reach"
    parameters_class = ReachParameters

    def __init__(self, robot: RobotModel, parameters: ReachParameters, rates: Rates) -> None:
        """Take robot, parameters and rates.

        Raises:
            ConfigError: for a start with another number of joints or outside the limits.
        """
        start = np.array(parameters.start_rad) if parameters.start_rad else robot.home_rad
        super().__init__(robot, parameters, rates, start)
        self.parameters = parameters
        lower, upper = parameters.target_lower_m, parameters.target_upper_m
        self.target_lower_m = np.array(lower) if lower else robot.reach_box.lower_m
        self.target_upper_m = np.array(upper) if upper else robot.reach_box.upper_m

    def observation_spec(self, robot: RobotModel, action: ActionSpec) -> ObservationSpec:
        """Return `reach_observation_spec`."""
        return reach_observation_spec(robot.limits, action=action)

    def sample_target(self, rng: np.random.Generator) -> FloatArray:
        """Return a target (3,) m in the base frame, uniform in the box."""
        return rng.uniform(self.target_lower_m, self.target_upper_m)

    def reward_rest(
        self,
        joint_velocity: Vectors,
        effort: Vectors,
        action: Vectors,
        previous_action: Vectors,
    ) -> FloatArray:
        """Return the part of the reward that no target changes.

        Args:
            joint_velocity: (batch, n) rad/s, after the control period.
            effort: (batch, n) N m, after the control period.
            action: (batch, n), of this period.
            previous_action: (batch, n), of the period before.

        Returns:
            (batch,) rewards.
        """
        power = np.sum(np.abs(effort * joint_velocity), axis=1)
        change = np.mean(np.square(action - previous_action), axis=1)
        return self.rest_part(rms(joint_velocity), power, change)

    def goal_part(
        self, distance_m: Number, rms_speed_rad_s: Number, peak_speed_rad_s: Number
    ) -> Number:
        """Return the goal-dependent reward of floats, or of arrays (batch,)."""
        p = self.parameters
        # mypy takes a float's power for Any; a root of a sum of squares is of the same kind.
        soft: Number = (distance_m**2 + p.softness_m**2) ** 0.5 - p.softness_m
        near = rms_speed_rad_s * (distance_m < p.near_m)
        resting = (distance_m < p.tolerance_m) & (peak_speed_rad_s < p.rest_speed_rad_s)
        return (
            p.touch_bonus * (distance_m < p.touch_within_m)
            + p.rest_bonus * resting
            - p.distance_weight * soft
            - p.precision_weight * soft / (soft + p.precision_m)
            - p.near_velocity_weight * near
        )

    def rest_part(self, rms_speed_rad_s: Number, power_w: Number, change: Number) -> Number:
        """Return the goal-independent reward of floats, or of arrays (batch,)."""
        p = self.parameters
        return (
            -p.velocity_weight * rms_speed_rad_s
            - p.damping_weight * rms_speed_rad_s * rms_speed_rad_s
            - p.energy_weight * power_w
            - p.smoothness_weight * change
        )
