"""Write files so that a crash leaves either the old content or the new, never half of it."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sinew_core.errors import RunError

_REFUSED = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
)
"""What a disk says that is full, broken or not to be written."""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write to a temporary sibling, sync it, and rename it over `path`."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_durably(temporary, data)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)  # half of it only takes space, of a disk that is full
        raise
    sync_folder(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file that survives a power cut once its name does, see `sync_folder`."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a mapping as readable JSON, atomically; not-a-number is refused, as JSON has none."""
    write_atomically(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Say in one line that a disk took no more of what is written, mostly into `folder`.

    Raises:
        RunError: names the folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        where = Path(os.fsdecode(error.filename)).parent if error.filename else folder
        raise RunError(
            f"{where} cannot be written ({error.strerror}): free the disk or make it writable, "
            "then go on from what is there"
        ) from None


def finite(figures: Mapping[str, object]) -> dict[str, object]:
    """Return figures with None for what is not finite: measurements may hold absurd numbers."""
    return {key: _finite(value) for key, value in figures.items()}


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return finite(value)
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
