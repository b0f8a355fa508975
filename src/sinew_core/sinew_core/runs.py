"""A run folder: `runs/<name>/` with the configuration, the bundle, the figures and the report."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sinew_core.errors import RunError
from sinew_core.files import sync_folder
from sinew_core.training.checkpoints.resume import locked
from sinew_core.training.folder import CONFIGURATION_FILE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_run_folder(
    output: Path, name: str, *, overwrite: bool, inputs: Mapping[str, str] | None = None
) -> Path:
    """Return `output/name` if a run may be created there.

    `inputs` are the paths, by parameter, that the new run reads for as long as it trains; empty
    ones and names of something else are left alone.

    Raises:
        RunError: for a name that is not a plain folder name; for an existing run without
            `overwrite`, that is being trained, or with an input in it; and for an existing folder
            that is not a run.
    """
    if not _NAME.fullmatch(name):
        raise RunError(
            f"run name '{name}' is not a folder name: use letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    folder = output / name
    if folder.exists() or folder.is_symlink():
        _check_replaced(folder, overwrite=overwrite, inputs=inputs or {})
    place = next(p for p in (folder, *folder.parents) if p.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise _unwritable(folder, "not a folder" if not place.is_dir() else "permission denied")
    return folder


@contextmanager
def new_run_folder(
    output: Path, name: str, *, overwrite: bool, inputs: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Give an empty folder to prepare a run in, which then becomes `output/name` at once.

    An existing run is replaced by it, if `overwrite` is given. Where preparing fails, it stays as
    it was.

    Raises:
        RunError: as `check_run_folder`, and when the folder cannot be written.
    """
    folder = check_run_folder(output, name, overwrite=overwrite, inputs=inputs)
    new = folder.with_name(f".{name}.{os.getpid()}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        yield new
        if overwrite and folder.exists():
            _replace(folder, new)
        else:
            new.rename(folder)
        sync_folder(output)
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _check_replaced(folder: Path, *, overwrite: bool, inputs: Mapping[str, str]) -> None:
    """Refuse to replace what is no run, is in use, or is needed by the new run."""
    if not overwrite:
        raise RunError(
            f"run '{folder.name}' exists in {folder.parent}: choose another with run:=NAME, "
            "or replace it with overwrite:=true"
        )
    if folder.is_symlink() or not (folder / CONFIGURATION_FILE).is_file():
        reason = "is a link" if folder.is_symlink() else f"has no {CONFIGURATION_FILE}"
        raise RunError(
            f"{folder} is not a run (it {reason}), so it is not overwritten: "
            "choose another with run:=NAME"
        )
    for parameter, value in inputs.items():
        path = Path(value)
        if value and path.exists() and path.resolve().is_relative_to(folder.resolve()):
            raise RunError(
                f"{parameter} is {value}, in the run that overwrite:=true is to replace: copy it "
                "to another place, or choose another name with run:=NAME"
            )
    with locked(folder):  # by nobody else, who would write into the new run
        pass


def _replace(folder: Path, new: Path) -> None:
    """Put a folder in the place of a run that nobody is training, and remove that."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    with locked(folder):
        folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            old.rename(folder)
            raise
    shutil.rmtree(old, ignore_errors=True)


def _unwritable(folder: Path, reason: str) -> RunError:
    return RunError(
        f"run folder {folder} cannot be written ({reason}): "
        "choose another place with output:=FOLDER"
    )
