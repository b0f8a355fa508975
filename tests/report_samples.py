"""An identification of a simulated arm, small enough for tests: Gauss-Newton on few parameters."""

from __future__ import annotations

import functools

import numpy as np

from sinew_core.bags.recording import Commands, Defect, Recording
from sinew_core.robots import load_robot
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics, nominal_values, quantity_of
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.identification import Estimate, HeldOut, Identification

NOISE_RAD = 1e-4
RATE_HZ = 200
PHYSICS_HZ = 1000
KP = [600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0]
KD = [50.0, 50.0, 50.0, 30.0, 20.0, 15.0, 8.0]
TRUE = {
    "coulomb/*": 0.4, "viscous/*": 0.6, "payload/mass": 0.8, "payload/z_m": 0.05, "delay_s": 0.008,
    "mass/panda_link5": 4.0,
}  # fmt: skip
FITTED = (
    *(f"coulomb/panda_joint{i}" for i in range(1, 8)),
    *(f"viscous/panda_joint{i}" for i in range(1, 8)),
    "mass/panda_link5", "payload/mass", "delay_s",
)  # fmt: skip
ASSUMED = ("armature/panda_joint1", "mass/panda_link1")


def robot():
    return load_robot("panda")


def controller():
    return ArmController(
        mode="position", gains={"kp": KP, "kd": KD}, gravity_compensation=True, hold="zoh"
    )


def arm(values):
    dynamics = ArmDynamics.from_values(robot(), values)
    return SimParams(dynamics=dynamics, controller=controller())


@functools.cache
def plant():
    return Plant(robot(), PHYSICS_HZ)


def commands(duration_s, seed):
    """Sums of five sines about home."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(0.0, duration_s, 1.0 / RATE_HZ)
    limits = robot().limits
    reach = 0.5 * np.minimum(
        limits.position_upper_rad - robot().home_rad, robot().home_rad - limits.position_lower_rad
    )
    values = np.zeros((time_s.size, 7))
    for k in range(1, 6):
        phase, size = rng.uniform(0.0, 2.0 * np.pi, 7), rng.uniform(-1.0, 1.0, 7) * 0.5 / k
        sine = np.sin(0.8 * k * time_s[:, None] + phase) - np.sin(phase)
        values += np.minimum(reach, 0.6) * size * sine
    return Commands(
        mode="position", time_s=time_s, values=robot().home_rad + values,
        topic="/forward_position_controller/commands",
    )  # fmt: skip


def record(values, duration_s=6.0, seed=0, noise_rad=NOISE_RAD):
    """The recording of an arm with these values, noise in its encoders."""
    told = commands(duration_s, seed)
    time_s = np.arange(0.0, duration_s, 1.0 / RATE_HZ)
    motion = plant().roll_out(arm(values), told, robot().home_rad, np.zeros(7), time_s)
    rng = np.random.default_rng(seed + 1)
    return Recording(
        source=f"bags/arm_{seed}",
        joint_names=robot().joint_names,
        time_s=time_s,
        position_rad=motion.position_rad + noise_rad * rng.standard_normal(motion.position_rad.shape),
        velocity_rad_s=motion.velocity_rad_s,
        effort_nm=motion.effort_nm,
        zero_ns=1_700_000_000_000_000_000,
        commands=told,
        defects=(
            Defect(kind="gap", topic="/joint_states", count=2, first_ns=1_700_000_001_000_000_000,
                   text="no joint state for 31 ms; the motion is continuous between gaps only"),
        ),
    )  # fmt: skip


def simulated(recording, values):
    told, q = recording.commands, recording.position_rad
    start = robot().home_rad
    return (
        plant().roll_out(arm(values), told, start, np.zeros(7), recording.time_s).position_rad
        - 0 * q
    )


def fit(recording, steps=4):
    """Return values, covariance, cost history and scaled singular values of FITTED."""
    start = nominal_values(robot())
    theta = np.array([start[name] for name in FITTED])
    theta[:14], theta[15] = 0.2, 0.3
    theta[16] = 0.004
    step = np.array([*[1e-3] * 14, 1e-2, 1e-2, 1e-4])
    low = np.array([quantity_of(name).lowest for name in FITTED])
    costs = []
    for _ in range(steps + 1):
        residual = (recording.position_rad - simulated(recording, named(theta))).ravel() / NOISE_RAD
        costs.append(float(np.mean(residual**2)))
        columns = []
        for i, size in enumerate(step):
            up, down = theta.copy(), theta.copy()
            up[i] += size
            down[i] -= size
            change = simulated(recording, named(up)) - simulated(recording, named(down))
            columns.append(change.ravel() / (2.0 * size * NOISE_RAD))
        jacobian = np.stack(columns, axis=1)
        if len(costs) <= steps:
            theta = np.maximum(
                theta + np.linalg.lstsq(jacobian, residual, rcond=None)[0], low + step
            )
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    scale = np.maximum(np.abs(theta), 1e-3)
    return theta, covariance, tuple(costs), np.linalg.svd(jacobian * scale, compute_uv=False)


def named(theta):
    return dict(zip(FITTED, theta.tolist(), strict=True)) | {"payload/z_m": TRUE["payload/z_m"]}


@functools.cache
def identification(duration_s=6.0):
    """What an identification of the arm TRUE finds."""
    recording = record(TRUE, duration_s)
    theta, covariance, costs, singular = fit(recording)
    sigma = np.sqrt(np.diag(covariance))
    nominal = nominal_values(robot())
    estimates = [
        Estimate(
            name=name, value=v, sigma=s, ci95=(v - 1.96 * s, v + 1.96 * s), identifiable=True,
            unit=quantity_of(name).unit, nominal=nominal[name],
        )
        for name, v, s in zip(FITTED, theta.tolist(), sigma.tolist(), strict=True)
    ]  # fmt: skip
    estimates += [
        Estimate(
            name=name, value=nominal[name], sigma=float("inf"), ci95=(-np.inf, np.inf),
            identifiable=False, unit=quantity_of(name).unit, nominal=nominal[name],
            remark="the motion does not depend on it",
        )
        for name in ASSUMED
    ]  # fmt: skip
    residual = recording.position_rad - simulated(recording, named(theta))
    return Identification(
        robot_name="panda",
        recording=recording,
        estimates=tuple(estimates),
        covariance=covariance,
        covariance_names=FITTED,
        params=arm(named(theta)),
        verdict="good",
        findings=(
            "17 of 19 parameters are identifiable from this motion.",
            "mass/panda_link1 turns about a vertical axis and moves nothing: it stays as assumed.",
        ),
        chi2_per_sample=costs[-1],
        noise_rad=np.full(7, NOISE_RAD),
        residual_rad=np.sqrt(np.mean(residual**2, axis=0)),
        cost_history=costs,
        singular_values=singular,
        directions=("mass/panda_link1 alone",),
        held_out=held_out(named(theta)),
        wall_s=12.5,
        seed=0,
    )


def held_out(values):
    other = record(TRUE, 4.0, seed=7)
    identified, nominal = simulated(other, values), simulated(other, {})
    rmse = lambda q: float(np.sqrt(np.mean((q - other.position_rad) ** 2)))  # noqa: E731
    return HeldOut(
        time_s=other.time_s, measured_rad=other.position_rad, nominal_rad=nominal,
        identified_rad=identified, rmse_rad=rmse(identified), nominal_rmse_rad=rmse(nominal),
        source=other.source,
    )  # fmt: skip
