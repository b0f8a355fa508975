import numpy as np
import pytest
from sinew_core.errors import RobotError
from sinew_core.robots import load_robot, robot_names


@pytest.mark.parametrize("name", ["panda", "iiwa14"])
def test_a_known_robot_has_seven_joints_and_its_home_inside_the_limits(name):
    robot = load_robot(name)
    assert robot.n_joints == 7
    assert np.all(robot.home_rad > robot.limits.position_lower_rad)
    assert np.all(robot.home_rad < robot.limits.position_upper_rad)


def test_the_names_of_known_robots_are_listed():
    assert robot_names() == ("iiwa14", "panda")


def test_an_unknown_robot_is_refused_with_the_closest_name():
    with pytest.raises(RobotError, match=r"unknown robot 'pandas': did you mean 'panda'\?"):
        load_robot("pandas")
