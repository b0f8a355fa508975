"""The output folder of an identification or a gap: whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from sinew_core.errors import RunError
from sinew_core.files import sync_folder, write_durably
from sinew_core.robots.described_by import URDF_FILE
from sinew_core.sysid.residual_band import BAND_FILE

REPORT = "report.json"
"""Every output has one: a folder without is never taken for an output, and never replaced."""
PAGE, SIM_PARAMS, RANGES = "report.html", "sim_params.yaml", "randomization.yaml"
GAP_FILES = frozenset({REPORT, PAGE})
"""All that a gap may write."""
IDENTIFICATION_FILES = GAP_FILES | {URDF_FILE, SIM_PARAMS, RANGES, BAND_FILE}
"""All that an identification may write."""


def check_output(
    folder: Path, *, overwrite: bool, files: Collection[str] = IDENTIFICATION_FILES
) -> Path:
    """Return the folder, absolute, if an output of such files may be written there.

    Raises:
        RunError: for a folder that exists, unless it is an output to `overwrite` with no more in it
            than the new one may have; and for a place that cannot be written.
    """
    folder = folder.absolute()
    if folder.exists() or folder.is_symlink():
        if not overwrite:
            raise RunError(
                f"output {folder} exists: choose another with output:=FOLDER, or replace it with "
                "overwrite:=true"
            )
        if not (folder / REPORT).is_file() or folder.is_symlink():
            raise RunError(
                f"output {folder} is not of an earlier run (it has no {REPORT}), so it is not "
                "overwritten: choose another with output:=FOLDER"
            )
        # Training runs have a report, too, and bags and controllers are kept beside one.
        others = sorted(p.name for p in folder.iterdir() if p.name not in files)
        if others:
            raise RunError(
                f"output {folder} holds {', '.join(others[:3])}, which would be lost, so it is not "
                "overwritten: choose another with output:=FOLDER"
            )
    place = next(p for p in folder.parents if p.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        reason = "permission denied" if place.is_dir() else f"{place} is not a folder"
        raise _unwritable(folder, reason)
    return folder


def write_folder(
    folder: Path,
    files: Mapping[str, str | bytes],
    *,
    overwrite: bool,
    replaced: Collection[str] = IDENTIFICATION_FILES,
) -> Path:
    """Write the files into a new folder that appears, or replaces one of `replaced`, at once.

    Raises:
        RunError: as `check_output`, and when the disk refuses.
    """
    folder = check_output(folder, overwrite=overwrite, files=replaced)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            write_durably(temporary / name, data)
        sync_folder(temporary)
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise _unwritable(folder, str(error.strerror)) from None
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _unwritable(folder: Path, reason: str) -> RunError:
    return RunError(
        f"output {folder} cannot be written ({reason}): choose another place with output:=FOLDER"
    )
