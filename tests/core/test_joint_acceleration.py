"""Efforts of damped accelerations: what the arm then does, in both engines."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.action import ActionDecoder, ActionParameters, make_action_spec
from sinew_core.environments.arm import ArmEnv
from sinew_core.errors import BundleError, ConfigError
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.simulation import ENGINE_NAMES, make_engine
from sinew_core.specs import ActionSpec

ROBOTS = {name: load_robot(name) for name in ("panda", "iiwa14")}
PHYSICS_RATE_HZ = 10_000


def spec_of(robot, **changes):
    return make_action_spec("joint_acceleration", robot, Rates(), ActionParameters(**changes))


def efforts(robot, action, q, velocity, **changes):
    decoder = ActionDecoder(spec_of(robot, **changes), robot.chain)
    return decoder.decode(np.array(action, dtype=np.float64), np.array(q), np.array(velocity))


@pytest.mark.parametrize("engine_name", ENGINE_NAMES)
@pytest.mark.parametrize("name", ROBOTS)
def test_each_joint_accelerates_as_its_own_action_asks_whatever_the_others_do(name, engine_name):
    robot = ROBOTS[name]
    rng = np.random.default_rng(3)
    engine = make_engine(engine_name, robot, PHYSICS_RATE_HZ)
    position, velocity, effort = np.empty(7), np.empty(7), np.empty(7)
    for _ in range(5):
        q = robot.home_rad + rng.uniform(-0.4, 0.4, 7)
        v = rng.uniform(-0.5, 0.5, 7)
        action = rng.uniform(-1.0, 1.0, 7)
        engine.reset(q, v)
        command = efforts(robot, action, q, v, acceleration_speed_rad_s=0.8)
        engine.command_effort(command, gravity_compensation=True)
        engine.step(1)
        engine.read_state(position, velocity, effort)
        # 5 rad/s² (u - v / 0.8); the rest is of the order of one physics step
        expected = 5.0 * (action - v / 0.8)
        np.testing.assert_allclose((velocity - v) * PHYSICS_RATE_HZ, expected, atol=0.02)
    engine.close()


positions = st.lists(st.floats(-math.pi, math.pi), min_size=7, max_size=7)
actions = st.lists(st.floats(-1.0, 1.0), min_size=7, max_size=7)


@given(positions, actions)
def test_at_the_speed_that_an_action_leads_to_only_coriolis_effort_is_left(q, action):
    robot, velocity = ROBOTS["panda"], 0.6 * np.array(action)
    moving = efforts(robot, action, q, velocity)
    resting = efforts(robot, np.zeros(7), q, np.zeros(7))
    still = efforts(robot, action, q, velocity, acceleration_rad_s2=1e-2)
    np.testing.assert_allclose(moving, still, atol=1e-9)
    assert not resting.any()


def test_the_specification_survives_its_mapping():
    spec = spec_of(ROBOTS["iiwa14"])
    assert ActionSpec.from_mapping(spec.to_mapping()) == spec
    assert (spec.command_mode, spec.unit, spec.size) == ("joint_effort", "rad/s²", 7)


def test_masses_of_another_number_of_joints_are_refused():
    spec = spec_of(ROBOTS["panda"])
    short = dataclasses.replace(spec.acceleration, bodies=spec.acceleration.bodies[:-10])
    with pytest.raises(BundleError, match="has 60 values: expected 70, ten for each joint"):
        dataclasses.replace(spec, acceleration=short)
    with pytest.raises(BundleError, match="belongs to joint_acceleration alone"):
        dataclasses.replace(spec, mode="joint_effort")


def test_not_a_number_is_passed_on_for_the_filter_to_refuse():
    assert np.isnan(efforts(ROBOTS["panda"], [math.nan] + [0.0] * 6, np.zeros(7), np.zeros(7))[0])


def test_an_arm_that_does_not_carry_its_weight_is_refused():
    with pytest.raises(ConfigError, match="gravity_compensation"):
        ArmEnv("panda", action_mode="joint_acceleration", gravity_compensation=False)
