"""The default assumptions of the filter hold for the simulated arms, whose efforts are limited."""

import numpy as np
import pytest

from sinew_core.robots.catalogue import load_robot, robot_names
from sinew_core.safety.filter import VelocityFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation import ENGINE_NAMES, make_engine

PERIOD_S, PHYSICS_STEPS = 0.01, 5


@pytest.mark.parametrize("robot_name", robot_names())
@pytest.mark.parametrize("engine_name", ENGINE_NAMES)
def test_measured_motion_keeps_the_limits_under_wild_commands(engine_name, robot_name):
    pytest.importorskip(engine_name)
    robot = load_robot(robot_name)
    engine = make_engine(engine_name, robot, 500)
    limits, rng = robot.limits, np.random.default_rng(7)
    position, velocity, effort = (np.zeros(robot.n_joints) for _ in range(3))
    engine.reset(robot.home_rad)
    engine.read_state(position, velocity, effort)
    limiter = VelocityFilter(limits, SafetyParameters(), PERIOD_S)
    limiter.reset(position)
    push = 2.0 * limits.velocity_rad_s
    for _ in range(400):
        push = np.where(rng.random(robot.n_joints) < 0.02, -push, push)
        result = limiter.step(push, position)
        assert result.fault is None
        before = velocity.copy()
        engine.command_velocity(np.array(result.command))
        engine.step(PHYSICS_STEPS)
        engine.read_state(position, velocity, effort)
        assert (position >= limits.position_lower_rad).all()
        assert (position <= limits.position_upper_rad).all()
        assert (np.abs(velocity) <= limits.velocity_rad_s).all()
        assert (np.abs(velocity - before) <= limits.acceleration_rad_s2 * PERIOD_S).all()
    engine.close()
