"""A run folder: `runs/<name>/` with the configuration, the bundle, the figures and the report."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from sinew_core.errors import RunError
from sinew_core.training.folder import CONFIGURATION_FILE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_run_folder(output: Path, name: str, *, overwrite: bool) -> Path:
    """Return `output/name` if a run may be created there.

    Raises:
        RunError: for a name that is not a plain folder name, for an existing run without
            `overwrite`, and for an existing folder that is not a run.
    """
    if not _NAME.fullmatch(name):
        raise RunError(
            f"run name '{name}' is not a folder name: use letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    folder = output / name
    if folder.exists() and not overwrite:
        raise RunError(
            f"run '{name}' exists in {output}: choose another with run:=NAME, "
            "or replace it with overwrite:=true"
        )
    if folder.exists() and not (folder / CONFIGURATION_FILE).is_file():
        raise RunError(
            f"{folder} is not a run (it has no {CONFIGURATION_FILE}), so it is not overwritten: "
            "choose another with run:=NAME"
        )
    place = next(p for p in (folder, *folder.parents) if p.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise _unwritable(folder, "not a folder" if not place.is_dir() else "permission denied")
    return folder


def create_run_folder(output: Path, name: str, *, overwrite: bool) -> Path:
    """Create `output/name`; an existing run is refused, or removed when `overwrite` is given.

    Raises:
        RunError: as `check_run_folder`, and when the folder cannot be written.
    """
    folder = check_run_folder(output, name, overwrite=overwrite)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise _unwritable(folder, str(error.strerror)) from None
    return folder


def _unwritable(folder: Path, reason: str) -> RunError:
    return RunError(
        f"run folder {folder} cannot be written ({reason}): "
        "choose another place with output:=FOLDER"
    )
