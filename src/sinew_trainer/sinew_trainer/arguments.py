"""Arguments of a command that trains: a run's configuration, and what else the command takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from sinew_core.arguments import parse_arguments
from sinew_core.errors import ConfigError, suggest
from sinew_core.parameters import Parameters, describe
from sinew_core.training.checkpoints.resume import resumed_configuration
from sinew_core.training.config import Resume, TrainConfig
from sinew_core.training.configuration import SECTIONS, RunConfiguration, read_parameter_file

P = TypeVar("P", bound=Parameters)


def read_arguments(argv: Sequence[str], kind: type[P]) -> tuple[RunConfiguration, P]:
    """Return what the arguments ask for; a parameter file given as config:=FILE comes first.

    Only an argument says that a run is replaced: a file, such as that of an earlier run, does not.

    Raises:
        ConfigError: for every mistake, with its remedy.
    """
    values = parse_arguments(argv, _texts(kind))
    path = values.pop("config", "")
    if path:
        file = read_parameter_file(Path(str(path)))
        values = {**file, "overwrite": False, **values}
    names = [name for name, _, _ in describe(kind)]
    own = {name: values.pop(name) for name in names if name in values}
    known = [*names, "config", *(name for name, _, _ in describe(TrainConfig)), *SECTIONS]
    for name in values:
        if name.partition(".")[0] not in known:
            raise ConfigError(f"unknown argument '{name}': {suggest(name, known)}")
    return (
        RunConfiguration.from_mapping(values, "arguments"),
        kind.from_mapping(own, "arguments"),
    )


def read_resumed(argv: Sequence[str], kind: type[P]) -> tuple[RunConfiguration, P, Resume]:
    """Return what the arguments ask for of the run that resume:=FOLDER names.

    Raises:
        SinewError: for every mistake, with its remedy; what contradicts the run is one.
    """
    values = parse_arguments(argv, _texts(Resume, kind))
    names = [name for name, _, _ in describe(Resume)]
    resume = Resume.from_mapping({n: values.pop(n) for n in names if n in values}, "arguments")
    folder = Path(resume.resume)
    if "config" in values:
        raise ConfigError("resume:= takes the run's own config.yaml: remove config:=")
    own = {name: values.pop(name) for name, _, _ in describe(kind) if name in values}
    configuration = resumed_configuration(folder, values, resume.despite)
    return configuration, kind.from_mapping(own, "arguments"), resume


def _texts(*kinds: type[Parameters]) -> set[str]:
    """Return the names of the arguments that are text."""
    every: list[type[Parameters]] = [TrainConfig, *kinds]
    fields = [field for kind in every for field in describe(kind)]
    return {"config", *(name for name, _, type_ in fields if type_ is str)}


def argument_list(*kinds: type[Parameters]) -> str:
    """Return the lines of a help text, those of a run and of what else a command takes."""
    every: list[type[Parameters]] = [TrainConfig, *kinds]
    fields = [field for kind in every for field in describe(kind)]
    shown = [f"  {name:<25}{info.description}" for name, info, _ in fields]
    shown.append("  config                   a parameter file to start from")
    sections = [f"  {name}.…" for name in SECTIONS]
    return "\n".join([*shown, *sections, "  (tables in README.md and docs)"]) + "\n"
