"""Joint velocities of a tool's velocity: what the tool then does, and that they stay bounded."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.action import ActionParameters, make_action_spec
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.kinematics import KinematicChain
from sinew_core.robots.tool_velocity import ToolVelocitySolver
from sinew_core.specs import ToolMotion

ROBOTS = {name: load_robot(name) for name in ("panda", "iiwa14")}
PANDA = ROBOTS["panda"]


def motion(robot=PANDA, **changes):
    tool = make_action_spec("tool_velocity", robot, Rates(), ActionParameters()).tool
    return dataclasses.replace(tool, **changes)


def solve(velocity, q, robot=PANDA, **changes):
    solver = ToolVelocitySolver(robot.chain, motion(robot, **changes))
    return solver.solve(np.array(velocity, dtype=np.float64), np.array(q), np.empty(7))


def moved(q, joint_velocity, robot=PANDA, step_s=1e-5):
    """Differentiate the tool's pose along joint velocities: (3,) m/s, (3, 3) axes per second."""
    ahead, behind = (robot.chain.tool_pose(q + s * joint_velocity) for s in (step_s, -step_s))
    rate = (ahead - behind) / (2 * step_s)
    return rate[:3, 3], rate[:3, :3]


@pytest.mark.parametrize("robot", ROBOTS)
def test_without_damping_the_tool_moves_as_asked_and_keeps_its_orientation(robot):
    robot = ROBOTS[robot]
    velocity = [0.05, -0.08, 0.03]
    q = robot.home_rad
    command = solve(velocity, q, robot, damping_m=1e-6, joint_speed_rad_s=(100.0,) * 7)
    linear, turning = moved(q, command, robot)
    np.testing.assert_allclose(linear, velocity, atol=1e-6)
    np.testing.assert_allclose(turning, 0.0, atol=1e-6)


def test_the_damping_slows_a_planar_arm_by_the_formula():
    # One joint about z, the tool 0.5 m along x: J = 0.5 along y, w = 0. To v_y = 0.3 m/s with
    # damping 0.5 m: q' = 0.5 / (0.5² + 0.5²) 0.3 = 0.3 rad/s, half of the exact 0.6 rad/s.
    tool = np.eye(4)
    tool[0, 3] = 0.5
    chain = KinematicChain(origins=np.eye(4)[None], axes=np.array([[0.0, 0.0, 1.0]]), tool=tool)
    spec = ToolMotion(
        damping_m=0.5,
        rotation_weight_m=0.0,
        return_per_m=0.0,
        home_rad=(0.0,),
        joint_speed_rad_s=(10.0,),
    )
    solver = ToolVelocitySolver(chain, spec)
    assert solver.solve(np.array([0.0, 0.3, 0.0]), np.zeros(1), np.empty(1)) == pytest.approx(0.3)


def test_a_turned_tool_turns_back_as_it_moves():
    q = PANDA.home_rad + np.array([0.0, 0.0, 0.0, 0.0, 0.3, 0.3, -0.2])
    home = PANDA.chain.tool_pose(PANDA.home_rad)[:3, :3]
    command = solve([0.0, 0.1, 0.0], q, damping_m=1e-3)
    _, turning = moved(q, command)
    # d/dt of the trace of homeᵀ axes, which is largest where they agree
    assert np.sum(home * turning) > 0.01


def test_the_posture_returns_home_along_the_way_there_and_back():
    chain, q = PANDA.chain, PANDA.home_rad + np.array([0.4, 0.0, -0.4, 0.0, 0.0, 0.0, 0.0])
    far = np.linalg.norm(q - PANDA.home_rad)
    aim = chain.tool_position(PANDA.home_rad)
    for way_m in (0.1, 0.0) * 3:
        for _ in range(60):
            offset = aim + np.array([0.0, way_m, 0.0]) - chain.tool_position(q)
            q = q + 0.04 * solve(2.0 * offset, q)
    assert np.linalg.norm(q - PANDA.home_rad) < 0.5 * far


positions = st.lists(st.floats(-math.pi, math.pi), min_size=7, max_size=7)
velocities = st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=3)


@settings(max_examples=150)
@given(positions, velocities, st.sampled_from([1e-3, 0.02, 0.3]))
def test_no_joint_velocity_exceeds_what_the_damping_allows(q, velocity, damping):
    changes = {"damping_m": damping, "joint_speed_rad_s": (1e9,) * 7}
    free = motion(**changes)
    speed = np.linalg.norm(velocity)
    # |x| <= |v| sqrt(1 + (w k)²), as e is a sine; gains up to 1 / (2 damping); I - J# J up to 1
    asked = speed * math.hypot(1.0, free.rotation_weight_m * free.return_per_m)
    posture = free.return_per_m * speed * np.linalg.norm(PANDA.home_rad - np.array(q))
    bound = asked / (2.0 * damping) + posture
    assert np.linalg.norm(solve(velocity, q, **changes)) <= bound * (1.0 + 1e-9) + 1e-12


@pytest.mark.parametrize("q", [np.zeros(7), np.array([0.0, 0.5, 0.0, -0.0698, 0.0, 0.0, 0.0])])
def test_a_stretched_arm_is_slowed_in_all_joints_alike(q):
    asked = [0.0, 0.3, 0.9]
    free = solve(asked, q, joint_speed_rad_s=(1e9,) * 7, damping_m=1e-3)
    slowed = solve(asked, q, damping_m=1e-3)
    limit = np.array(motion().joint_speed_rad_s)
    assert np.max(np.abs(free) / limit) > 1.0
    assert np.max(np.abs(slowed) / limit) == pytest.approx(1.0)
    np.testing.assert_allclose(np.cross(free[:3], slowed[:3]), 0.0, atol=1e-9)


@given(positions)
def test_a_velocity_of_zero_is_rest(q):
    assert not solve([0.0, 0.0, 0.0], q).any()


def test_not_a_number_is_passed_on_for_the_filter_to_refuse():
    assert np.isnan(solve([math.nan, 0.0, 0.0], PANDA.home_rad)).all()
