"""Efforts of a single joint that are missing, turned round or scaled, and what only looks so."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bag_motion import Motion, kinds
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.dynamics import dynamics_rows, inverse_dynamics, rotate_joints

PANDA = load_robot("panda")
UR5E = load_robot("ur5e")
NOMINAL = ArmDynamics.nominal(PANDA)
N = 2000
TIME_S = 2e-3 * np.arange(N)[:, None]


def swing(centre_rad, amplitude_rad=0.3, frequency_hz=0.5, n_joints=7):
    """Return position, velocity and acceleration of joints that swing out of step."""
    omega = 2.0 * np.pi * frequency_hz
    phase = omega * TIME_S + np.arange(n_joints)
    q = centre_rad + amplitude_rad * np.sin(phase)
    return q, amplitude_rad * omega * np.cos(phase), -amplitude_rad * omega**2 * np.sin(phase)


def efforts_of(motion, arm=NOMINAL, robot=PANDA):
    chain, bodies, gravity = dynamics_rows(robot, arm.bodies(robot))
    n, rows = robot.n_joints, []
    rotations, wrenches, out = [0.0] * (9 * n), [0.0] * (6 * n), [0.0] * n
    for q, v, a in zip(*(each.tolist() for each in motion), strict=True):
        rotate_joints(q, chain, rotations)
        inverse_dynamics(rotations, v, a, chain, bodies, gravity, wrenches, out)
        rows.append(list(out))
    return np.array(rows)


def read(tmp_path, position, effort, robot=PANDA, limits_of=PANDA):
    motion = Motion(len(position))
    motion.names = [list(robot.joint_names)] * len(position)
    motion.position, motion.effort = list(position), list(effort)
    motion.velocity = [[]] * len(position)
    return motion.read(tmp_path, joints=robot.joint_names, robot=limits_of)


def told(recording):
    """Return the defects of efforts."""
    return [
        (k, d.text)
        for k, d in kinds(recording).items()
        if k.endswith(("_effort", "effort_units", "effort_sign"))
    ]


SWING = swing(PANDA.home_rad)
SWUNG = efforts_of(SWING)
noise_nm = np.random.default_rng(3).standard_normal


def test_efforts_of_a_moving_arm_are_used(tmp_path):
    recording = read(tmp_path, SWING[0], SWUNG)
    assert told(recording) == []
    np.testing.assert_array_equal(recording.effort_nm, SWUNG)


@pytest.mark.parametrize("robot", [PANDA, None])
@pytest.mark.parametrize("joint", [0, 3])
def test_a_moving_joint_whose_effort_is_0_throughout_is_named(tmp_path, robot, joint):
    effort = SWUNG.copy()
    effort[:, joint] = 0.0
    recording = read(tmp_path, SWING[0], effort, limits_of=robot)
    assert recording.effort_nm is None
    ((kind, text),) = told(recording)
    assert kind == "no_effort"
    assert f"the effort of panda_joint{joint + 1} is 0 throughout" in text


def test_a_still_joint_with_an_effort_of_0_is_missed_only_where_it_holds_something(tmp_path):
    q = np.tile(PANDA.home_rad, (N, 1)) + np.array([0, 0, 0, 0, 0, 0.2, 0]) * np.sin(TIME_S)
    effort = efforts_of((q, 0.0 * q, 0.0 * q))
    effort[:, 0] = 0.0
    assert told(read(tmp_path, q, effort)) == []
    effort[:, 3] = 0.0
    (tmp_path / "other").mkdir()
    ((_, text),) = told(read(tmp_path / "other", q, effort))
    assert "the effort of panda_joint4 is 0" in text


@pytest.mark.parametrize(
    ("joint", "factor", "offset_nm", "kind"),
    [(3, -1.0, 0.0, "effort_sign"), (1, 5.0, 0.0, "effort_units"), (3, 0.0, 0.3, "effort_units")],
)
@pytest.mark.parametrize("moves", [True, False])
def test_the_joint_whose_effort_has_another_scale_is_named(
    tmp_path, joint, factor, offset_nm, kind, moves
):
    position, effort = SWING[0], SWUNG.copy()
    if not moves:
        position = np.tile(PANDA.home_rad + 0.4, (N, 1))
        effort = efforts_of((position, 0.0 * position, 0.0 * position))
    effort[:, joint] = factor * effort[:, joint] + offset_nm * noise_nm(N)
    recording = read(tmp_path, position, effort)
    assert recording.effort_nm is None
    ((found, text),) = told(recording)
    assert found == kind
    assert f"the effort of panda_joint{joint + 1} is " in text
    assert ("leaves the weight out" in text) == (factor == 0.0)


def test_a_payload_and_friction_are_no_other_scale(tmp_path):
    arm = dataclasses.replace(NOMINAL, payload_mass_kg=3.0, payload_x_m=0.05, payload_z_m=0.1)
    limits = PANDA.limits.effort_nm
    q, v, a = swing(np.array([0.0, -1.2, 0.0, -2.35, 0.0, 1.6, 0.8]), 0.1)
    loaded = efforts_of((q, v, a), arm)
    # Of what joint 2 holds the payload takes all.
    assert abs(loaded[:, 1].mean()) < 0.1 * efforts_of((q, v, a))[:, 1].mean()
    effort = loaded + 0.04 * limits * np.tanh(v / 0.005) + 0.01 * limits * noise_nm(q.shape)
    assert told(read(tmp_path, q, effort)) == []


def test_an_upright_arm_that_swings_fast_has_no_other_scale(tmp_path):
    # Its weight goes with the angle, as its acceleration does.
    upright = np.array([0.0, -np.pi / 2, 0.0, -np.pi / 2, 0.0, 0.0])
    motion = swing(upright, 0.2, 2.0, 6)
    effort = efforts_of(motion, ArmDynamics.nominal(UR5E), UR5E)
    weight = efforts_of(
        (motion[0], 0.0 * motion[0], 0.0 * motion[0]), ArmDynamics.nominal(UR5E), UR5E
    )
    assert (effort * weight)[:, 1].mean() > 2.5 * (weight**2)[:, 1].mean()
    assert told(read(tmp_path, motion[0], effort, UR5E, UR5E)) == []


def test_friction_of_a_slow_motion_one_way_is_no_other_scale(tmp_path):
    v = np.tile(np.full(7, 0.02), (N, 1))
    q = PANDA.home_rad + v * TIME_S
    effort = efforts_of((q, v, 0.0 * v))
    # More than the weight that joint 3 holds, against it.
    effort[:, 2] += 1.6 * np.abs(effort[:, 2]).max()
    assert told(read(tmp_path, q, effort)) == []
