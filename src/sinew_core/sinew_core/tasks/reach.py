"""Reach: bring the tool to a target and hold it there at rest."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import ConfigError
from sinew_core.parameters import Parameters, parameter
from sinew_core.rates import Rates

if TYPE_CHECKING:
    from sinew_core.robots.model import RobotModel

FloatArray = NDArray[np.float64]
Vectors = NDArray[np.float32] | NDArray[np.float64]
Number = TypeVar("Number", float, FloatArray)

_LIMIT_MARGIN_RAD = 0.1
"""Starts keep this far from the position limits, so that the filter leaves them free to move."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReachParameters(Parameters):
    """Where targets lie, what counts as success, and the weights of the reward."""

    tolerance_m: float = parameter(
        0.02, "largest distance from tool to target", unit="m", minimum=1e-4, maximum=1
    )
    hold_s: float = parameter(
        0.5, "time inside the tolerance at rest; 0: first touch", unit="s", minimum=0, maximum=60
    )
    rest_speed_rad_s: float = parameter(
        0.05, "joint speed below which the arm is at rest", unit="rad/s", minimum=1e-4, maximum=1000
    )
    episode_s: float = parameter(4.0, "length of an episode", unit="s", minimum=0.01, maximum=3600)
    start_noise_rad: float = parameter(
        0.2, "half width of the uniform noise on the start", unit="rad", minimum=0, maximum=3.2
    )
    start_rad: tuple[float, ...] = parameter(
        (), "start position of each joint; empty: the home position of the robot", unit="rad"
    )
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
        problems = []
        lower, upper = self.target_lower_m, self.target_upper_m
        if (len(lower), len(upper)) not in ((0, 0), (3, 3)):
            problems.append(
                f"target_lower_m {lower} and target_upper_m {upper}: give both as [x, y, z] or none"
            )
        elif any(low >= high for low, high in zip(lower, upper, strict=True)):
            problems.append(f"target_lower_m {lower} is not below target_upper_m {upper}")
        if self.episode_s <= self.hold_s:
            problems.append(
                f"episode_s {self.episode_s} is not longer than hold_s {self.hold_s}: lengthen it"
            )
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


class HoldJudge:
    """Judges success from distance and joint speed, once at each control tick of an episode.

    Success needs ticks without a gap that span `hold_s`: with a hold of 0.5 s at 25 Hz the first
    and the last good tick lie ceil(12.5) = 13 periods apart, so 14 good ticks. It then stays.
    """

    def __init__(self, parameters: ReachParameters, rates: Rates) -> None:
        """Take tolerance, hold and speed of rest, and the control rate."""
        self.succeeded = False
        # 1e-9: a hold of 0.12 s at 25 Hz is 3 periods, though 0.12 * 25 is not exactly 3.
        periods = math.ceil(parameters.hold_s * rates.control_rate_hz - 1e-9)
        self._needed = periods + 1
        self._tolerance_m = parameters.tolerance_m
        self._rest_speed_rad_s = parameters.rest_speed_rad_s
        self._good = 0

    def reset(self) -> None:
        """Begin an episode."""
        self.succeeded = False
        self._good = 0

    def update(self, distance_m: float, peak_speed_rad_s: float) -> bool:
        """Judge one control tick, the first of the episode included; return `succeeded`."""
        good = distance_m < self._tolerance_m and peak_speed_rad_s < self._rest_speed_rad_s
        self._good = self._good + 1 if good else 0
        if self._good >= self._needed:
            self.succeeded = True
        return self.succeeded


class ReachTask:
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

    def __init__(self, robot: RobotModel, parameters: ReachParameters, rates: Rates) -> None:
        """Take robot, parameters and rates.

        Raises:
            ConfigError: for a start with another number of joints or outside the limits.
        """
        self.parameters = parameters
        self.judge = HoldJudge(parameters, rates)
        self.episode_ticks = max(1, round(parameters.episode_s * rates.control_rate_hz))
        lower, upper = parameters.target_lower_m, parameters.target_upper_m
        self.target_lower_m = np.array(lower) if lower else robot.reach_box.lower_m
        self.target_upper_m = np.array(upper) if upper else robot.reach_box.upper_m
        limits = robot.limits
        margin = np.minimum(
            _LIMIT_MARGIN_RAD, 0.25 * (limits.position_upper_rad - limits.position_lower_rad)
        )
        self._start_lower_rad = limits.position_lower_rad + margin
        self._start_upper_rad = limits.position_upper_rad - margin
        self._start_rad = _start(parameters, robot)

    def sample_target(self, rng: np.random.Generator) -> FloatArray:
        """Return a target (3,) m in the base frame, uniform in the box."""
        return rng.uniform(self.target_lower_m, self.target_upper_m)

    def sample_start(self, rng: np.random.Generator) -> FloatArray:
        """Return a start position (n,) rad: start plus uniform noise, kept off the limits."""
        noise = self.parameters.start_noise_rad
        start = self._start_rad + rng.uniform(-noise, noise, self._start_rad.size)
        clipped: FloatArray = np.clip(start, self._start_lower_rad, self._start_upper_rad)
        return clipped

    def reward_goal(
        self, tool_position: Vectors, joint_velocity: Vectors, target: Vectors
    ) -> FloatArray:
        """Return the part of the reward that depends on the target.

        Args:
            tool_position: (batch, 3) m, base frame, after the control period.
            joint_velocity: (batch, n) rad/s, after the control period.
            target: (batch, 3) m, base frame.

        Returns:
            (batch,) rewards.
        """
        offset = tool_position - target
        x, y, z = offset[:, 0], offset[:, 1], offset[:, 2]
        distance = np.sqrt(x * x + y * y + z * z)
        peak = np.max(np.abs(joint_velocity), axis=1)
        return self.goal_part(distance, _rms(joint_velocity), peak)

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
        return self.rest_part(_rms(joint_velocity), power, change)

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


def _rms(joint_velocity: Vectors) -> FloatArray:
    rms: FloatArray = np.sqrt(np.mean(np.square(joint_velocity), axis=1))
    return rms


def _start(parameters: ReachParameters, robot: RobotModel) -> FloatArray:
    start = np.array(parameters.start_rad) if parameters.start_rad else robot.home_rad
    if start.size != robot.n_joints:
        raise ConfigError(
            f"start_rad has {start.size} values: robot {robot.name} has {robot.n_joints} joints"
        )
    lower, upper = robot.limits.position_lower_rad, robot.limits.position_upper_rad
    for joint, value, low, high in zip(robot.joint_names, start, lower, upper, strict=True):
        if not low <= value <= high:
            raise ConfigError(f"start_rad of {joint} is {value:g}: allowed {low:g} to {high:g} rad")
    return start
