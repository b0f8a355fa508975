"""What both engines promise, one by one."""

import sys

import numpy as np
import pytest

from sinew_core.errors import ConfigError
from sinew_core.robots import load_robot, robot_names
from sinew_core.simulation import ENGINE_NAMES, make_engine

ROBOTS = robot_names()
PHYSICS_RATE_HZ = 500


@pytest.fixture(scope="module", params=[(e, r) for e in ENGINE_NAMES for r in ROBOTS], ids=str)
def engine(request):
    name, robot = request.param
    pytest.importorskip(name)
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
    np.testing.assert_allclose(state_of(engine)[1], speed, atol=1e-9)


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


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_an_engine_that_is_not_installed_is_named_with_the_other(monkeypatch, name):
    other = next(n for n in ENGINE_NAMES if n != name)
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"sinew_core.simulation.{name}_engine", raising=False)
    monkeypatch.delitem(sys.modules, "sinew_core.simulation.mujoco_drive", raising=False)
    with pytest.raises(ConfigError, match=f"'{name}', which is not installed.*'{other}'"):
        make_engine(name, load_robot("panda"), PHYSICS_RATE_HZ)


def test_a_physics_rate_must_be_positive():
    with pytest.raises(ConfigError, match="physics_rate_hz is 0"):
        make_engine("pybullet", load_robot("panda"), 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_command_that_is_not_finite_is_refused_by_joint_name(engine, value):
    command = np.zeros(engine.robot.n_joints)
    command[2] = value
    with pytest.raises(ConfigError, match=engine.robot.joint_names[2]):
        engine.command_velocity(command)
    with pytest.raises(ConfigError, match=engine.robot.joint_names[2]):
        engine.command_effort(command, gravity_compensation=True)


def run_noise(engine, seed, effort_mode):
    """Run 40 uneven calls; return all states (40, 3, n)."""
    rng = np.random.default_rng(seed)
    states = []
    for call in range(40):
        command = rng.uniform(-0.3, 0.3, engine.robot.n_joints)
        if effort_mode:
            engine.command_effort(3.0 * command, gravity_compensation=True)
        else:
            engine.command_velocity(command)
        engine.step(9 if call % 3 else 5)
        states.append(state_of(engine))
    return np.array(states)


@pytest.mark.parametrize("effort_mode", [False, True], ids=["velocity", "effort"])
def test_after_a_reset_the_future_is_that_of_a_fresh_engine(engine, effort_mode):
    start, speed = engine.robot.home_rad, np.full(engine.robot.n_joints, 0.1)
    for other_mode in (False, True):
        engine.reset(start + 0.1, 2.0 * speed)
        run_noise(engine, 1, other_mode)
    engine.reset(start, speed)
    used = run_noise(engine, 2, effort_mode)
    fresh = type(engine)(engine.robot, PHYSICS_RATE_HZ)
    fresh.reset(start, speed)
    np.testing.assert_array_equal(run_noise(fresh, 2, effort_mode), used)
    fresh.close()


@pytest.mark.parametrize("n_steps", [1, 5, 9, 20])
def test_a_call_of_many_steps_lasts_that_many_steps(engine, n_steps):
    home = engine.robot.home_rad
    engine.reset(home)
    engine.command_velocity(np.full_like(home, 0.05))
    for _ in range(3):
        engine.step(n_steps)
    travelled = 0.05 * 3 * n_steps / PHYSICS_RATE_HZ
    np.testing.assert_allclose(state_of(engine)[0] - home, travelled, atol=1e-9)


def test_efforts_are_the_same_by_one_call_or_many(engine):
    home = engine.robot.home_rad
    push = 0.5 * np.ones_like(home)
    finals = []
    for calls, n_steps in ((1, 20), (20, 1)):
        engine.reset(home)
        engine.command_effort(push, gravity_compensation=False)
        for _ in range(calls):
            engine.step(n_steps)
        finals.append(state_of(engine)[0])
    np.testing.assert_allclose(finals[0], finals[1], atol=1e-12)


def test_efforts_saturate_at_the_limits(engine):
    limits = engine.robot.limits
    engine.reset(engine.robot.home_rad)
    engine.command_effort(2.0 * limits.effort_nm, gravity_compensation=True)
    engine.step(1)
    np.testing.assert_array_equal(state_of(engine)[2], limits.effort_nm)
    engine.reset(engine.robot.home_rad)
    engine.command_velocity(np.full(engine.robot.n_joints, -50.0))
    engine.step(5)
    assert (np.abs(state_of(engine)[2]) <= limits.effort_nm * (1 + 1e-12)).all()
    assert (state_of(engine)[1] > -50.0).any()


def test_a_drive_that_pushes_against_a_stop_stays_at_it_with_full_effort(engine):
    limits = engine.robot.limits
    start = engine.robot.home_rad.copy()
    start[3] = limits.position_upper_rad[3] - 0.01
    engine.reset(start)
    command = np.zeros_like(start)
    command[3] = 0.5
    engine.command_velocity(command)
    for _ in range(100):
        engine.step(5)
    position, _, effort = state_of(engine)
    assert position[3] == pytest.approx(limits.position_upper_rad[3], abs=1e-4)
    assert effort[3] == pytest.approx(limits.effort_nm[3])
    np.testing.assert_allclose(np.delete(position - start, 3), 0.0, atol=3e-3)


def test_a_picture_does_not_disturb_the_dynamics(engine):
    runs = []
    for draws in (False, True):
        engine.reset(engine.robot.home_rad)
        run_noise(engine, 3, effort_mode=False)
        if draws:
            picture = engine.render(32, 24, (0.4, 0.1, 0.3))
            assert picture.shape == (24, 32, 3)
            assert picture.dtype == np.uint8
        runs.append(run_noise(engine, 4, effort_mode=True))
    np.testing.assert_array_equal(runs[0], runs[1])


def test_the_target_is_drawn_where_it_is(engine):
    without, left, right = (
        engine.render(64, 48, target).astype(int)
        for target in (None, (0.4, -0.3, 0.3), (0.4, 0.3, 0.3))
    )
    columns = [np.abs(p - without).sum(axis=(0, 2)).argmax() for p in (left, right)]
    assert columns[0] < columns[1]


def test_after_a_reset_no_effort_is_reported(engine):
    home = engine.robot.home_rad
    engine.command_velocity(np.full_like(home, 0.1))
    engine.step(5)
    engine.reset(home)
    np.testing.assert_array_equal(state_of(engine)[2], 0.0)


def test_starting_an_engine_prints_nothing(capfd):
    for name in ENGINE_NAMES:
        make_engine(name, load_robot("iiwa14"), PHYSICS_RATE_HZ).close()
    assert capfd.readouterr().out == ""
