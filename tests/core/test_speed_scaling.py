"""Speed scaling: slower on the same path, ramped by the filter, bit-identical at 1."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_samples import EXACT, HOME, PANDA, any_float, one_joint
from sinew_core.errors import ConfigError
from sinew_core.safety.command_mode import VelocityMode
from sinew_core.safety.filter import PositionFilter, VelocityFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.record import RecordedMode
from sinew_core.safety.scaling import SpeedScaling
from sinew_core.safety.whereabouts import Follows

DT = 0.01
seven = st.lists(any_float, min_size=7, max_size=7)


def velocity(limits=PANDA, parameters=EXACT):
    scaling = SpeedScaling("joint_velocity", limits, parameters, DT)
    filter_ = VelocityFilter(limits, parameters, DT)
    mode = VelocityMode(filter_, limits, DT, Follows.assumed(parameters))
    return RecordedMode(mode, scaling, limits.n_joints)


def start(scaled, position):
    scaled.start(position, [0.0] * len(position))


def step(scaled, desired):
    """Filter one command without a measurement."""
    return scaled.step(desired, None, [0.0] * len(desired))


@given(desired=seven, mode=st.sampled_from(["joint_velocity", "joint_position", "joint_effort"]))
def test_at_one_the_very_command_is_asked_for(desired, mode):
    scaling = SpeedScaling(mode, PANDA, EXACT, DT)
    assert scaling.apply(desired, HOME) is desired


def test_velocities_keep_their_direction():
    scaling = SpeedScaling("joint_velocity", PANDA, EXACT, DT)
    scaling.value = 0.25
    assert scaling.apply([1.0, -0.4, 0.0], [0.0] * 3) == [0.25, -0.1, 0.0]


def test_a_change_is_ramped_by_the_acceleration_limit_and_no_step_more():
    scaled = velocity(one_joint(velocity=1.0, acceleration=10.0))
    start(scaled, [0.0])
    # 10 rad/s^2 for 10 ms: 0.1 rad/s a cycle.
    speeds = []
    for cycle in range(20):
        scaled.scaling.value = 1.0 if cycle < 8 else 0.5
        speeds.append(step(scaled, [0.4]).command[0])
    assert speeds[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert speeds[4:8] == [0.4] * 4
    # Half of 0.4 is 0.2, two steps away.
    assert speeds[8:10] == pytest.approx([0.3, 0.2])
    assert speeds[10:] == [0.2] * 10


def test_at_zero_the_arm_comes_to_rest_and_goes_on_afterwards():
    scaled = velocity(one_joint(velocity=1.0, acceleration=10.0))
    start(scaled, [0.0])
    for _ in range(10):
        step(scaled, [0.4])
    scaled.scaling.value = 0.0
    # Four steps of 0.1 rad/s, and one more for what rounding leaves.
    for _ in range(5):
        last = step(scaled, [0.4])
    assert last.command == (0.0,)
    scaled.scaling.value = 1.0
    assert step(scaled, [0.4]).command == pytest.approx((0.1,))


def test_scaling_alone_is_no_intervention():
    scaled = velocity()
    start(scaled, HOME)
    scaled.scaling.value = 0.5
    for _ in range(50):
        result = step(scaled, [0.02] * 7)
        assert not result.intervened
    assert result.command == (0.01,) * 7


@pytest.mark.parametrize("seed", range(20))
def test_scaled_commands_keep_the_limits_whatever_the_scale_does(seed):
    rng = random.Random(seed)
    scaled = velocity(parameters=SafetyParameters())
    start(scaled, HOME)
    position, before = list(HOME), [0.0] * 7
    for _ in range(500):
        scaled.scaling.value = rng.choice([0.0, 0.1, 1.0, rng.random()])
        command = step(scaled, [rng.uniform(-5, 5) for _ in range(7)]).command
        for j, v in enumerate(command):
            position[j] += v * DT
            limit = PANDA.acceleration_rad_s2[j] * DT
            assert abs(v) <= PANDA.velocity_rad_s[j]
            assert abs(v - before[j]) <= limit + 1e-12
            assert PANDA.position_lower_rad[j] <= position[j] <= PANDA.position_upper_rad[j]
        before = list(command)


def positions(scale, goal, cycles, start=HOME, parameters=EXACT):
    """The references of a position filter on the way to a goal."""
    arm_filter = PositionFilter(PANDA, parameters, DT)
    scaling = SpeedScaling("joint_position", PANDA, parameters, DT)
    scaling.value = scale
    arm_filter.reset(start)
    path = [tuple(start)]
    for _ in range(cycles):
        path.append(arm_filter.step(scaling.apply(goal, arm_filter.command), None).command)
    return path


@pytest.mark.parametrize("seed", range(30))
def test_positions_are_approached_no_faster_than_the_scaled_limit_and_reached(seed):
    rng = random.Random(seed)
    scale, shift = rng.uniform(0.05, 0.9), [rng.uniform(-0.5, 0.5) for _ in range(7)]
    goal = [h + s for h, s in zip(HOME, shift, strict=True)]
    # At the slowest, 0.05 * 2.175 rad/s, half a radian takes 4.6 s; stopping takes less than 1 s.
    path = positions(scale, goal, 600)
    for before, after in itertools.pairwise(path):
        for j in range(7):
            assert abs(after[j] - before[j]) <= scale * PANDA.velocity_rad_s[j] * DT + 1e-12
    # A target that stands still is overshot by 8 a dt^2 at most, scaled or not.
    for j in range(7):
        over = 8 * PANDA.acceleration_rad_s2[j] * DT**2 + 1e-9
        furthest = max((p[j] - goal[j]) * math.copysign(1.0, shift[j]) for p in path)
        assert furthest <= over
    assert path[-1] == tuple(goal)


def test_scaled_positions_stay_on_the_straight_line():
    goal = [h + s for h, s in zip(HOME, [0.4, 0.2, -0.3, 0.1, 0.0, -0.2, 0.3], strict=True)]
    # Slow enough that no joint is bound by its acceleration but in the first and last cycles.
    path = positions(0.1, goal, 600)
    for point in path[10:-50]:
        shares = [(p - h) / (g - h) for p, h, g in zip(point, HOME, goal, strict=True) if g != h]
        assert max(shares) - min(shares) < 0.02


def test_positions_at_zero_stand_still():
    assert set(positions(0.0, [0.1] * 7, 20)) == {tuple(HOME)}


@given(goal=seven)
def test_positions_that_are_not_finite_reach_the_filter_as_they_are(goal):
    scaling = SpeedScaling("joint_position", PANDA, EXACT, DT)
    scaling.value = 0.5
    asked = scaling.apply(goal, HOME)
    if not all(map(math.isfinite, goal)):
        assert asked is goal
    else:
        assert all(map(math.isfinite, asked))


def test_efforts_have_no_speed_to_scale():
    scaling = SpeedScaling("joint_effort", PANDA, EXACT, DT)
    scaling.check(1.0)
    with pytest.raises(ConfigError, match="effort commands have no speed to scale"):
        scaling.check(0.5)
