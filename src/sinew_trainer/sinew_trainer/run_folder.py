"""The run folder that a training writes into: a new one, or one that it goes on with."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from pathlib import Path

from sinew_core.files import disk_errors, write_atomically
from sinew_core.runs import check_run_folder, new_run_folder
from sinew_core.training.checkpoints.resume import locked
from sinew_core.training.checkpoints.store import CheckpointStore
from sinew_core.training.config import TrainConfig
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_randomisation, make_setup, make_sim_params
from sinew_core.training.folder import CONFIGURATION_FILE

_INPUTS = ("robot", "urdf", "sim_params", "randomisation")
"""Parameters that may be paths, of files that a training reads again whenever it is resumed."""


def check_inputs(configuration: RunConfiguration) -> None:
    """Refuse what cannot be trained, before anything starts.

    Raises:
        SinewError: robot, arm, randomisation, task or device are not there, or do not go together.
    """
    robot = make_setup(configuration).robot
    make_sim_params(configuration, robot)
    make_randomisation(configuration, robot)
    if configuration.train.device != "cpu":
        # Imported here, because torch takes seconds to load and this process does not use it.
        from sinew_core.algorithms.device import open_device

        open_device(configuration.train.device)


def check_new(train: TrainConfig, name: str) -> None:
    """Refuse a new run of this name where there may be none.

    Raises:
        RunError: as `check_run_folder`.
    """
    place = Path(train.output)
    check_run_folder(place, name, overwrite=train.overwrite, inputs=_inputs(train))


def create_run(
    configuration: RunConfiguration,
    now: datetime.datetime,
    prepare: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Create the folder of a new run, with its configuration and what `prepare` puts into it.

    A run that it replaces is untouched until all of that is there.

    Raises:
        SinewError: as `check_inputs` and `check_new`, or the folder cannot be written.
    """
    check_inputs(configuration)
    train = configuration.train
    name, place = train.run_name(now), Path(train.output)
    with new_run_folder(place, name, overwrite=train.overwrite, inputs=_inputs(train)) as folder:
        prepare(folder)
        write_atomically(folder / CONFIGURATION_FILE, configuration.to_yaml())
    return place / name


def go_on_with(
    folder: Path, configuration: RunConfiguration, despite: Collection[str] = ()
) -> None:
    """Write the configuration with which a run goes on, once it is certain that it may.

    `despite` names kinds of differences, of `DESPITE`, that the user accepts.

    Raises:
        RunError: it is being trained, its last checkpoint does not allow it, or it cannot be
            written.
    """
    with locked(folder), disk_errors(folder):
        CheckpointStore(folder, configuration, despite).check()
        write_atomically(folder / CONFIGURATION_FILE, configuration.to_yaml())


def _inputs(train: TrainConfig) -> dict[str, str]:
    return {name: getattr(train, name) for name in _INPUTS}
