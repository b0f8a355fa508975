"""The regressor of joint efforts: that of Pinocchio, and the efforts of inverse dynamics."""

import numpy as np
import pytest

from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.inertia import carried_bodies
from sinew_core.robots.kinematics import rotation_from_z
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.parametrisation import make_parametrisation
from sinew_core.sysid.regressor import (
    JointMotion,
    body_regressor,
    constants_jacobian,
    constants_of,
    efforts_of,
    joint_columns,
)

ROBOTS = {name: load_robot(name) for name in ("panda", "iiwa14")}
PINOCCHIO_ORDER = [0, 1, 2, 3, 4, 5, 7, 6, 8, 9]
"""Our mass, moment, xx, xy, xz, yy, yz, zz from Pinocchio's, which has yy before xz."""


def random_motion(robot, count=40, seed=4):
    rng = np.random.default_rng(seed)
    shape = (count, robot.n_joints)
    low, high = robot.limits.position_lower_rad, robot.limits.position_upper_rad
    return JointMotion(
        position_rad=rng.uniform(low, high, shape),
        velocity_rad_s=2.0 * rng.normal(size=shape),
        acceleration_rad_s2=5.0 * rng.normal(size=shape),
    )


@pytest.mark.parametrize("robot", ROBOTS.values(), ids=ROBOTS)
def test_the_regressor_is_pinocchios(robot):
    pin = pytest.importorskip("pinocchio")
    whole = pin.buildModelFromXML(robot.urdf_text)
    locked = [i for i, name in enumerate(whole.names) if i > 0 and name not in robot.joint_names]
    model = pin.buildReducedModel(whole, locked, pin.neutral(whole))
    assert tuple(model.names)[1:] == robot.joint_names
    data, motion = model.createData(), random_motion(robot)
    ours = body_regressor(robot, motion)
    for t in range(len(ours)):
        theirs = pin.computeJointTorqueRegressor(
            model, data, motion.position_rad[t], motion.velocity_rad_s[t],
            motion.acceleration_rad_s2[t],
        ).reshape(robot.n_joints, robot.n_joints, 10)[:, :, PINOCCHIO_ORDER]  # fmt: skip
        np.testing.assert_allclose(
            ours[t] @ turned_constants(robot), theirs.reshape(ours[t].shape), atol=1e-9
        )


def turned_constants(robot):
    """What makes constants about the joint's axis, (10 n, 10 n), of those in the link's frame."""
    blocks = np.zeros((10 * robot.n_joints,) * 2)
    for joint, axis in enumerate(robot.chain.axes):
        turn, first = rotation_from_z(axis), 10 * joint
        for k, unit in enumerate(np.eye(10)):
            inertia = np.zeros((3, 3))
            inertia[np.triu_indices(3)] = unit[4:]
            inertia = turn.T @ (inertia + np.triu(inertia, 1).T) @ turn
            column = [unit[0], *(turn.T @ unit[1:4]), *inertia[np.triu_indices(3)]]
            blocks[first : first + 10, first + k] = column
    return blocks


@pytest.mark.parametrize("robot", ROBOTS.values(), ids=ROBOTS)
def test_constants_give_the_efforts_of_pinocchio(robot):
    pin = pytest.importorskip("pinocchio")
    model = pin.buildModelFromXML(robot.urdf_text)
    model = pin.buildReducedModel(
        model, [i for i, k in enumerate(model.names) if i and k not in robot.joint_names],
        pin.neutral(model),
    )  # fmt: skip
    data, motion = model.createData(), random_motion(robot, seed=5)
    values = {"coulomb/*": 1.5, "viscous/*": 0.3, "armature/*": 0.05}
    arm = ArmDynamics.from_values(robot, values)
    ours = efforts_of(robot, SimParams(dynamics=arm), motion)
    for t, row in enumerate(ours):
        v, a = motion.velocity_rad_s[t], motion.acceleration_rad_s2[t]
        links = pin.rnea(model, data, motion.position_rad[t], v, a)
        friction = 1.5 * np.tanh(v / 0.01) + 0.3 * v
        np.testing.assert_allclose(row, links + friction + 0.05 * a, atol=1e-9)


@pytest.mark.parametrize("patterns", [["mass/*", "coulomb/*", "viscous/*", "armature/*"],
                                      ["inertia/*", "payload"]])  # fmt: skip
def test_the_jacobian_of_the_constants_is_their_slope(patterns):
    robot = ROBOTS["panda"]
    fit = make_parametrisation(robot, patterns)
    rng = np.random.default_rng(1)
    theta = np.clip(fit.start + 10.0 * fit.step * rng.random(fit.size), fit.lower, fit.upper)
    change = 1e-5 * fit.step * rng.normal(size=fit.size)
    high, low = (constants_of(robot, fit.params(theta + s * change)) for s in (1.0, -1.0))
    np.testing.assert_allclose(
        constants_jacobian(fit, theta) @ change, 0.5 * (high - low), rtol=1e-6, atol=1e-13
    )


def test_a_mass_has_the_efforts_of_its_share_of_the_body():
    robot = ROBOTS["panda"]
    motion = random_motion(robot)
    nominal = SimParams(dynamics=ArmDynamics.nominal(robot))
    mass = carried_bodies(robot)[4].mass
    name = next(n for n in make_parametrisation(robot, ["mass/*"]).names if "link5" in n)
    double = SimParams(dynamics=ArmDynamics.from_values(robot, {name: 2.0 * mass}))
    fit = make_parametrisation(robot, [name])
    n = robot.n_joints
    slope = body_regressor(robot, motion) @ constants_jacobian(fit, fit.start)[: 10 * n, 0]
    change = efforts_of(robot, double, motion) - efforts_of(robot, nominal, motion)
    np.testing.assert_allclose(mass * slope, change, atol=1e-9)


def test_coulomb_friction_is_a_sign_but_near_rest():
    speeds = np.array([[-0.5, -0.01, 0.0, 0.01, 0.5]])
    motion = JointMotion(position_rad=speeds, velocity_rad_s=speeds, acceleration_rad_s2=0 * speeds)
    t = np.tanh(1.0)
    np.testing.assert_allclose(joint_columns(motion)[0], [[-1.0, -t, 0.0, t, 1.0]], atol=1e-12)
