"""What both engines promise, one by one."""

import numpy as np
import pytest

from sinew_core.errors import ConfigError
from sinew_core.robots import load_robot
from sinew_core.simulation import ENGINE_NAMES, make_engine

ROBOTS = ("panda", "iiwa14")
PHYSICS_RATE_HZ = 500


@pytest.fixture(scope="module", params=[(e, r) for e in ENGINE_NAMES for r in ROBOTS], ids=str)
def engine(request):
    name, robot = request.param
    engine = make_engine(name, load_robot(robot), PHYSICS_RATE_HZ)
    yield engine
    engine.close()


def state_of(engine):
    state = [np.empty(engine.robot.n_joints) for _ in range(3)]
    engine.read_state(*state)
    return state


def test_the_drive_reaches_its_speed_within_one_physics_step(engine):
    engine.reset(engine.robot.home_rad)
    speed = np.linspace(0.02, -0.02, engine.robot.n_joints)
    engine.command_velocity(speed)
    engine.step(1)
    np.testing.assert_allclose(state_of(engine)[1], speed, atol=2e-3)


def test_gravity_compensation_alone_keeps_the_arm_where_it_is(engine):
    home = engine.robot.home_rad
    engine.reset(home)
    engine.command_effort(np.zeros_like(home), gravity_compensation=True)
    for _ in range(100):
        engine.step(5)
    position, velocity, effort = state_of(engine)
    np.testing.assert_allclose(position, home, atol=1e-6)
    np.testing.assert_allclose(velocity, 0.0, atol=1e-6)
    np.testing.assert_allclose(effort, engine.gravity_effort(home), atol=1e-5)


def test_tool_position_is_that_of_the_robot_model(engine):
    rng = np.random.default_rng(7)
    limits = engine.robot.limits
    for _ in range(5):
        position = rng.uniform(limits.position_lower_rad, limits.position_upper_rad)
        engine.reset(position)
        expected = engine.robot.chain.tool_position(position)
        np.testing.assert_allclose(engine.tool_position(), expected, atol=1e-6)


def test_an_unknown_engine_is_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="'pybulet': did you mean 'pybullet'"):
        make_engine("pybulet", load_robot("panda"), PHYSICS_RATE_HZ)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_command_that_is_not_finite_is_refused_by_joint_name(engine, value):
    command = np.zeros(engine.robot.n_joints)
    command[2] = value
    with pytest.raises(ConfigError, match=engine.robot.joint_names[2]):
        engine.command_velocity(command)
    with pytest.raises(ConfigError, match=engine.robot.joint_names[2]):
        engine.command_effort(command, gravity_compensation=True)
