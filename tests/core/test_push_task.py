import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.action import make_action_spec
from sinew_core.errors import ConfigError
from sinew_core.observation import ObservationBuilder, Signals
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.tasks import TASKS, make_task
from sinew_core.tasks.push import PushParameters, PushTask
from sinew_core.tasks.reach import ReachParameters

PANDA = load_robot("panda")


def task(**changes):
    return PushTask(PANDA, PushParameters(**changes), Rates())


def test_the_goal_part_falls_with_the_distance_and_steeply_near_the_target():
    push = task(distance_weight=5.0, precision_weight=0.5, precision_m=0.05)
    # d = 0.05 m: 5 * 0.05 + 0.5 * 0.05 / (0.05 + 0.05) = 0.25 + 0.25
    place, target = np.array([[0.5, 0.0, 0.03]]), np.array([[0.5, 0.05, 0.03]])
    assert push.reward_goal(place, np.zeros((1, 7)), target)[0] == pytest.approx(-0.5)
    assert push.goal_part(0.05, 0.0, 0.0) == pytest.approx(-0.5)


def test_approaching_costs_the_way_that_is_left_to_a_touch():
    push = task(approach_weight=2.0, object_size_m=0.06, tool_radius_m=0.02)
    tool, place = np.array([0.4, 0.0, 0.03]), np.array([0.55, 0.0, 0.03])
    # 0.15 m apart, of which 0.03 + 0.02 are inside: 2 * 0.1
    assert push.object_part(tool, place) == pytest.approx(-0.2)
    assert push.object_part(place, place) == 0.0


def test_a_change_of_the_action_costs_its_square():
    assert task(smoothness_weight=0.5).rest_part(3.0, 4.0, 0.2) == pytest.approx(-0.1)


def test_success_is_half_a_second_inside_five_centimetres_at_any_speed():
    judge = task().judge
    # 0.5 s at 25 Hz: the first and the last good tick are ceil(12.5) = 13 periods apart
    assert [judge.update(0.049, 99.0) for _ in range(14)] == [False] * 13 + [True]
    judge.reset()
    assert not any(judge.update(0.051, 0.0) for _ in range(20))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_objects_start_on_the_table_off_their_target(seed):
    push, rng = task(), np.random.default_rng(seed)
    target = push.sample_target(rng)
    place, heading = push.sample_object(rng, target)
    for x, y, z in (target, place):
        assert 0.5 <= x <= 0.7
        assert -0.15 <= y <= 0.15
        assert z == 0.03  # half of 0.06
    assert math.dist(place, target) >= 0.1
    assert abs(heading) <= math.pi / 4


@pytest.mark.parametrize(("robot", "lower_x_m"), [("panda", 0.5), ("iiwa14", 0.6)])
def test_the_tool_starts_behind_all_objects_turned_as_at_home(robot, lower_x_m):
    robot = load_robot(robot)
    box = {"lower_m": (lower_x_m, -0.15), "upper_m": (lower_x_m + 0.2, 0.15)}
    push = PushTask(robot, PushParameters(start_noise_rad=0.0, **box), Rates())
    pose = robot.chain.tool_pose(push.sample_start(np.random.default_rng(0)))
    # less the cube's 0.06 and the ball's 0.04
    np.testing.assert_allclose(pose[:3, 3], [lower_x_m - 0.1, 0.0, 0.05], atol=2e-3)
    home = robot.chain.tool_pose(robot.home_rad)
    np.testing.assert_allclose(pose[:3, :3], home[:3, :3], atol=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lower_m": (0.5,)}, r"give \[x, y\]"),
        ({"lower_m": (0.7, -0.1)}, "the lower below"),
        ({"apart_m": 0.3}, "apart_m 0.3 is more than half"),
        ({"episode_s": 0.4}, "episode_s 0.4 is not longer than hold_s 0.5"),
    ],
)
def test_contradictory_parameters_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        PushParameters(**changes)


def test_a_table_out_of_reach_is_refused_with_a_remedy():
    with pytest.raises(ConfigError, match=r"does not reach .* from home: give push.start_rad"):
        task(lower_m=(2.0, -0.1), upper_m=(2.2, 0.1), apart_m=0.05)


def test_a_task_refuses_the_parameters_of_another_one():
    with pytest.raises(ConfigError, match="'push' takes PushParameters: found ReachParameters"):
        make_task("push", PANDA, ReachParameters(), Rates())
    with pytest.raises(ConfigError, match="did you mean 'push'"):
        make_task("psh", PANDA, ReachParameters(), Rates())


@pytest.mark.parametrize("name", TASKS)
def test_hindsight_sees_what_the_builder_would_have_seen(name):
    action = make_action_spec("tool_velocity", PANDA, Rates())
    made = make_task(name, PANDA, TASKS[name].parameters_class(), Rates())
    builder = ObservationBuilder(made.observation_spec(PANDA, action), PANDA.chain)
    rng, signals = np.random.default_rng(0), Signals(7, 3)
    signals.joint_position[:] = rng.uniform(-1, 1, 7)
    signals.object_position_base[:] = rng.uniform(-1, 1, 3)
    signals.object_axis_base[:] = rng.uniform(-1, 1, 3)
    signals.object_displacement_base[:] = rng.uniform(-1, 1, 3)
    before = builder.build(signals)[None]
    signals.target_position_base[:] = target = rng.uniform(-1, 1, 3)
    after = builder.build(signals)[None]
    tool, place = builder.tool_position_base, signals.object_position_base
    achieved = tool if made.scene is None else place
    assert not np.array_equal(before, after)
    assert builder.relabel(before, achieved[None], target[None]).tobytes() == after.tobytes()


@given(st.integers(0, 2**32), st.floats(0.5, 0.7), st.floats(-0.15, 0.15))
@settings(max_examples=50)
def test_a_target_for_a_cube_that_stands_already_lies_in_the_box_and_apart(seed, x, y):
    push = PUSH
    place = np.array([x, y, 0.03])
    target = push.target_apart(np.random.default_rng(seed), place)
    assert np.linalg.norm(target - place) >= push.parameters.apart_m
    assert np.all(target[:2] >= push.parameters.lower_m)
    assert np.all(target[:2] <= push.parameters.upper_m)
    assert target[2] == pytest.approx(0.03)


PUSH = task()
