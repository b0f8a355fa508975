"""The simulated trajectory controller: what it takes, and the way it goes."""

from __future__ import annotations

import math

import pytest
from builtin_interfaces.msg import Duration, Time
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from sinew_sim.trajectories import TrajectoryFollower

PERIOD_NS = 10_000_000


def message(names=("a", "b"), positions=(1.0, 2.0), periods=2.0, **point):
    time = Duration(nanosec=round(periods * PERIOD_NS))
    given = JointTrajectoryPoint(positions=list(positions), time_from_start=time, **point)
    return JointTrajectory(joint_names=list(names), points=[given])


@pytest.fixture
def follower():
    return TrajectoryFollower(["a", "b"], PERIOD_NS)


def test_the_way_to_a_point_is_linear_and_ends_there(follower):
    assert follower.advance([0.0, 0.0]) is None
    assert not follower.take(message(periods=4.0))
    position, way = [0.0, 0.0], []
    while (following := follower.advance(position)) is not None:
        way.append(position := following)
    # Four periods of a quarter each.
    assert way == [pytest.approx([k / 4, k / 2]) for k in (1, 2, 3, 4)]
    assert way[-1] == [1.0, 2.0]


def test_a_new_point_replaces_the_one_before_it(follower):
    follower.take(message())
    assert follower.advance([0.0, 0.0]) == [0.5, 1.0]
    follower.take(message(positions=[0.5, 1.5], periods=1.0))
    assert follower.advance([0.5, 1.0]) == [0.5, 1.5]
    assert follower.advance([0.5, 1.5]) is None


@settings(max_examples=50)
@given(st.permutations(["a", "b"]), st.floats(-3, 3), st.floats(0.0, 1.0))
def test_joints_are_taken_by_name(names, q, periods):
    follower = TrajectoryFollower(["a", "b"], PERIOD_NS)
    follower.take(message(names, [{"a": q, "b": -q}[name] for name in names], periods))
    assert follower.advance([0.0, 0.0]) == [q, -q]


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (message(names=("a", "c")), "joints a, c, not a, b"),
        (message(names=("a",), positions=(1.0,)), "joints a, not a, b"),
        (message(names=("a", "a")), "joints a, a, not a, b"),
        (JointTrajectory(joint_names=["a", "b"]), "0 points"),
        (message(positions=(1.0,)), "1 finite positions for 2 joints"),
        (message(positions=(1.0, math.nan)), "finite positions"),
        (message(velocities=[0.0, 0.1]), "a velocity at the end"),
        (message(effort=[0.0, 0.0]), "efforts"),
    ],
)
def test_what_ros2_controllers_would_refuse_is_refused(follower, refused, reason):
    assert reason in follower.take(refused)
    assert follower.advance([0.0, 0.0]) is None


def test_a_stamp_is_refused_and_zero_velocities_are_not(follower):
    stamped = message()
    stamped.header.stamp = Time(sec=1)
    assert "a stamp" in follower.take(stamped)
    assert not follower.take(message(velocities=[0.0, 0.0]))
