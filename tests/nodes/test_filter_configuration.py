"""The configuration of a safety filter as text: exact both ways; a changed robot is noticed."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from conftest import ROOT
from sinew_core.errors import ConfigError, RobotError
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.watchdogs import SupervisorParameters
from sinew_safety.configuration import FilterConfiguration
from sinew_safety.parameters import SafetyFilterParameters

# Floats that only their shortest exact text brings back.
CONFIGURATION = FilterConfiguration(
    node=SafetyFilterParameters(pace="lockstep", speed_scale=1.0 / 3.0),
    watchdog=SupervisorParameters(frozen_travel_rad=1e-5),
    safety=SafetyParameters(margin_rad=0.1 + 0.2, forbidden_boxes_m=(0.0,) * 3 + (1e-3,) * 3),
)


def test_the_text_brings_the_very_parameters_back():
    text = CONFIGURATION.to_yaml(CONFIGURATION.load_robot())
    read = FilterConfiguration.from_yaml(text, "a bag")
    assert (read.node, read.watchdog, read.safety) == (
        CONFIGURATION.node,
        CONFIGURATION.watchdog,
        CONFIGURATION.safety,
    )
    assert read.load_robot().joint_names == CONFIGURATION.load_robot().joint_names


@pytest.mark.parametrize("what", ["limits", "joint_names", "description_check"])
def test_a_robot_that_has_changed_since_is_refused(what):
    content = yaml.safe_load(CONFIGURATION.to_yaml(CONFIGURATION.load_robot()))
    content["robot"][what] = {
        "limits": {**content["robot"]["limits"], "velocity_rad_s": [1.0] * 7},
        "joint_names": content["robot"]["joint_names"][::-1],
        "description_check": "00000000",
    }[what]
    read = FilterConfiguration.from_yaml(yaml.safe_dump(content), "a bag")
    with pytest.raises(RobotError, match=rf"changed since the recording: {what} differ"):
        read.load_robot()


def test_the_joints_that_were_read_tell_the_order_of_the_outputs():
    node = SafetyFilterParameters(controller_joints="read", joint_prefix="left_")
    asked = dataclasses.replace(CONFIGURATION, node=node)
    robot = asked.load_robot()
    assert asked.order(robot) is None
    backwards = tuple(f"left_panda_joint{i}" for i in range(7, 0, -1))
    found = dataclasses.replace(asked, controller_joints=backwards)
    assert found.order(robot) == (6, 5, 4, 3, 2, 1, 0)
    assert FilterConfiguration.from_yaml(found.to_yaml(robot), "a bag").order(robot) == found.order(
        robot
    )
    assert CONFIGURATION.order(robot) == (0, 1, 2, 3, 4, 5, 6)
    assert "controller" not in yaml.safe_load(CONFIGURATION.to_yaml(robot))


@pytest.mark.parametrize(
    ("given", "topic", "sent"),
    [
        ({}, "forward_velocity_controller/commands", "joint_velocity"),
        ({"mode": "joint_effort"}, "forward_effort_controller/commands", "joint_effort"),
        ({"output": "positions"}, "forward_position_controller/commands", "joint_position"),
        ({"controller": "/lbr/ctrl"}, "/lbr/ctrl/commands", "joint_velocity"),
        (
            {"adapter": "trajectory"},
            "joint_trajectory_controller/joint_trajectory",
            "joint_position",
        ),
        (
            {"adapter": "trajectory", "controller": "xarm7_traj_controller"},
            "xarm7_traj_controller/joint_trajectory",
            "joint_position",
        ),
        ({"adapter": "trajectory", "shadow": True}, "~/shadow", "joint_position"),
    ],
)
def test_outputs_go_to_the_controller_of_adapter_and_mode(given, topic, sent):
    node = SafetyFilterParameters(**given)
    assert dataclasses.replace(CONFIGURATION, node=node).outputs_topic == topic
    assert node.sent_mode == sent


REAL = ROOT / "config" / "real"
ROBOTS = [path.stem for path in sorted(REAL.glob("*.yaml")) if "_" not in path.stem]
UNITS = {
    "forward_velocity_controller": "joint_velocity",
    "forward_position_controller": "joint_position",
    "forward_effort_controller": "joint_effort",
}


def real(robot, adapter, mode):
    """Return what the launch file of a deployment gives the filter, but for its bounds."""
    given = {}
    for name in (robot, f"adapter_{adapter}"):
        section = yaml.safe_load((REAL / f"{name}.yaml").read_text()).get("/**/safety_filter", {})
        values = section.get("ros__parameters", {})
        given.update({k: v for k, v in values.items() if "." not in k})
    return {**given, "robot": robot, "mode": mode}


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("adapter", ["robot", "forward", "positions", "trajectory"])
@pytest.mark.parametrize("mode", ["joint_velocity", "joint_position", "joint_effort"])
def test_without_a_name_no_controller_of_another_unit_is_sent_to(robot, adapter, mode):
    given = real(robot, adapter, mode)
    positions = "trajectory" in given["adapter"] or given.get("output") == "positions"
    if mode == "joint_effort" and positions:
        with pytest.raises(ConfigError, match="use a forward controller of efforts"):
            SafetyFilterParameters(**given)
        return
    node = SafetyFilterParameters(**given)
    assert node.sent_mode == ("joint_position" if positions else mode)
    if node.adapter == "trajectory":
        assert "forward" not in node.controller_name
    else:
        assert UNITS[node.controller_name] == node.sent_mode


def test_the_trajectory_controller_of_a_robot_is_known_by_its_name():
    for adapter in ("robot", "trajectory"):
        node = SafetyFilterParameters(**real("fr3", adapter, "joint_velocity"))
        assert node.controller_name == "fr3_arm_controller"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"adapter": "trajectory", "mode": "joint_effort"}, "adapter is trajectory, but mode"),
        ({"output": "positions", "mode": "joint_effort"}, "output is positions, but mode"),
        (
            {"trajectory_time_s": 0.005},
            r"trajectory_time_s is 0.005: .* use 0.01 s, a",
        ),
    ],
)
def test_outputs_that_cannot_be_are_refused(given, expected):
    with pytest.raises(ConfigError, match=expected):
        SafetyFilterParameters(**given)


def test_a_point_has_two_periods_unless_told_otherwise():
    assert SafetyFilterParameters(filter_rate_hz=50).point_time_s == pytest.approx(0.04)
    assert SafetyFilterParameters(trajectory_time_s=0.1).point_time_s == 0.1


def test_a_parameter_file_serves_as_well():
    text = (
        "/**: {ros__parameters: {robot: iiwa14, pace: lockstep}}\n"
        "/left/safety_filter: {ros__parameters: {robot: panda, safety.margin_rad: 0.02,"
        " watchdog: {missed_cycles: 7}}}\n"
        "/left/policy: {ros__parameters: {bundle: x}}\n"
    )
    read = FilterConfiguration.from_yaml(text, "file.yaml")
    assert (read.node.robot, read.node.pace) == ("panda", "lockstep")
    assert (read.safety.margin_rad, read.watchdog.missed_cycles) == (0.02, 7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", r"file.yaml: no YAML: "),
        ("a: 1", r"no section 'safety_filter' with ros__parameters: give"),
        ("safety_filter: {ros__parameters: {pac: x}}", r"did you mean 'pace'\?"),
        ("safety_filter: {ros__parameters: {safety: {margin_rad: -1.0}}}", r"safety: margin_rad"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(text, expected):
    with pytest.raises(ConfigError, match=expected) as caught:
        FilterConfiguration.from_yaml(text, "file.yaml")
    assert "\n" not in str(caught.value)
