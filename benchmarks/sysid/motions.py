"""Excitations and how arms of known parameters answer them."""

from __future__ import annotations

import functools

import numpy as np

from benchmarks.sysid.recorded import TOPIC, sample_times
from benchmarks.sysid.stribeck import StribeckArm
from sinew_core.bags.recording import Commands
from sinew_core.rates import Rates
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation.rollout import EnginePlant, Motion
from sinew_core.sysid.excitation.parameters import ExcitationParameters
from sinew_core.sysid.excitation.planning import Planner
from sinew_core.sysid.excitation.trial import FilterSetting

PHYSICS_RATE_HZ = 1000
COMMAND_RATE_HZ = 100
ARRIVAL_JITTER_S = 0.5e-3
STAMP_JITTER_S = 0.2e-3
_QUIET_JOINT, _QUIET_RAD, _QUIET_HZ = 4, 0.02, 0.2

Answer = tuple[Commands, Array, Motion]
"""Commands, times (N,) s of the states, and the motion at those."""


@functools.cache
def planned(robot: RobotModel, duration_s: float, seed: int) -> Commands:
    """Return the positions of an excitation that the safety filter lets pass."""
    rates = Rates(physics_rate_hz=PHYSICS_RATE_HZ, control_rate_hz=COMMAND_RATE_HZ)
    setting = FilterSetting(
        mode="joint_position", safety=SafetyParameters(), rates=rates, lockstep=True
    )
    parameters = ExcitationParameters(
        duration_s=duration_s,
        period_s=min(10.0, duration_s),
        seed=seed,
        identify=("mass/*", "coulomb/*", "viscous/*", "armature/*"),
    )
    planner = Planner(robot, setting, parameters)
    reference = planner.plan().reference
    return Commands(
        mode="position",
        time_s=reference.time_s,
        values=planner.commands(reference),
        topic=TOPIC,
    )


def quiet(robot: RobotModel, duration_s: float) -> Commands:
    """Return commands under which one joint of the wrist moves a little, slowly, and no other."""
    time_s = np.arange(round(duration_s * COMMAND_RATE_HZ) + 1) / COMMAND_RATE_HZ
    values = np.tile(robot.home_rad, (time_s.size, 1))
    values[:, _QUIET_JOINT] += _QUIET_RAD * (1.0 - np.cos(2.0 * np.pi * _QUIET_HZ * time_s))
    return Commands(mode="position", time_s=time_s, values=values, topic=TOPIC)


def matched(robot: RobotModel, params: SimParams, commands: Commands) -> Answer:
    """Return what PyBullet's arm does, whose law the fit knows."""
    plant = EnginePlant("pybullet", robot, PHYSICS_RATE_HZ)
    sample_s = sample_times(commands)
    still = np.zeros(robot.n_joints)
    return commands, sample_s, plant.roll_out(params, commands, robot.home_rad, still, sample_s)


def mismatched(robot: RobotModel, params: SimParams, commands: Commands, seed: int) -> Answer:
    """Return what an arm with Stribeck friction does, commands and states out of step."""
    rng = np.random.default_rng([seed, 0x717])
    sample_s = sample_times(commands)
    late_s = params.dynamics.delay_s + ARRIVAL_JITTER_S * rng.uniform(
        -1.0, 1.0, commands.time_s.size
    )
    arrival_s = np.maximum.accumulate(commands.time_s + late_s)
    taken_s = sample_s + STAMP_JITTER_S * rng.uniform(0.0, 1.0, sample_s.size)
    true = StribeckArm(robot, params).run(commands, arrival_s, robot.home_rad, taken_s)
    motion = Motion(
        position_rad=true.position_rad, velocity_rad_s=true.velocity_rad_s, effort_nm=true.effort_nm
    )
    return commands, sample_s, motion
