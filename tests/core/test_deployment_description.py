"""The robot's own description against the robot that runs: joints, limits, kinematics."""

import pytest

from sinew_core.deployment.checks import failures
from sinew_core.deployment.description import check_description
from sinew_core.robots.catalogue import load_robot
from sinew_sim.emulation.description import published_description

PANDA = load_robot("panda")


def failed(checks):
    return [check.what for check in failures(checks)]


def test_the_robots_own_description_fits_it():
    assert not failed(check_description(PANDA.urdf_text, PANDA))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "none on the topic"),
        ("<robot", "does not parse"),
        (PANDA.urdf_text.replace("panda_joint3", "other_joint3"), "lacks panda_joint3"),
    ],
)
def test_a_description_of_another_arm_is_refused(text, found):
    checks = check_description(text, PANDA)
    assert failed(checks) == ["robot_description"]
    assert found in checks[0].found


def test_a_joint_prefix_is_asked_for_in_the_description():
    checks = check_description(PANDA.urdf_text, PANDA, "left_")
    assert "lacks left_panda_joint1" in checks[0].found


def test_a_description_with_a_slower_joint_than_ours_is_refused():
    velocity = PANDA.limits.velocity_rad_s[0]
    text = PANDA.urdf_text.replace(f'velocity="{velocity:g}"', 'velocity="0.5"')
    assert text != PANDA.urdf_text
    check = failures(check_description(text, PANDA))[0]
    assert check.what == "limits of the description"
    assert "velocity of panda_joint1: ours" in check.found


def test_a_description_of_another_arm_with_the_same_joint_names_is_refused():
    iiwa7, iiwa14 = load_robot("iiwa7"), load_robot("iiwa14")
    assert iiwa7.joint_names == iiwa14.joint_names
    # Its limits are the wider ones, so that only the lengths of its links tell it apart.
    assert failed(check_description(iiwa7.urdf_text, iiwa14)) == ["kinematics of the description"]


def test_a_calibrated_description_fits():
    text = PANDA.urdf_text.replace('xyz="0 -0.316 0"', 'xyz="0.001 -0.318 0.001"')
    assert text != PANDA.urdf_text
    assert not failed(check_description(text, PANDA))


@pytest.mark.parametrize("name", ["ur5e", "fr3", "gen3", "iiwa7", "iiwa14", "xarm7"])
@pytest.mark.parametrize("prefix", ["", "left_"])
def test_the_description_that_a_driver_publishes_fits_its_robot(name, prefix):
    robot = load_robot(name)
    text = published_description(robot.urdf_text, prefix)
    checks = check_description(text, robot, prefix)
    assert not failed(checks)
    assert checks[-1].found == "0.0000 m off"


def test_a_description_without_our_tool_is_compared_up_to_the_last_joint():
    text = PANDA.urdf_text.replace("panda_hand_tcp", "gripper").replace("panda_link0", "mount")
    assert check_description(text, PANDA)[-1].found == "0.0000 m off"


def test_joints_of_a_description_that_are_not_in_series_are_told_of():
    text = PANDA.urdf_text.replace('parent link="panda_link6"', 'parent link="panda_link5"')
    assert text != PANDA.urdf_text
    assert check_description(text, PANDA)[-1].verdict == "unknown"


def test_links_of_the_cell_may_be_named_as_those_of_the_arm():
    text = published_description(PANDA.urdf_text, "left_")
    text = text.replace("</robot>", '<link name="panda_link0"/></robot>')
    assert not failed(check_description(text, PANDA, "left_"))
