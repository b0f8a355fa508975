"""How well a motion would show what is asked for, before it is made: the Fisher information.

What a motion tells of coordinates theta is J' W J over its samples, with the efforts' derivatives
J = d tau / d theta from the regressor, exact for the motion given. Two sensors tell of them:

- efforts, with their own noise: W = 1 / sigma_tau²; what drives the arm shows only in so far as an
  effort differs from what its controllers are known to give, which is left out here;
- positions, under known controllers: an effort that the model lacks moves a joint by its share of
  the controller's stiffness, so W = 1 / (k sigma_q)². The stiffness k is kp, or ki_v of velocity
  loops, or, where nothing holds a joint, what its inertia resists at 1 Hz. Delay and gains show
  here by the controllers' efforts.

Approximations: the motion does not depend on theta; below the controllers' bandwidth a joint gives
way as a spring; noise is white; every sample counts, those near rest too. So the standard
deviations are for comparing motions: stage 1's own are two or three times as large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sinew_core.robots.arm_controller import GAINS
from sinew_core.robots.arrays import Array, frozen_array
from sinew_core.robots.dynamics import joint_inertia
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.parametrisation import STEP_SHARE, Parametrisation
from sinew_core.sysid.regressor import (
    PER_BODY,
    JointMotion,
    body_regressor,
    constants_jacobian,
    constants_of,
    joint_columns,
)
from sinew_core.sysid.stage1 import data_sigmas

_FREE_RAD_S = 2.0 * np.pi


@dataclass(frozen=True, kw_only=True, eq=False)
class SensorSigmas:
    """Noise of a recording.

    Attributes:
        position_rad: (n,) standard deviation of a measured position.
        effort_nm: (n,) of a measured effort, None where none is.
        period_s: between two samples of the motion.
        samples: how many samples of the recording there are for one of the motion.
    """

    position_rad: Array
    effort_nm: Array | None
    period_s: float
    samples: float = 1.0

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        object.__setattr__(self, "position_rad", frozen_array(self.position_rad))
        if self.effort_nm is not None:
            object.__setattr__(self, "effort_nm", frozen_array(self.effort_nm))


def information(
    robot: RobotModel, parametrisation: Parametrisation, motion: JointMotion, noise: SensorSigmas
) -> Array:
    """Return the information (p, p) that a motion gives about coordinates, at their start."""
    of_arm, of_drives = _sensitivities(robot, parametrisation, motion, noise.period_s)
    stiffness = _stiffness(robot, parametrisation)
    seen = (of_drives - of_arm) / (stiffness * noise.position_rad)[:, None]
    rows = [seen]
    if noise.effort_nm is not None:
        rows.append(of_arm / noise.effort_nm[:, None])
    total = np.zeros((parametrisation.size, parametrisation.size))
    for columns in rows:
        flat = columns.reshape(-1, parametrisation.size)
        total += noise.samples * flat.T @ flat
    return total


def predicted_sigmas(parametrisation: Parametrisation, total: Array) -> Array:
    """Return the standard deviations (p,) of the values, inf where an information says nothing."""
    sizes = parametrisation.step / STEP_SHARE
    scaled = total * np.outer(sizes, sizes)
    sigmas = data_sigmas(scaled) * sizes
    for place in parametrisation.whole_links.values():
        block = slice(place, place + PER_BODY)
        if not np.isfinite(sigmas[block]).all():
            sigmas[block] = np.inf
            continue
        covariance = (np.linalg.pinv(scaled, hermitian=True) * np.outer(sizes, sizes))[block, block]
        slope = parametrisation.values_jacobian(parametrisation.start)[block, block]
        sigmas[block] = np.sqrt(np.diag(slope @ covariance @ slope.T))
    return sigmas


def _sensitivities(
    robot: RobotModel, fit: Parametrisation, motion: JointMotion, period_s: float
) -> tuple[Array, Array]:
    """Return the derivatives (N, n, p) of the arm's efforts, and of its controllers' efforts."""
    n = robot.n_joints
    bodies = PER_BODY * n
    params = fit.params(fit.start)
    constants, slopes = constants_of(robot, params), constants_jacobian(fit, fit.start)
    regressor = body_regressor(robot, motion)
    of_arm = regressor @ slopes[:bodies]
    efforts = regressor @ constants[:bodies]
    by_joint, slopes_by_joint = constants[bodies:].reshape(3, n), slopes[bodies:].reshape(3, n, -1)
    for column, value, slope in zip(joint_columns(motion), by_joint, slopes_by_joint, strict=True):
        of_arm += column[:, :, None] * slope
        efforts += column * value
    return of_arm, _drive_sensitivities(robot, fit, motion, efforts, period_s)


def _drive_sensitivities(
    robot: RobotModel,
    fit: Parametrisation,
    motion: JointMotion,
    efforts: Array,
    period_s: float,
) -> Array:
    """Return the derivatives (N, n, p) of efforts that make the motion, by what gives them."""
    params = fit.params(fit.start)
    assert params.controller is not None
    mode, gains = params.controller.mode, params.controller.gains
    v, a = motion.velocity_rad_s, motion.acceleration_rad_s2
    strength = params.dynamics.motor_strength
    result = np.zeros((*efforts.shape, fit.size))
    columns: dict[str, Array] = {}
    if mode == "position":
        columns = {"kp": (efforts / strength + gains["kd"] * v) / gains["kp"], "kd": -v}
        by_time = gains["kp"] * v + gains["kd"] * a
    elif mode == "velocity":
        lag = efforts / strength / np.maximum(gains["ki_v"], 1e-9)
        columns = {"kp_v": np.gradient(lag, period_s, axis=0), "ki_v": lag}
        by_time = gains["kp_v"] * a + gains["ki_v"] * v
    else:
        by_time = np.gradient(efforts, period_s, axis=0)
    for joint, name in enumerate(robot.joint_names):
        for gain in GAINS[mode]:
            if (place := fit.index(f"{gain}/{name}")) is not None:
                result[:, joint, place] = strength[joint] * columns[gain][:, joint]
        if (place := fit.index(f"motor_strength/{name}")) is not None:
            result[:, joint, place] = efforts[:, joint] / strength[joint]
    if (place := fit.index("delay_s")) is not None:
        result[:, :, place] = -strength * by_time
    return result


def _stiffness(robot: RobotModel, fit: Parametrisation) -> Array:
    """Return what holds each joint (n,), N m/rad."""
    params = fit.params(fit.start)
    assert params.controller is not None
    free = (joint_inertia(robot) + params.dynamics.armature_kg_m2) * _FREE_RAD_S**2
    name = {"position": "kp", "velocity": "ki_v"}.get(params.controller.mode)
    held = params.controller.gains[name] if name else np.zeros(robot.n_joints)
    return np.asarray(np.maximum(held, free))
