"""Values of arrays are in the order of the controller's joints, where the filter recorded it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bag.samples import (
    ARRAY,
    START_NS,
    STATE,
    Message,
    float_array,
    joint_state,
    text,
    write_bag,
)
from sinew_core.bags.reader import read_recording
from sinew_core.errors import BagError
from sinew_core.robots.catalogue import load_robot
from sinew_safety.configuration import FilterConfiguration

ROOT = Path(__file__).resolve().parents[2]
UR5E = load_robot("ur5e")
JOINTS = UR5E.joint_names
# As UR's own description has them in its joint states: the elbow first.
OTHERS = (JOINTS[2], JOINTS[1], JOINTS[0], *JOINTS[3:])
SENT = "/forward_velocity_controller/commands"
CONFIGURATION = "/safety_filter/configuration"
PERIOD_NS = 2_000_000
N = 100


def configuration(joints=(), prefix=""):
    real = ROOT / "config" / "real" / "ur5e.yaml"
    found = FilterConfiguration.from_yaml(real.read_text(), "ur5e.yaml")
    node = dataclasses.replace(found.node, robot="ur5e", joint_prefix=prefix)
    told = tuple(prefix + name for name in joints)
    return dataclasses.replace(found, node=node, controller_joints=told).to_yaml(UR5E)


def read(tmp_path, *texts, prefix="", topic=SENT):
    names = [prefix + name for name in JOINTS]
    messages = [
        Message(CONFIGURATION, "std_msgs/msg/String", START_NS + i, text(said))
        for i, said in enumerate(texts)
    ]
    for i in range(N):
        stamp = START_NS + i * PERIOD_NS
        angles = [0.1 * np.sin(i / 20 + k) for k in range(6)]
        messages.append(Message("/joint_states", STATE, stamp, joint_state(stamp, names, angles)))
        sent = float_array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
        messages.append(Message(topic, ARRAY, stamp + 100_000, sent))
    bag = write_bag(tmp_path / "bag", messages)
    return read_recording(bag, JOINTS, joint_prefix=prefix)


def told(recording):
    return [d.text for d in recording.defects if d.kind == "command_order"]


@pytest.mark.parametrize("prefix", ["", "left_"])
def test_commands_are_brought_to_the_robots_order(tmp_path, prefix):
    recording = read(
        tmp_path, configuration(prefix=prefix), configuration(OTHERS, prefix), prefix=prefix
    )
    assert recording.commands.values[0].tolist() == [0.2, 0.1, 0.0, 0.3, 0.4, 0.5]
    (line,) = told(recording)
    assert f"{prefix}{OTHERS[0]}, {prefix}{OTHERS[1]}" in line


@pytest.mark.parametrize(
    "texts",
    [(), (configuration(),), (configuration(JOINTS),), ("- no\n- configuration\n",), ("{",)],
    ids=["no configuration", "not read", "the same order", "another text", "no yaml"],
)
def test_else_they_are_in_the_robots(tmp_path, texts):
    recording = read(tmp_path, *texts)
    assert recording.commands.values[0].tolist() == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert not told(recording)


def test_a_filter_of_other_outputs_says_nothing(tmp_path):
    recording = read(tmp_path, configuration(OTHERS), topic="/forward_position_controller/commands")
    assert not told(recording)


def test_a_controller_of_other_joints_is_refused(tmp_path):
    with pytest.raises(BagError, match="another_joint"):
        read(tmp_path, configuration((*JOINTS[:5], "another_joint")))
