import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.errors import ConfigError
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot, robot_names
from sinew_core.robots.reach import solve_position
from sinew_core.tasks.judge import HoldJudge
from sinew_core.tasks.reach import (
    ReachParameters,
    ReachTask,
    panda_gym_reach,
    reference_reach,
    reference_shaped_reach,
)

PANDA = load_robot("panda")
NONE = {
    "distance_weight": 0.0,
    "precision_weight": 0.0,
    "touch_bonus": 0.0,
    "rest_bonus": 0.0,
    "near_velocity_weight": 0.0,
    "velocity_weight": 0.0,
    "energy_weight": 0.0,
    "smoothness_weight": 0.0,
}


def task(**changes):
    return ReachTask(PANDA, ReachParameters(**changes), Rates())


def ticks_until_success(judge, states):
    for tick, state in enumerate(states):
        if judge.update(*state):
            return tick
    return None


def test_success_needs_half_a_second_at_rest_inside_the_tolerance():
    judge = HoldJudge(ReachParameters(), Rates())
    # 0.5 s at 25 Hz is 12.5 periods: good from tick 3 on, held over 13 periods at tick 16
    states = [(0.03, 0.0)] * 3 + [(0.019, 0.049)] * 30
    assert ticks_until_success(judge, states) == 16


def test_a_hold_of_whole_periods_needs_no_tick_more():
    judge = HoldJudge(ReachParameters(hold_s=0.12), Rates())  # 3 periods of 0.04 s
    assert ticks_until_success(judge, [(0.0, 0.0)] * 9) == 3


@pytest.mark.parametrize("gap", [(0.02, 0.0), (0.0, 0.05), (math.nan, 0.0), (0.0, math.nan)])
def test_one_bad_tick_starts_the_hold_again(gap):
    judge = HoldJudge(ReachParameters(), Rates())
    states = [(0.01, 0.01)] * 10 + [gap] + [(0.01, 0.01)] * 20
    assert ticks_until_success(judge, states) == 11 + 13


def test_without_a_hold_the_first_touch_counts():
    judge = HoldJudge(panda_gym_reach(), Rates())
    assert ticks_until_success(judge, [(0.06, 1.0), (0.049, 2.0)]) == 1


def test_success_stays_until_the_reset():
    judge = HoldJudge(ReachParameters(hold_s=0.0), Rates())
    judge.update(0.0, 0.0)
    assert judge.update(1.0, 1.0)
    judge.reset()
    assert not judge.update(1.0, 1.0)


def test_panda_gym_has_fifty_decisions_and_its_box():
    parameters = panda_gym_reach()
    reach = ReachTask(PANDA, parameters, Rates())
    assert reach.episode_ticks == 50
    # goals within 0.15 m of (0, 0, 0.15), base of the arm at x = -0.6 m
    assert parameters.target_lower_m == (0.45, -0.15, 0.0)
    assert parameters.target_upper_m == (0.75, 0.15, 0.3)


def goal_reward(reach, distance, speed):
    tool = np.array([[0.5, 0.0, 0.4]])
    target = tool + np.array([0.0, distance, 0.0])
    return float(reach.reward_goal(tool, np.full((1, 7), speed), target)[0])


@pytest.mark.parametrize(("distance", "reward"), [(0.3, -0.3), (0.05, 10 - 0.05)])
def test_the_reference_reward_is_minus_distance_plus_ten_inside_ten_centimetres(distance, reward):
    reach = ReachTask(PANDA, reference_reach(), Rates())
    assert goal_reward(reach, distance, 0.0) == pytest.approx(reward)


@pytest.mark.parametrize(
    ("distance", "speed", "reward"),
    [(0.01, 0.04, 2.0), (0.01, 0.06, 0.0), (0.03, 0.04, 0.0)],
)
def test_the_rest_bonus_needs_tolerance_and_rest(distance, speed, reward):
    assert goal_reward(task(**{**NONE, "rest_bonus": 2.0}), distance, speed) == reward


@pytest.mark.parametrize(("distance", "reward"), [(0.04, -0.25), (0.06, 0.0)])
def test_the_near_velocity_penalty_ends_at_its_distance(distance, reward):
    # equal speeds have themselves as RMS: 0.5 * 0.5 rad/s
    weights = {**NONE, "near_velocity_weight": 0.5, "near_m": 0.05}
    assert goal_reward(task(**weights), distance, 0.5) == pytest.approx(reward)


