"""Go on with a run: what may be changed then, and whether there is anything left to do.

More environment steps may be allowed, since a run does not depend on how many it may use; and what
decides nothing of the training may be changed. Everything else belongs to the run's result; the
device may be another where the user says so.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sinew_core.errors import RunError
from sinew_core.training.config import DESPITE
from sinew_core.training.configuration import RunConfiguration, flatten, read_parameter_file
from sinew_core.training.folder import (
    CONFIGURATION_FILE,
    GRAPH_TRAINING_FILE,
    LOCK_FILE,
    TRAINING_FILE,
)

MAY_GROW = ("env_steps",)
MAY_CHANGE = ("checkpoint_period_s", "eval_episodes")
_PLACE = ("run", "output", "overwrite")
"""Where a run lies, which a moved folder changes."""


def resumed_configuration(
    folder: Path,
    given: Mapping[str, object],
    despite: Collection[str] = (),
    *,
    over_graph: bool = False,
) -> RunConfiguration:
    """Return the configuration of a run with the changes in `given`, by dotted or nested name.

    `despite` names kinds of differences, of `DESPITE`, that the user accepts; `over_graph` says
    whether the run is to go on over the graph.

    Raises:
        ConfigError: for a value that is out of range.
        RunError: there is no such run, it was trained elsewhere, or a change contradicts it.
    """
    stored = read_configuration(folder)
    _refuse_other_world(folder, over_graph=over_graph)
    changes = {k: v for k, v in flatten(given).items() if k not in _PLACE}
    asked = RunConfiguration.from_mapping({**flatten(stored.to_mapping()), **changes}, "arguments")
    refuse_changes(stored.to_mapping(), asked.to_mapping(), folder, despite)
    if folder.name in ("", ".."):  # such as the present folder, whose path does not name it
        folder = folder.resolve()
    place = dataclasses.replace(
        asked.train, run=folder.name, output=str(folder.parent), overwrite=False
    )
    return dataclasses.replace(asked, train=place)


def read_configuration(folder: Path) -> RunConfiguration:
    """Return the configuration that a run was started with.

    Raises:
        ConfigError: it is not one of this version.
        RunError: there is no run.
    """
    path = folder / CONFIGURATION_FILE
    if not path.is_file():
        raise RunError(f"{folder} is not a run, it has no {CONFIGURATION_FILE}: give runs/NAME")
    return RunConfiguration.from_mapping(read_parameter_file(path), str(path))


def _refuse_other_world(folder: Path, *, over_graph: bool) -> None:
    """Refuse to go on in simulation with a run over the graph, and the other way round."""
    was_over_graph = (folder / GRAPH_TRAINING_FILE).is_file()
    if was_over_graph and not over_graph:
        raise RunError(
            f"{folder} is trained over the graph: go on with it by "
            f"./sinew launch train_graph resume:={folder}"
        )
    if over_graph and not was_over_graph:
        raise RunError(
            f"{folder} is trained in simulation: begin a new run over the graph with its policy, "
            f"bundle:={folder}/bundle"
        )


def refuse_changes(
    then: Mapping[str, object],
    now: Mapping[str, object],
    run: Path,
    despite: Collection[str] = (),
) -> None:
    """Refuse a configuration that is not the run's own but for what may be changed.

    Raises:
        RunError: with every contradiction.
    """
    before, after = flatten(then), flatten(now)
    problems = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new or name in (*MAY_CHANGE, *_PLACE, *despite):
            continue
        if name in MAY_GROW and isinstance(old, int) and isinstance(new, int):
            if new < old:
                problems.append(f"{name} may only grow, and {new} is less than {old}")
            continue
        remedy = f", which resume_despite:={name} accepts" if name in DESPITE else ""
        problems.append(f"{name} is {old}, not {new}{remedy}")
    if problems:
        raise RunError(
            f"{run} was not trained like this: {', '.join(problems)}: resume it without these "
            f"arguments, or train anew with config:= and run:="
        )


def finished(folder: Path, configuration: RunConfiguration) -> str | None:
    """Return how the training of a run ended, None where there is something left to do."""
    try:
        told = json.loads((folder / TRAINING_FILE).read_text())
    except (OSError, ValueError):
        return None
    if told.get("stopped", True):
        return None
    if told["confirmed"]:
        return "its success is confirmed"
    steps = told["env_steps"]
    if steps < configuration.train.env_steps:
        return None
    return f"it has used its {steps:,} environment steps; allow it more with env_steps:="


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a run to this process; the lock ends with the process, however that ends.

    Raises:
        RunError: another process trains it, or the folder cannot be written.
    """
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written ({error.strerror}): make it writable first"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 20).decode() or "unknown"
            raise RunError(
                f"{folder} is being trained by process {owner}: end that one first"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)
