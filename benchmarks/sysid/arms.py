"""Arms whose parameters are known, for a fit to find: drawn by a seed, and moved by a PD loop."""

from __future__ import annotations

import numpy as np

from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics, nominal_values
from sinew_core.robots.arrays import Array
from sinew_core.robots.dynamics import joint_inertia
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams

_STREAM = 0x5151
_LARGEST_DELAY_S = 0.012
_NATURAL_RAD_S = 25.0
"""Natural frequency of the loops: stiff enough to follow, soft enough to show what moves."""
_DAMPING = 0.7


def drawn_arm(robot: RobotModel, seed: int) -> SimParams:
    """Return a PD-controlled copy of the arm, unlike its URDF in masses, frictions and rotors.

    Masses are off by up to a quarter; friction and rotors grow with the effort limits, as gears do.
    """
    rng = np.random.default_rng([seed, _STREAM])
    n = robot.n_joints
    share = robot.limits.effort_nm / robot.limits.effort_nm.max()
    values = {
        name: value * rng.uniform(0.8, 1.25)
        for name, value in nominal_values(robot).items()
        if name.startswith("mass/")
    }
    drawn = {
        "coulomb": (0.3 + 1.2 * share) * rng.uniform(0.5, 1.5, n),
        "viscous": (0.3 + 1.7 * share) * rng.uniform(0.5, 1.5, n),
        "armature": (0.02 + 0.3 * share) * rng.uniform(0.5, 1.5, n),
    }
    for kind, array in drawn.items():
        names = (f"{kind}/{joint}" for joint in robot.joint_names)
        values.update(zip(names, array.tolist(), strict=True))
    values["delay_s"] = float(rng.uniform(0.002, _LARGEST_DELAY_S))
    return SimParams(
        dynamics=ArmDynamics.from_values(robot, values),
        controller=position_loops(robot, drawn["armature"]),
    )


def position_loops(robot: RobotModel, armature_kg_m2: Array) -> ArmController:
    """Return PD loops of one natural frequency for the inertia that each joint moves alone."""
    inertia = joint_inertia(robot) + armature_kg_m2
    stiffness = inertia * _NATURAL_RAD_S**2
    damping = 2.0 * _DAMPING * _NATURAL_RAD_S * inertia
    return ArmController(
        mode="position",
        gains={"kp": np.round(stiffness, 1), "kd": np.round(damping, 2)},
        gravity_compensation=True,
        hold="zoh",
    )
