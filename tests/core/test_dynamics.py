"""The arm's own dynamics are those of both engines, in Python and compiled."""

import numba
import numpy as np
import pytest
from numba.extending import register_jitable

from sinew_core.robots import dynamics
from sinew_core.robots.catalogue import load_robot, robot_names
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation.description import dynamics_of

ROBOTS = robot_names()


def motions(robot, count=20):
    rng = np.random.default_rng(5)
    limits = robot.limits
    for _ in range(count):
        q = rng.uniform(limits.position_lower_rad, limits.position_upper_rad)
        yield q, 2.0 * rng.normal(size=q.size), 5.0 * rng.normal(size=q.size)


def efforts_and_inertia(rows, q, v, a):
    chain, bodies, gravity = rows
    n = len(q)
    rotations, wrenches, composites = [0.0] * 9 * n, [0.0] * 6 * n, [0.0] * 10 * n
    efforts, inertia = [0.0] * n, [0.0] * n * n
    dynamics.rotate_joints(q.tolist(), chain, rotations)
    dynamics.inverse_dynamics(
        rotations, v.tolist(), a.tolist(), chain, bodies, gravity, wrenches, efforts
    )
    dynamics.inertia_matrix(rotations, chain, bodies, composites, inertia)
    return np.array(efforts), np.array(inertia).reshape(n, n)


@pytest.mark.parametrize("name", ROBOTS)
def test_efforts_and_inertia_are_those_of_mujoco(name):
    mujoco = pytest.importorskip("mujoco")
    robot = load_robot(name)
    rows, description = dynamics.dynamics_rows(robot), dynamics_of(robot)
    spec = mujoco.MjSpec.from_string(description.urdf_text)
    spec.option.gravity = description.gravity
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
    model = spec.compile()
    data = mujoco.MjData(model)
    for q, v, a in motions(robot):
        data.qpos[:], data.qvel[:] = q, v
        mujoco.mj_forward(model, data)
        expected = np.zeros((q.size, q.size))
        for column, unit in zip(expected, np.eye(q.size), strict=True):
            mujoco.mj_mulM(model, data, column, unit)
        efforts, inertia = efforts_and_inertia(rows, q, v, a)
        np.testing.assert_allclose(inertia, expected, atol=1e-8)
        np.testing.assert_allclose(efforts, expected @ a + data.qfrc_bias, atol=1e-8)


@pytest.mark.parametrize("name", ROBOTS)
def test_an_effort_of_a_joints_inertia_accelerates_it_by_one_while_the_others_are_free(name):
    robot = load_robot(name)
    rows, zero = dynamics.dynamics_rows(robot), np.zeros(robot.n_joints)
    still, inertia = efforts_and_inertia(rows, robot.home_rad, zero, zero)
    for joint, found in enumerate(dynamics.joint_inertia(robot)):
        effort = zero.copy()
        effort[joint] = found
        acceleration = np.linalg.solve(inertia, effort)
        assert acceleration[joint] == pytest.approx(1.0)
        moved, _ = efforts_and_inertia(rows, robot.home_rad, zero, acceleration)
        np.testing.assert_allclose(moved - still, effort, atol=1e-9)


@pytest.mark.parametrize("name", ROBOTS)
def test_efforts_and_inertia_are_those_of_pybullet(name, tmp_path):
    pybullet = pytest.importorskip("pybullet")
    robot = load_robot(name)
    rows, description = dynamics.dynamics_rows(robot), dynamics_of(robot)
    path = tmp_path / "arm.urdf"
    path.write_text(description.urdf_text)
    client = pybullet.connect(pybullet.DIRECT)
    flags = pybullet.URDF_USE_INERTIA_FROM_FILE
    body = pybullet.loadURDF(str(path), useFixedBase=True, flags=flags, physicsClientId=client)
    pybullet.setGravity(*description.gravity, physicsClientId=client)
    for q, v, a in motions(robot):
        lists = [x.tolist() for x in (q, v, a)]
        expected = pybullet.calculateInverseDynamics(body, *lists, physicsClientId=client)
        mass = pybullet.calculateMassMatrix(body, lists[0], physicsClientId=client)
        efforts, inertia = efforts_and_inertia(rows, q, v, a)
        np.testing.assert_allclose(efforts, expected, atol=1e-8)
        np.testing.assert_allclose(inertia, mass, atol=1e-8)
    pybullet.disconnect(client)


@pytest.mark.parametrize("name", ROBOTS)
def test_efforts_deliver_the_accelerations_that_the_filter_relies_on(name):
    robot = load_robot(name)
    rows, zero, limits = dynamics.dynamics_rows(robot), np.zeros(robot.n_joints), robot.limits
    counted_on = SafetyParameters().acceleration_scale * limits.acceleration_rad_s2
    for q, _, _ in motions(robot, 100):
        gravity, inertia = efforts_and_inertia(rows, q, zero, zero)
        # The worst signs of all joints' accelerations at once.
        needed = np.abs(gravity) + np.abs(inertia) @ counted_on
        assert (needed < limits.effort_nm).all(), (q, needed)


def test_compiled_efforts_and_inertia_are_equal_to_the_last_bit():
    for function in (
        dynamics.turned,
        dynamics.turned_back,
        dynamics.turned_inertia,
        dynamics.wrench_before,
        dynamics.add_to_body_before,
        dynamics.write_wrench,
        dynamics.sum_wrenches,
    ):
        register_jitable(function)
    rotate, efforts_of, inertia_of = map(
        numba.njit,
        (dynamics.rotate_joints, dynamics.inverse_dynamics, dynamics.inertia_matrix),
    )
    robot = load_robot("panda")
    rows = dynamics.dynamics_rows(robot)
    chain, bodies, gravity = (np.array(row) for row in rows)
    rotations, wrenches, composites = np.empty(63), np.empty(42), np.empty(70)
    efforts, inertia = np.empty(7), np.empty(49)
    for q, v, a in motions(robot):
        rotate(q, chain, rotations)
        efforts_of(rotations, v, a, chain, bodies, gravity, wrenches, efforts)
        inertia_of(rotations, chain, bodies, composites, inertia)
        plain_efforts, plain_inertia = efforts_and_inertia(rows, q, v, a)
        assert efforts.tobytes() == plain_efforts.tobytes()
        assert inertia.tobytes() == plain_inertia.tobytes()