def rest_reward(weights, velocity=0.0, effort=0.0, action=0.0, before=0.0):
    rows = [np.full((1, 7), value) for value in (velocity, effort, action, before)]
    return float(task(**{**NONE, **weights}).reward_rest(*rows)[0])


def test_velocity_energy_and_smoothness_penalties_by_hand():
    assert rest_reward({"velocity_weight": 0.1}, velocity=-2.0) == pytest.approx(-0.2)
    # 0.1 * (mean of (-2 rad/s)^2) = 0.4
    assert rest_reward({"damping_weight": 0.1}, velocity=-2.0) == pytest.approx(-0.4)
    # 7 joints * |3 N m * -2 rad/s| = 42 W
    assert rest_reward({"energy_weight": 0.01}, velocity=-2.0, effort=3.0) == pytest.approx(-0.42)
    # a change of 1.5 in each component: mean square 2.25
    assert rest_reward({"smoothness_weight": 0.05}, action=1.0, before=-0.5) == pytest.approx(
        -0.1125
    )


def test_the_distance_counts_softly_and_more_near_the_target():
    # e = sqrt(0.04^2 + 0.03^2) - 0.03 = 0.02; 5 * 0.02 + 0.5 * 0.02 / (0.02 + 0.06) = 0.225
    weights = {"distance_weight": 5.0, "precision_weight": 0.5}
    lengths = {"softness_m": 0.03, "precision_m": 0.06}
    reach = task(**{**NONE, **weights, **lengths})
    assert goal_reward(reach, 0.04, 0.0) == pytest.approx(-0.225)


def test_the_reference_shaped_reward_weighs_as_its_source():
    reach = ReachTask(PANDA, reference_shaped_reach(), Rates())
    assert goal_reward(reach, 0.3, 0.0) == pytest.approx(-0.3)
    # 0.1 * 2 rad/s + 0.01 * 42 W + 0.05 * 2.25 = 0.7325
    rows = [np.full((1, 7), value) for value in (2.0, 3.0, 1.0, -0.5)]
    assert float(reach.reward_rest(*rows)[0]) == pytest.approx(-0.7325)


def test_a_constant_action_is_perfectly_smooth():
    assert rest_reward({"smoothness_weight": 1.0}, action=0.8, before=0.8) == 0.0


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_starts_and_targets_stay_in_their_ranges(seed):
    reach = task(start_noise_rad=3.0)
    rng = np.random.default_rng(seed)
    start, target = reach.sample_start(rng), reach.sample_target(rng)
    assert np.all(start > PANDA.limits.position_lower_rad)
    assert np.all(start < PANDA.limits.position_upper_rad)
    assert PANDA.reach_box.contains(target)


def test_equal_generators_give_equal_episodes():
    reach = task()
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    assert reach.sample_start(first).tobytes() == reach.sample_start(second).tobytes()
    assert reach.sample_target(first).tobytes() == reach.sample_target(second).tobytes()


@pytest.mark.parametrize("name", robot_names())
def test_sampled_targets_are_reachable(name):
    robot = load_robot(name)
    reach = ReachTask(robot, ReachParameters(), Rates())
    rng = np.random.default_rng(0)
    for _ in range(20):
        target = reach.sample_target(rng)
        assert solve_position(robot.chain, robot.limits, target, robot.home_rad) is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_lower_m": (0.0, 0.0, 0.0)}, "give both as"),
        (
            {"target_lower_m": (0.5, 0.0, 0.0), "target_upper_m": (0.4, 1.0, 1.0)},
            "is not below target_upper_m",
        ),
        ({"episode_s": 0.5}, "episode_s 0.5 is not longer than hold_s 0.5"),
    ],
)
def test_contradictory_parameters_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        ReachParameters(**changes)


@pytest.mark.parametrize(
    ("start", "message"),
    [((0.0,) * 3, "start_rad has 3 values"), ((9.0,) * 7, "start_rad of panda_joint1 is 9")],
)
def test_a_start_that_does_not_fit_the_robot_is_refused(start, message):
    with pytest.raises(ConfigError, match=message):
        task(start_rad=start)
