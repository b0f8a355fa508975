"""An identification of a simulated arm, small enough for tests: Gauss-Newton on few parameters."""

from __future__ import annotations

import functools

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from sinew_core.bags.recording import Commands, Defect, Recording
from sinew_core.robots import load_robot
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics, nominal_values, quantity_of
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.identification import Estimate, HeldOut, Identification

STATE = "sensor_msgs/msg/JointState"
NOISE_RAD = 1e-4
EFFORT_NOISE_NM = 0.1
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


def record(values, duration_s=2.5, seed=0, noise_rad=NOISE_RAD):
    """The recording of an arm with these values, noise in its encoders."""
    told = commands(duration_s, seed)
    time_s = np.arange(0.0, duration_s, 1.0 / RATE_HZ)
    motion = plant().roll_out(arm(values), told, robot().home_rad, np.zeros(7), time_s)
    shape = motion.position_rad.shape
    rng = np.random.default_rng(seed + 1)
    noise = noise_rad * rng.standard_normal(shape)
    return Recording(
        source=f"bags/arm_{seed}",
        joint_names=robot().joint_names,
        time_s=time_s,
        position_rad=motion.position_rad + noise,
        velocity_rad_s=motion.velocity_rad_s,
        effort_nm=motion.effort_nm + EFFORT_NOISE_NM * rng.standard_normal(shape),
        zero_ns=1_700_000_000_000_000_000,
        commands=told,
        defects=(
            Defect(kind="gap", topic="/joint_states", count=2, first_ns=1_700_000_001_000_000_000,
                   text="no joint state for 31 ms; the motion is continuous between gaps only"),
        ),
    )  # fmt: skip


def simulated(recording, values):
    """The positions (N, n) that an arm with these values reaches by a recording's commands."""
    start, still = robot().home_rad, np.zeros(7)
    motion = plant().roll_out(arm(values), recording.commands, start, still, recording.time_s)
    return motion.position_rad


def fit(recording, steps=3):
    """Return values, covariance, cost history and scaled singular values of FITTED."""
    theta = np.array([*[0.3] * 14, nominal_values(robot())["mass/panda_link5"], 0.3, 0.004])
    step = np.array([*[1e-3] * 14, 1e-2, 1e-2, 1e-4])
    costs = []
    while True:
        reached = simulated(recording, named(theta))
        residual = (recording.position_rad - reached).ravel() / NOISE_RAD
        costs.append(float(np.mean(residual**2)))
        moved = [simulated(recording, named(theta + row)) - reached for row in np.diag(step)]
        jacobian = np.stack([change.ravel() for change in moved], axis=1) / (step * NOISE_RAD)
        if len(costs) > steps:
            break
        change = np.linalg.lstsq(jacobian, residual, rcond=None)[0]
        theta = np.maximum(theta + change, step)
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    return theta, covariance, tuple(costs), np.linalg.svd(jacobian * theta, compute_uv=False)


def named(theta):
    return dict(zip(FITTED, theta.tolist(), strict=True)) | {"payload/z_m": TRUE["payload/z_m"]}


@functools.cache
def identification(duration_s=2.5):
    """What an identification of the arm TRUE finds."""
    recording = record(TRUE, duration_s)
    theta, covariance, costs, singular = fit(recording)
    residual = recording.position_rad - simulated(recording, named(theta))
    return Identification(
        robot_name="panda",
        recording=recording,
        estimates=estimates(theta, covariance),
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


def write_bag(recording, folder):
    """Write a recording as a rosbag2 bag, as a recorder of a real arm would."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types, told = store.types, recording.commands
    name = "std_msgs/msg/Float64MultiArray"
    layout = types["std_msgs/msg/MultiArrayLayout"]([], 0)
    rows = zip(told.time_s, told.values, strict=True)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        states = bag.add_connection("/joint_states", STATE, typestore=store)
        sent = bag.add_connection(told.topic, name, typestore=store)
        messages = [(_ns(recording, t), sent, types[name](layout, row), name) for t, row in rows]
        for i, time_s in enumerate(recording.time_s):
            stamp = _ns(recording, time_s)
            time = types["builtin_interfaces/msg/Time"](*divmod(stamp, 10**9))
            state = types[STATE](
                types["std_msgs/msg/Header"](time, ""),
                list(recording.joint_names),
                recording.position_rad[i],
                recording.velocity_rad_s[i],
                recording.effort_nm[i],
            )
            messages.append((stamp, states, state, STATE))
        for stamp, connection, message, kind in sorted(messages, key=lambda m: m[0]):
            bag.write(connection, stamp, store.serialize_cdr(message, kind))


def _ns(recording, time_s):
    return recording.zero_ns + round(time_s * 1e9)


def estimates(theta, covariance):
    """Those of FITTED, and of ASSUMED, which the motion does not tell."""
    sigma = np.sqrt(np.diag(covariance))
    nominal = nominal_values(robot())
    known = [
        Estimate(
            name=name, value=v, sigma=s, ci95=(v - 1.96 * s, v + 1.96 * s), identifiable=True,
            unit=quantity_of(name).unit, nominal=nominal[name],
        )
        for name, v, s in zip(FITTED, theta.tolist(), sigma.tolist(), strict=True)
    ]  # fmt: skip
    known += [
        Estimate(
            name=name, value=nominal[name], sigma=float("inf"), ci95=(-np.inf, np.inf),
            identifiable=False, unit=quantity_of(name).unit, nominal=nominal[name],
            remark="the motion does not depend on it",
        )
        for name in ASSUMED
    ]  # fmt: skip
    return tuple(known)


def held_out(values):
    other = record(TRUE, 2.0, seed=7)
    identified, nominal = simulated(other, values), simulated(other, {})

    def rmse(position):
        return float(np.sqrt(np.mean((position - other.position_rad) ** 2)))

    return HeldOut(
        time_s=other.time_s, measured_rad=other.position_rad, nominal_rad=nominal,
        identified_rad=identified, rmse_rad=rmse(identified), nominal_rmse_rad=rmse(nominal),
        source=other.source,
    )  # fmt: skip
