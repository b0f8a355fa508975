"""The two engines, and the reduced and the full URDF, describe the same arm."""

from pathlib import Path

import numpy as np
import pytest

from sinew_core.randomisation import read_randomisation
from sinew_core.robots import load_robot
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.simulation import make_engine

mujoco = pytest.importorskip("mujoco")
pybullet = pytest.importorskip("pybullet")

RANGES = Path(__file__).parents[2] / "config" / "randomisation" / "default.yaml"
PHYSICS_RATE_HZ = 500
CYCLES = 200
STEPS_PER_CYCLE = 5
AMPLITUDE_NM = {
    "panda": np.array([0.2, 0.2, 0.2, 0.2, 0.03, 0.03, 0.03]),
    "iiwa14": np.array([0.2, 0.2, 0.1, 0.1, 0.01, 0.01, 0.0001]),
    "ur5e": np.array([0.2, 0.2, 0.1, 0.01, 0.01, 0.0001]),
    "gen3": np.array([0.1, 0.1, 0.05, 0.05, 0.005, 0.005, 0.0001]),
}
"""So small that no joint gets to a stop in 2 s: a bare flange has hardly any inertia."""
PERIOD_S = STEPS_PER_CYCLE / PHYSICS_RATE_HZ


@pytest.fixture(params=AMPLITUDE_NM)
def engines(request):
    robot = load_robot(request.param)
    pair = [make_engine(name, robot, PHYSICS_RATE_HZ) for name in ("pybullet", "mujoco")]
    yield pair
    for engine in pair:
        engine.close()


def states_of(engines):
    """Return the states (engines, 3, n)."""
    states = np.empty((len(engines), 3, engines[0].robot.n_joints))
    for engine, state in zip(engines, states, strict=True):
        engine.read_state(*state)
    return states


def smooth_signal(rng, n):
    """Return 2 s of sums of three sines that start at zero, (CYCLES, n), within 1."""
    time_s = np.arange(CYCLES)[:, None, None] * PERIOD_S
    rate = rng.uniform(0.5, 4.0, (n, 3))
    amplitude = rng.uniform(-1.0, 1.0, (n, 3)) / 3.0
    return (amplitude * np.sin(rate * time_s)).sum(axis=2)


def worst_difference(engines, command, cycles=CYCLES):
    """Run `command(engine, cycle)` in both; return the largest difference of (q, v, effort)."""
    worst = np.zeros(3)
    for engine in engines:
        engine.reset(engine.robot.home_rad)
    for cycle in range(cycles):
        for engine in engines:
            command(engine, cycle)
            engine.step(STEPS_PER_CYCLE)
        states = states_of(engines)
        worst = np.maximum(worst, np.abs(states[0] - states[1]).max(axis=1))
    return worst


@pytest.mark.parametrize("seed", range(3))
def test_both_engines_move_alike_under_the_velocity_drive(engines, seed):
    signal = 0.3 * smooth_signal(np.random.default_rng(seed), engines[0].robot.n_joints)
    worst = worst_difference(engines, lambda engine, k: engine.command_velocity(signal[k]))
    assert (worst < [1e-9, 1e-9, 1e-6]).all(), worst


@pytest.mark.parametrize("seed", range(3))
def test_both_engines_move_alike_under_small_efforts(engines, seed):
    robot = engines[0].robot
    signal = smooth_signal(np.random.default_rng(seed), robot.n_joints)
    signal *= AMPLITUDE_NM[robot.name]
    worst = worst_difference(
        engines, lambda engine, k: engine.command_effort(signal[k], gravity_compensation=True)
    )
    assert (worst < 1e-9).all(), worst


def test_both_engines_saturate_alike(engines):
    robot = engines[0].robot
    rng = np.random.default_rng(0)
    worst, saturated = np.zeros(3), 0
    for engine in engines:
        engine.reset(robot.home_rad)
    for step in range(60):
        if step % 6 == 0:
            command = rng.uniform(-1.0, 1.0, robot.n_joints) * robot.limits.velocity_rad_s
        for engine in engines:
            engine.command_velocity(command)
            engine.step(1)
        states = states_of(engines)
        saturated += (np.abs(states[0, 2]) > 0.999 * robot.limits.effort_nm).sum()
        worst = np.maximum(worst, np.abs(states[0] - states[1]).max(axis=1))
    assert saturated > 50
    assert (worst < [1e-8, 1e-6, 1e-4]).all(), worst


