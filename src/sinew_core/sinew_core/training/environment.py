"""What a run's configuration describes: the environment, and its setup without physics."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from sinew_core.action import nudged
from sinew_core.algorithms.parameters.nudges import nudge_sizes
from sinew_core.randomisation import (
    CONTROLLER_MODES,
    Randomisation,
    check_assumptions,
    read_randomisation,
)
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams, check_compensation, load_sim_params
from sinew_core.specs import command_mode
from sinew_core.tasks.setup import TaskSetup
from sinew_core.training.configuration import RunConfiguration

if TYPE_CHECKING:
    from sinew_core.environments.arm import ArmEnv


def make_sim_params(configuration: RunConfiguration, robot: RobotModel) -> SimParams | None:
    """Read the arm that a run is with; None for the nominal one.

    Raises:
        ConfigError: when the file cannot be read, does not fit the robot, has controllers that need
            more physics steps, or the safety filter assumes a better arm.
    """
    train = configuration.train
    if not train.sim_params:
        return None
    params = _load(configuration, robot)
    alone = Randomisation(robot=robot, base=params.dynamics)
    _check(configuration, alone, params)
    # Imported here, because a learner of the nominal arm needs no compiler.
    from sinew_core.simulation.arm_control import check_controllers

    check_controllers(robot, params, configuration.rates.physics_rate_hz)
    return params


def make_randomisation(configuration: RunConfiguration, robot: RobotModel) -> Randomisation | None:
    """Read what a run's dynamics are drawn from, around its arm; None without randomisation.

    Raises:
        ConfigError: when the file cannot be read, does not fit the robot, or draws more than the
            safety filter assumes.
    """
    train = configuration.train
    if not train.randomisation:
        return None
    params = _load(configuration, robot) if train.sim_params else None
    base = params.dynamics if params else None
    made = read_randomisation(Path(train.randomisation), robot, base)
    if train.every_episodes:
        made = dataclasses.replace(made, every_episodes=train.every_episodes)
    _check(configuration, made, params)
    return made


def _load(configuration: RunConfiguration, robot: RobotModel) -> SimParams:
    train = configuration.train
    commands = CONTROLLER_MODES[command_mode(train.action_mode)]
    return load_sim_params(train.sim_params, robot, commands)


def _check(
    configuration: RunConfiguration, randomisation: Randomisation, params: SimParams | None
) -> None:
    controller = params.controller if params else None
    check_compensation(controller, gravity_compensation=True)  # which every training has
    check_assumptions(
        randomisation,
        configuration.safety,
        configuration.rates,
        configuration.train.action_mode,
        controller,
    )


def make_setup(configuration: RunConfiguration) -> TaskSetup:
    """Return the setup, for a learner that leaves the environment to its workers."""
    train = configuration.train
    setup = TaskSetup.make(
        load_robot(train.robot, urdf=train.urdf),
        train.action_mode,
        task=train.task,
        task_parameters=configuration.task,
        action_parameters=configuration.action,
        rates=configuration.rates,
        safety=configuration.safety,
    )
    sizes = nudge_sizes(configuration.algorithm)
    if not sizes:
        return setup
    return dataclasses.replace(setup, action_spec=nudged(setup.action_spec, sizes))


def make_environment(configuration: RunConfiguration, *, render_mode: str | None = None) -> ArmEnv:
    """Start the environment; training, evaluation and every worker make theirs here."""
    # Imported here, because a learner needs neither a physics engine nor a compiler.
    from sinew_core.environments.arm import ArmEnv

    train = configuration.train
    robot = load_robot(train.robot, urdf=train.urdf)
    return ArmEnv(
        robot,
        "",
        train.engine,
        train.action_mode,
        task=train.task,
        task_parameters=configuration.task,
        action_parameters=configuration.action,
        rates=configuration.rates,
        safety=configuration.safety,
        randomisation=make_randomisation(configuration, robot),
        sim_params=make_sim_params(configuration, robot),
        render_mode=render_mode,
    )
