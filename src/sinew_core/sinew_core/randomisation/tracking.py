"""How far an arm is off what its own joint controllers are told, at the motions of the filter.

A PD controller of stiffness K and damping D on a joint of inertia I and viscous friction B follows
like 1 / (1 + T s + I / K s²), T = (D + B) / K: by T late, which counts as latency, and apart from
that off by a (I / K - T² / 2) under an acceleration a. Friction and the weight that nothing
compensates deflect it. A velocity loop with an integral K follows the way of its commands like
(1 + T s) / (1 + T s + I / K s²): not late, but off by a I / K, and deflected by viscous friction
too. Without an integral it is late by I / D, and the deflection grows: a drift.

The inertia is that of the joint with all others accelerating at their limits, the largest of some
postures over the whole range of the joints; so is the weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots import dynamics
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.inertia import Body, carried_bodies
from sinew_core.robots.model import RobotModel
from sinew_core.safety.parameters import SafetyParameters

_POSTURES = 64
_STEP = 1e-4
"""Needs are rounded up to it."""


def tracking_needs(
    robot: RobotModel,
    arms: Sequence[ArmDynamics],
    controller: ArmController,
    safety: SafetyParameters,
) -> tuple[float, dict[str, float]]:
    """Return the lag (s) of the slowest joint, and what else the filter has to assume, by name.

    Raises:
        ConfigError: nothing holds a joint: its kp, or kp_v, is 0.
    """
    if controller.mode == "effort":
        return 0.0, {}
    lag_s = 0.0
    needs: dict[str, float] = {}
    for arm in arms:
        late_s, more = _needs(robot, arm, controller, safety)
        lag_s = max(lag_s, late_s)
        needs = {name: max(value, needs.get(name, 0.0)) for name, value in more.items()}
    return lag_s, {name: _STEP * math.ceil(value / _STEP - 1e-6) for name, value in needs.items()}


def _needs(
    robot: RobotModel, arm: ArmDynamics, controller: ArmController, safety: SafetyParameters
) -> tuple[float, dict[str, float]]:
    strength, gains = arm.motor_strength, controller.gains
    by_position = controller.mode == "position"
    stiffness = strength * gains["kp" if by_position else "ki_v"]
    damping = strength * gains["kd" if by_position else "kp_v"]
    name = "kp" if by_position else "kp_v"
    for joint, gain in zip(robot.joint_names, gains[name].tolist(), strict=True):
        if gain == 0.0:
            raise ConfigError(f"controller: {name}/{joint} is 0, which holds nothing: raise it")
    acceleration = safety.acceleration_scale * robot.limits.acceleration_rad_s2
    speed = safety.velocity_scale * robot.limits.velocity_rad_s
    force, weight = _loads(robot, arm, acceleration, compensated=controller.gravity_compensation)
    load = arm.stiction_ratio * arm.coulomb_nm + weight
    if by_position:
        lag_s = (damping + arm.viscous_nm_s_rad) / stiffness
        swing = np.abs(force / stiffness - 0.5 * acceleration * lag_s**2)
        return float(lag_s.max()), {"tracking_error_rad": float((load / stiffness + swing).max())}
    load = load + arm.viscous_nm_s_rad * speed
    loose = stiffness == 0.0
    lag_s = np.where(loose, force / acceleration / (damping + arm.viscous_nm_s_rad), 0.0)
    drift = np.where(loose, load / damping, 0.0)
    way = (load + force) / np.where(loose, np.inf, stiffness)
    return float(lag_s.max()), {
        "noise_rad": float(way.max()),
        "drift_rad_s": float(drift.max()),
    }


def _loads(
    robot: RobotModel, arm: ArmDynamics, acceleration: Array, *, compensated: bool
) -> tuple[Array, Array]:
    """Return the largest efforts (n,) N m of accelerations, rotors included, and of the weight."""
    limits = robot.limits
    rng = np.random.default_rng(0)
    span = (limits.position_lower_rad, limits.position_upper_rad)
    force, weight = np.zeros(robot.n_joints), np.zeros(robot.n_joints)
    bodies, nominal = arm.bodies(robot), carried_bodies(robot)
    for posture in rng.uniform(*span, (_POSTURES, robot.n_joints)):
        inertia, held = _posture(robot, bodies, posture)
        if compensated:
            held = held - _posture(robot, nominal, posture)[1]
        np.maximum(force, np.abs(inertia) @ acceleration, out=force)
        np.maximum(weight, np.abs(held), out=weight)
    return force + arm.armature_kg_m2 * acceleration, weight


def _posture(robot: RobotModel, carried: Sequence[Body], posture: Array) -> tuple[Array, Array]:
    """Return inertia (n, n) kg m² and weight (n,) N m at (n,) rad."""
    n = robot.n_joints
    chain, bodies, gravity = dynamics.dynamics_rows(robot, carried)
    rotations, still, weight = [0.0] * (9 * n), [0.0] * n, [0.0] * n
    inertia = [0.0] * (n * n)
    dynamics.rotate_joints(posture.tolist(), chain, rotations)
    dynamics.inertia_matrix(rotations, chain, bodies, [0.0] * (10 * n), inertia)
    wrenches = [0.0] * (6 * n)
    dynamics.inverse_dynamics(rotations, still, still, chain, bodies, gravity, wrenches, weight)
    return np.reshape(inertia, (n, n)), np.array(weight)
