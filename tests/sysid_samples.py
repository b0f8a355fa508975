"""Recordings of simulated arms whose true values are known."""

import numpy as np

from sinew_core.bags.recording import Commands, Recording
from sinew_core.robots.arm_controller import GAINS, ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.dynamics import joint_inertia
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.controller_file import KnownController

PHYSICS_RATE_HZ = 1000
STATE_RATE_HZ = 200.0
BANDWIDTH_RAD_S = 15.0


def gains_of(robot, mode):
    """Gains of a well damped loop, whose full effort answers to a radian or two."""
    w = BANDWIDTH_RAD_S
    inertia = np.maximum(3.0 * joint_inertia(robot), 0.7 * robot.limits.effort_nm / w**2)
    # Light joints without rotors take little damping at 1 kHz.
    damping = np.minimum(2.0 * inertia * w, 400.0 * joint_inertia(robot))
    gains = {
        "kp": inertia * w * w,
        "kd": damping,
        "kp_v": damping,
        "ki_v": inertia * w * w,
    }
    return {name: gains[name] for name in GAINS[mode]}


def controller_of(robot, mode, compensated=True):
    return ArmController(
        mode=mode, gains=gains_of(robot, mode), gravity_compensation=compensated, hold="zoh"
    )


def known_of(controller, gains=True):
    """What is known of a controller: all, or nothing of its gains."""
    known = dict(controller.gains) if gains else dict.fromkeys(controller.gains)
    return KnownController(
        mode=controller.mode,
        hold=controller.hold,
        gravity_compensation=controller.gravity_compensation,
        gains=known,
    )


def true_values(robot, seed):
    """Values of an arm that differs from its description: heavier, lighter, with friction."""
    rng = np.random.default_rng(seed)
    nominal = ArmDynamics.nominal(robot)
    effort = robot.limits.effort_nm
    values = nominal.values(robot)
    for name, value in values.items():
        kind, _, place = name.partition("/")
        i = robot.joint_names.index(place) if place in robot.joint_names else 0
        if kind == "mass":
            values[name] = value * rng.uniform(0.85, 1.15)
        elif kind == "coulomb" or kind == "viscous":
            values[name] = effort[i] * rng.uniform(0.005, 0.015)
    values["delay_s"] = rng.uniform(0.004, 0.012)
    return values


def fourier(robot, time_s, seed, share=0.4, joints=None):
    """Smooth motion (N, n) about home within a share of the limits; speeds likewise."""
    rng = np.random.default_rng(seed)
    lower, upper = robot.limits.position_lower_rad, robot.limits.position_upper_rad
    room = share * np.minimum(upper - robot.home_rad, robot.home_rad - lower)
    moves = np.zeros((time_s.size, robot.n_joints))
    for k in range(1, 6):
        frequency = 0.11 * k
        phase = rng.uniform(0.0, 2.0 * np.pi, robot.n_joints)
        size = rng.uniform(0.3, 1.0, robot.n_joints)
        moves += size * np.sin(2.0 * np.pi * frequency * time_s[:, None] + phase)
    speeds = np.abs(np.gradient(moves, time_s, axis=0)).max(axis=0)
    scale = np.minimum(room / np.abs(moves).max(axis=0), 0.6 * robot.limits.velocity_rad_s / speeds)
    ramp = np.clip(time_s / 1.0, 0.0, 1.0)[:, None]
    moves = moves * scale * ramp**2 * (3.0 - 2.0 * ramp)
    if joints is not None:
        moves[:, [i for i in range(robot.n_joints) if i not in joints]] = 0.0
    return robot.home_rad + moves


def commands_of(robot, mode, duration_s, seed, rate_hz=100.0, joints=None, params=None):
    """Commands that make an arm go along a Fourier motion, roughly; efforts need the arm."""
    time_s = np.arange(0.0, duration_s, 1.0 / rate_hz)
    wanted = fourier(robot, time_s, seed, joints=joints)
    if mode == "effort":
        values = guiding_efforts(robot, params, time_s, wanted)
    else:
        values = wanted if mode == "position" else np.gradient(wanted, time_s, axis=0)
    return Commands(mode=mode, time_s=time_s, values=values, topic=f"forward_{mode}_controller")


def guiding_efforts(robot, params, time_s, wanted):
    """Efforts (m, n) of a soft loop outside an arm that bears its weight, by its state."""
    inertia, w = 2.0 * joint_inertia(robot), 6.0
    plant = Plant(robot, PHYSICS_RATE_HZ)
    dynamics = params.dynamics
    position, velocity = wanted[0], np.zeros(robot.n_joints)
    efforts = np.zeros(wanted.shape)
    speeds = np.gradient(wanted, time_s, axis=0)
    for k, (now, goal, speed) in enumerate(zip(time_s, wanted, speeds, strict=True)):
        lead = inertia * (w * w * (goal - position) + 2.0 * w * (speed - velocity))
        efforts[k] = lead + dynamics.viscous_nm_s_rad * speed
        sent = Commands(mode="effort", time_s=time_s[: k + 1], values=efforts[: k + 1], topic="")
        span = np.array([now, now + time_s[1] - time_s[0]])
        motion = plant.roll_out(params, sent, position, velocity, span)
        position, velocity = motion.position_rad[-1], motion.velocity_rad_s[-1]
    return efforts


def recording_of(
    robot,
    params,
    commands,
    *,
    seed=0,
    noise_rad=1e-4,
    noise_nm=0.2,
    effort=True,
    with_commands=True,
    rate_hz=STATE_RATE_HZ,
    plant=None,
):
    """A recording of an arm under commands, and its true motion (N, n)."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(0.0, commands.time_s[-1], 1.0 / rate_hz)
    plant = plant or Plant(robot, PHYSICS_RATE_HZ)
    motion = plant.roll_out(params, commands, robot.home_rad, np.zeros(robot.n_joints), time_s)
    shape = motion.position_rad.shape
    measured = motion.effort_nm + noise_nm * rng.standard_normal(shape)
    recording = Recording(
        source="/bags/arm",
        joint_names=robot.joint_names,
        time_s=time_s,
        position_rad=motion.position_rad + noise_rad * rng.standard_normal(shape),
        velocity_rad_s=None,
        effort_nm=measured if effort else None,
        zero_ns=0,
        commands=commands if with_commands else None,
    )
    return recording, motion.position_rad
