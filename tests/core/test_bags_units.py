"""Wrong units of joint states are refused or not used."""

import math

import numpy as np
import pytest

from bag_motion import JOINTS, Motion, N, kinds, wave
from benchmarks.bag.samples import START_NS, STRING, Message, text
from sinew_core.bags.efforts import holding_efforts
from sinew_core.errors import BagError
from sinew_core.robots.catalogue import load_robot


@pytest.fixture
def motion():
    return Motion()


def test_positions_in_degrees_are_refused(tmp_path):
    robot = load_robot("panda")
    motion = Motion()
    motion.names = [list(robot.joint_names)] * N
    motion.position = [np.degrees(robot.home_rad)] * N
    motion.velocity = motion.effort = [[]] * N
    with pytest.raises(
        BagError, match=r"joint\d is at .* rad: they fit as degrees, so publish rad"
    ):
        motion.read(tmp_path, joints=robot.joint_names, robot=robot)


def test_a_description_in_the_bag_gives_limits_too(tmp_path, motion):
    joints = "".join(
        f"<joint name='{n}' type='revolute'><parent link='l{i}'/><child link='l{i + 1}'/>"
        "<limit lower='-1.5' upper='1.5' velocity='1' effort='1'/></joint>"
        for i, n in enumerate(JOINTS)
    )
    links = "".join(f"<link name='l{i}'/>" for i in range(4))
    urdf = f"<robot name='x'>{links}{joints}</robot>"
    motion.extra = [Message("/robot_description", STRING, START_NS, text(urdf))]
    assert motion.read(tmp_path).robot_description == urdf
    motion.position = [3.0 + q for q in motion.position]
    (tmp_path / "other").mkdir()
    with pytest.raises(BagError, match=r"allowed are -1\.5 to 1\.5 rad: give the robot that was"):
        motion.read(tmp_path / "other")


def test_positions_beyond_any_joint_are_refused_without_limits(tmp_path, motion):
    motion.position = [q * 60.0 for q in motion.position]
    with pytest.raises(BagError, match="they fit as degrees"):
        motion.read(tmp_path)


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(180 / math.pi, "degrees"), (60 / math.tau, "revolutions per minute"), (-1.0, "-1 times")],
)
def test_velocities_in_other_units_are_not_used(tmp_path, motion, factor, unit):
    motion.velocity = [v * factor for v in motion.velocity]
    recording = motion.read(tmp_path)
    assert recording.velocity_rad_s is None
    assert unit in kinds(recording)["velocity_units"].text


def held(tmp_path, factor, noise_nm=0.5):
    robot = load_robot("panda")
    rng = np.random.default_rng(1)
    motion = Motion()
    motion.names = [list(robot.joint_names)] * N
    moves = [0.2 * wave(i * 2e-3, 7)[0] for i in range(N)]
    motion.position = [robot.home_rad + q for q in moves]
    motion.velocity = [[]] * N
    weight = holding_efforts(robot, np.array(motion.position))
    motion.effort = list(factor * weight + noise_nm * rng.standard_normal(weight.shape))
    return motion.read(tmp_path, joints=robot.joint_names, robot=robot)


def test_efforts_that_hold_the_arm_are_used(tmp_path):
    recording = held(tmp_path, 1.0)
    assert recording.effort_nm is not None
    assert list(kinds(recording)) == ["no_velocity"]


@pytest.mark.parametrize(
    ("factor", "kind"),
    [(0.1, "effort_units"), (1000.0, "effort_units"), (0.0, "effort_units"), (-1.0, "effort_sign")],
)
def test_efforts_that_do_not_hold_the_arm_are_not_used(tmp_path, factor, kind):
    recording = held(tmp_path, factor)
    assert recording.effort_nm is None
    assert kind in kinds(recording)
