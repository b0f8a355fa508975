"""The safety filter around environments that know nothing of it."""

import math

import gymnasium
import numpy as np
import pytest

from safety_samples import one_joint
from sinew_core.environments.arm import ArmEnv
from sinew_core.environments.safe import SafeEnv
from sinew_core.errors import ConfigError
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.filter import Cause, FilterFault
from sinew_core.safety.parameters import SafetyParameters

PERIOD_S = 0.02
JOINT_ONLY = SafetyParameters(self_collision=False, floor=False, drift_rad_s=0.0)


class Slider(gymnasium.Env):
    """One joint that does exactly what it is told; the reward is for leaving the limits."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, mode="joint_velocity"):
        self.mode, self.x, self.seen = mode, 0.0, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = 0.9
        return np.array([self.x]), {}

    def step(self, action):
        self.seen.append(action)
        self.x = self.x + PERIOD_S * 3.0 * action[0] if self.mode == "joint_velocity" else action[0]
        return np.array([self.x]), self.x, False, False, {"own": 1}


def safe_slider(mode="joint_velocity", read=lambda observation, info: observation):
    scale = 3.0 if mode == "joint_velocity" else 1.0
    return SafeEnv(
        Slider(mode),
        one_joint(-1.0, 1.0, velocity=2.0),
        mode,
        PERIOD_S,
        read_position=read,
        to_command=lambda action: action * scale,
        to_action=lambda command: np.asarray(command) / scale,
        parameters=JOINT_ONLY,
    )


@pytest.mark.parametrize("mode", ["joint_velocity", "joint_position"])
def test_the_environment_is_kept_inside_its_limits_and_told_why(mode):
    env = safe_slider(mode)
    env.reset(seed=0)
    causes = set()
    for k in range(200):
        push = 1.0 if k < 100 or mode == "joint_velocity" else -5.0
        observation, _, _, _, info = env.step(np.array([push * 1.5]))
        assert abs(observation[0]) <= 1.0
        assert info["own"] == 1
        assert info["interventions"] == int(info["causes"] != (Cause.NONE,))
        causes.update(info["causes"])
    assert Cause.POSITION in causes


def test_a_safe_action_reaches_the_environment_as_it_is():
    env = safe_slider()
    env.reset(seed=0)
    action = np.array([-0.01])
    *_, info = env.step(action)
    assert env.unwrapped.seen[-1] is action
    assert info["interventions"] == 0
    assert info["filter_fault"] == 0


def test_an_action_that_is_not_finite_brakes():
    env = safe_slider()
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.array([-1.0]))
    speeds = []
    for _ in range(20):
        *_, info = env.step(np.array([math.nan]))
        assert info["causes"] == (Cause.BRAKE,)
        assert info["filter_fault"] == FilterFault.NOT_FINITE
        speeds.append(abs(info["safe_command"][0]))
    assert speeds[0] > 0.0
    assert speeds[-1] == 0.0


def test_an_arm_that_is_not_where_its_commands_led_brakes_until_reset():
    env = safe_slider()
    env.reset(seed=0)
    env.step(np.array([-0.1]))
    env.unwrapped.x = -0.5
    faults = [env.step(np.array([-0.1]))[4]["filter_fault"] for _ in range(4)]
    assert faults[-1] == FilterFault.OBSERVER_EMPTY
    env.reset(seed=0)
    assert env.step(np.array([-0.01]))[4]["filter_fault"] == 0


def test_positions_may_be_unknown_for_a_while_but_not_at_the_start():
    env = safe_slider(read=lambda observation, info: None if "own" in info else observation)
    env.reset(seed=0)
    for _ in range(100):
        observation, *_ = env.step(np.array([1.0]))
        assert observation[0] <= 1.0
    with pytest.raises(ValueError, match="unknown"):
        safe_slider(read=lambda observation, info: None).reset(seed=0)


def test_limits_alone_are_refused_where_distances_are_asked_for():
    with pytest.raises(ConfigError, match="RobotModel"):
        SafeEnv(
            Slider(),
            one_joint(),
            "joint_velocity",
            PERIOD_S,
            read_position=lambda observation, info: observation,
            to_command=lambda action: action,
            to_action=np.asarray,
        )


def test_the_reach_environment_is_kept_off_the_floor():
    robot = load_robot("panda")
    rates = Rates()
    off = SafetyParameters(self_collision=False, floor=False)
    inner = ArmEnv(robot, safety=off, rates=rates)
    scale = np.array(inner.action_spec.scale)
    position_scale = np.array(inner.observation_spec.fields[0].scale)
    env = SafeEnv(
        inner,
        robot,
        "joint_velocity",
        1.0 / rates.control_rate_hz,
        read_position=lambda observation, info: observation[: robot.n_joints] / position_scale,
        to_command=lambda action: action * scale,
        to_action=lambda command: np.asarray(command) / scale,
        parameters=SafetyParameters(),
    )
    env.reset(seed=0)
    causes = set()
    for _ in range(120):
        *_, info = env.step(np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
        causes.update(info["causes"])
        assert info["filter_fault"] == 0
        assert info["tool_position"][2] > 0.0
    assert Cause.FLOOR in causes
    env.close()
