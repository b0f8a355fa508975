"""What a run's configuration describes: the environment, and its setup without physics."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from sinew_core.action import nudged
from sinew_core.algorithms.parameters.nudges import nudge_sizes
from sinew_core.randomisation import Randomisation, check_assumptions, read_randomisation
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel
from sinew_core.tasks.setup import TaskSetup
from sinew_core.training.configuration import RunConfiguration

if TYPE_CHECKING:
    from sinew_core.environments.arm import ArmEnv


def make_randomisation(configuration: RunConfiguration, robot: RobotModel) -> Randomisation | None:
    """Read what a run's dynamics are drawn from; None without randomisation.

    Raises:
        ConfigError: when the file cannot be read, does not fit the robot, or draws more than the
            safety filter assumes.
    """
    train = configuration.train
    if not train.randomisation:
        return None
    made = read_randomisation(Path(train.randomisation), robot)
    if train.every_episodes:
        made = dataclasses.replace(made, every_episodes=train.every_episodes)
    check_assumptions(made, configuration.safety, configuration.rates, train.action_mode)
    return made


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
        render_mode=render_mode,
    )
