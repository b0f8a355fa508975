"""Recordings of a simulated arm whose values are known, for tests of identification."""

import dataclasses

import numpy as np

from sinew_core.bags.recording import Commands, Recording
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics, nominal_values
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.controller_file import KnownController

KP = np.array([600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0])
KD = np.array([25.0, 25.0, 25.0, 25.0, 15.0, 12.5, 7.5])
GAINS = {"position": {"kp": KP, "kd": KD}, "velocity": {"kp_v": KD, "ki_v": 0.5 * KP}, "effort": {}}


def true_values(robot, seed, *, armature=True):
    """Masses within 15 % of the description, friction of a percent of the efforts, some delay."""
    rng = np.random.default_rng(seed)
    values = {
        name: value * rng.uniform(0.85, 1.15)
        for name, value in nominal_values(robot).items()
        if name.startswith("mass/")
    }
    for joint, limit in zip(robot.joint_names, robot.limits.effort_nm, strict=True):
        values[f"coulomb/{joint}"] = 0.1 + limit * rng.uniform(0.003, 0.008)
        values[f"viscous/{joint}"] = 0.1 + limit * rng.uniform(0.003, 0.008)
        if armature:
            values[f"armature/{joint}"] = limit * rng.uniform(0.0003, 0.001)
    values["delay_s"] = rng.uniform(0.003, 0.02)
    return values


def fourier_motion(robot, seed, time_s):
    """Positions (N, n): 12 harmonics of 0.1 Hz about home, up to 60 % of the velocity limits."""
    rng = np.random.default_rng(seed)
    way = np.zeros((time_s.size, robot.n_joints))
    for harmonic in range(1, 13):
        w = 2.0 * np.pi * 0.1 * harmonic
        a, b = rng.normal(size=(2, robot.n_joints)) / harmonic**0.5 / w
        way += a * np.sin(w * time_s)[:, None] - b * np.cos(w * time_s)[:, None]
    limits = robot.limits
    speed = np.abs(np.gradient(way, time_s, axis=0)).max(axis=0)
    room = np.minimum(
        limits.position_upper_rad - robot.home_rad, robot.home_rad - limits.position_lower_rad
    )
    way *= np.minimum(0.6 * limits.velocity_rad_s / speed, 0.8 * room / np.abs(way).max(axis=0))
    rise = np.clip(time_s / 2.0, 0.0, 1.0)
    return robot.home_rad + way * (rise**2 * (3.0 - 2.0 * rise))[:, None]


def record(
    robot, values, mode, duration_s, *, seed=0, position_noise_rad=1e-4, effort_noise_nm=0.2
):
    """A recording at 200 Hz of an arm of these values, told at 100 Hz what to do."""
    rng = np.random.default_rng(seed)
    sent_s = np.arange(0.0, duration_s + 1.0, 0.01)
    told = fourier_motion(robot, seed + 100, sent_s)
    if mode == "velocity":
        told = np.gradient(told, sent_s, axis=0)
    commands = Commands(mode=mode, time_s=sent_s, values=told, topic="commands")
    time_s = np.arange(0.0, duration_s, 0.005)
    params = SimParams(
        dynamics=ArmDynamics.from_values(robot, values),
        controller=ArmController(mode=mode, gains=GAINS[mode], gravity_compensation=True),
    )
    motion = Plant(robot, 1000).roll_out(params, commands, robot.home_rad, np.zeros(7), time_s)
    shape = motion.position_rad.shape
    return Recording(
        source="simulated", joint_names=robot.joint_names, time_s=time_s,
        position_rad=motion.position_rad + position_noise_rad * rng.normal(size=shape),
        velocity_rad_s=None, effort_nm=motion.effort_nm + effort_noise_nm * rng.normal(size=shape),
        zero_ns=0, commands=commands,
    )  # fmt: skip


def without(recording, **fields):
    """The same recording with other fields, such as `effort_nm=None`."""
    return dataclasses.replace(recording, **fields)


def known(mode, **changes):
    """What is known of the controllers: all, unless something else is said."""
    fields = {"gains": GAINS[mode], "gravity_compensation": True, **changes}
    return KnownController(mode=mode, **fields)