def test_both_engines_move_other_arms_alike(engines):
    robot = engines[0].robot
    rng = np.random.default_rng(0)
    randomisation = read_randomisation(RANGES, robot)
    for seed in range(3):
        values = {**randomisation.draw_values(seed), "armature/*": 0.05}
        for engine in engines:
            engine.set_dynamics(ArmDynamics.from_values(robot, values))
        speeds = 0.3 * smooth_signal(rng, robot.n_joints)
        worst = worst_difference(
            engines, lambda engine, k, v=speeds: engine.command_velocity(v[k]), cycles=50
        )
        assert (worst < [1e-9, 1e-9, 1e-6]).all(), worst
        # Heavier or lighter than its gravity effort, the arm sticks, slips and falls.
        efforts = 1.5 * smooth_signal(rng, robot.n_joints)
        worst = worst_difference(
            engines,
            lambda engine, k, u=efforts: engine.command_effort(u[k], gravity_compensation=True),
            cycles=50,
        )
        assert (worst < 1e-6).all(), worst


@pytest.mark.parametrize("joint", [1, 3, -1])
def test_both_engines_have_the_same_stops(engines, joint):
    robot = engines[0].robot
    start = robot.home_rad.copy()
    start[joint] = robot.limits.position_upper_rad[joint] - 0.05
    effort = np.zeros(robot.n_joints)
    effort[joint] = 0.1 if joint == -1 else 2.0
    worst = np.zeros(3)
    for engine in engines:
        engine.reset(start)
        engine.command_effort(effort, gravity_compensation=True)
    for _ in range(100):
        for engine in engines:
            engine.step(STEPS_PER_CYCLE)
        states = states_of(engines)
        worst = np.maximum(worst, np.abs(states[0] - states[1]).max(axis=1))
    assert states[0, 0, joint] == pytest.approx(robot.limits.position_upper_rad[joint], abs=1e-4)
    assert (worst < [1e-4, 1e-2, 1e-3]).all(), worst


def test_the_reduced_arm_falls_as_the_full_urdf(engines):
    robot = engines[0].robot
    model = mujoco.MjModel.from_xml_string(robot.urdf_text)
    model.opt.timestep = 1.0 / PHYSICS_RATE_HZ
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    for _ in range(5):
        q = rng.uniform(robot.limits.position_lower_rad, robot.limits.position_upper_rad)
        speed = rng.uniform(-1.0, 1.0, robot.n_joints)
        data.qpos[:], data.qvel[:] = q, speed
        mujoco.mj_step(model, data)
        for engine in engines:
            engine.reset(q, speed)
            engine.command_effort(np.zeros_like(q), gravity_compensation=False)
            engine.step(1)
        for state in states_of(engines):
            np.testing.assert_allclose(state[0], data.qpos, atol=1e-9)
            np.testing.assert_allclose(state[1], data.qvel, atol=1e-9)


def test_the_tool_is_where_pybullet_puts_that_link_of_the_full_urdf(engines, tmp_path):
    robot = engines[0].robot
    path = tmp_path / "robot.urdf"
    path.write_text(robot.urdf_text)
    client = pybullet.connect(pybullet.DIRECT)
    body = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
    infos = [
        pybullet.getJointInfo(body, i, physicsClientId=client)
        for i in range(pybullet.getNumJoints(body, physicsClientId=client))
    ]
    joint_of = {info[1].decode(): info[0] for info in infos}
    tool_link = next(info[0] for info in infos if info[12].decode() == robot.tool_link)
    rng = np.random.default_rng(1)
    for _ in range(5):
        q = rng.uniform(robot.limits.position_lower_rad, robot.limits.position_upper_rad)
        for name, angle in zip(robot.joint_names, q, strict=True):
            pybullet.resetJointState(body, joint_of[name], angle, physicsClientId=client)
        tool = pybullet.getLinkState(
            body, tool_link, computeForwardKinematics=True, physicsClientId=client
        )[4]
        for engine in engines:
            engine.reset(q)
            np.testing.assert_allclose(engine.tool_position(), tool, atol=1e-6)
    pybullet.disconnect(client)
