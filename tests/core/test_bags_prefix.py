"""A bag of an arm whose driver puts a prefix in front of the names of its joints and links."""

import math
import xml.etree.ElementTree as ET
from functools import partial

import numpy as np
import pytest

from benchmarks.bag.samples import (
    ARRAY,
    START_NS,
    STATE,
    STRING,
    TRAJECTORY,
    Message,
    float_array,
    joint_state,
    text,
    trajectory,
    write_bag,
)
from sinew_core.bags.reader import read_recording
from sinew_core.errors import BagError
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.urdf import without_prefix
from sinew_core.sysid.described import described_robot

PREFIX, PERIOD_NS, N = "left_", 2_000_000, 100
UR5E = load_robot("ur5e")
NAMES = [PREFIX + name for name in UR5E.joint_names]
HEAVIER = 1.25


def prefixed_urdf():
    """The arm's URDF as a driver with tf_prefix has it, with heavier links."""
    root = ET.fromstring(UR5E.urdf_text)
    for element in root.iter():
        for key in {"name", "link", "joint"} & element.attrib.keys():
            if element.tag in ("link", "joint", "parent", "child", "mimic"):
                element.set(key, PREFIX + element.attrib[key])
        if element.tag == "mass":
            element.set("value", str(HEAVIER * float(element.attrib["value"])))
    return ET.tostring(root, encoding="unicode")


@pytest.fixture
def bag(tmp_path):
    messages = [Message("/robot_description", STRING, START_NS, text(prefixed_urdf()))]
    for i in range(N):
        stamp_ns = START_NS + i * PERIOD_NS
        position = UR5E.home_rad + 0.1 * math.sin(i / 20)
        state = joint_state(stamp_ns, NAMES, position)
        command = trajectory(NAMES[::-1], {"positions": position[::-1]})
        messages += [
            Message("/joint_states", STATE, stamp_ns + 100_000, state),
            Message("/arm/joint_trajectory", TRAJECTORY, stamp_ns + 300_000, command),
            Message("/gripper_controller/commands", ARRAY, stamp_ns, float_array([0.04])),
        ]
    return write_bag(tmp_path / "bag", messages)


def read(bag, robot, prefix=PREFIX):
    return read_recording(bag, robot.joint_names, joint_prefix=prefix, robot=robot)


def test_motion_commands_and_description_are_read_without_the_prefix(bag):
    robot, recording = described_robot("ur5e", "", partial(read, bag))
    assert recording.joint_names == robot.joint_names == UR5E.joint_names
    first = recording.position_rad[0]
    np.testing.assert_array_equal(first, UR5E.home_rad)
    # Of those of the gripper, which are nearer to a controller, no value is the arm's.
    np.testing.assert_array_equal(recording.commands.values[0], first)
    described, own = (ArmDynamics.nominal(each).mass_kg for each in (robot, UR5E))
    np.testing.assert_allclose(described, HEAVIER * own)


def test_a_prefix_that_was_not_given_is_asked_for(bag):
    with pytest.raises(BagError, match=r"it has left_.*give robot:=, joint_prefix:= or"):
        read(bag, UR5E, "")


def test_what_is_no_description_stays_as_it_is():
    assert without_prefix("left_ <", PREFIX) == "left_ <"
    assert without_prefix("<robot name='left_a'/>", "") == "<robot name='left_a'/>"
