"""Compile the inner loops before the first training run: `python -m sinew_core.precompile`.

numba keeps its machine code beside the sources and makes it anew when they change.
"""

from __future__ import annotations

import sys

import numpy as np

from sinew_core.bags.recording import Commands
from sinew_core.environments.arm import ArmEnv
from sinew_core.errors import SinewError
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation import ENGINE_NAMES
from sinew_core.simulation.controller_law import ControllerLaw
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.regressor import JointMotion, body_regressor


def precompile() -> None:
    """Take one step of the nominal and of other arms in each engine, and one regressor."""
    for engine in ENGINE_NAMES:
        try:
            env = ArmEnv(engine=engine)
        except SinewError as error:
            sys.stderr.write(f"{error}\n")
            continue
        for dynamics in (None, ArmDynamics.nominal(env.robot)):
            env.reset(seed=0, options={"dynamics": dynamics})
            env.step(env.action_space.sample())
        env.close()
    robot = load_robot("panda")
    controller = ArmController(mode="effort", gains={}, gravity_compensation=True)
    arm = SimParams(dynamics=ArmDynamics.nominal(robot), controller=controller)
    still = np.zeros(robot.n_joints)
    commands = Commands(mode="effort", time_s=still[:1], values=still[None], topic="")
    Plant(robot, 1000).roll_out(arm, commands, robot.home_rad, still, np.array([0.0, 0.01]))
    ControllerLaw(robot, arm.dynamics, controller, 1000, 0.01)
    rest = np.zeros((1, robot.n_joints))
    motion = JointMotion(position_rad=rest, velocity_rad_s=rest, acceleration_rad_s2=rest)
    body_regressor(robot, motion)


if __name__ == "__main__":
    precompile()
