"""A run folder: `runs/<name>/` with the configuration, the bundle, the figures and the report."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sinew_core.errors import RunError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def create_run_folder(output: Path, name: str, *, overwrite: bool) -> Path:
    """Create `output/name`; an existing one is refused, or removed when `overwrite` is given.

    Raises:
        RunError: for a name that is not a plain folder name, for an existing run, and when the
            folder cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise RunError(
            f"run name '{name}' is not a folder name: use letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    folder = output / name
    try:
        if folder.exists():
            if not overwrite:
                raise RunError(
                    f"run '{name}' exists in {output}: choose another with run:=NAME, "
                    "or replace it with overwrite:=true"
                )
            if not (folder / "config.yaml").is_file():
                raise RunError(
                    f"{folder} is not a run (it has no config.yaml), so it is not overwritten: "
                    "choose another with run:=NAME"
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise RunError(
            f"run folder {folder} cannot be written ({error.strerror}): "
            "choose another place with output:=FOLDER"
        ) from None
    return folder
