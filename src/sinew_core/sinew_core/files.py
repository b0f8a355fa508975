"""Write files so that a crash leaves either the old content or the new, never half of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write to a temporary sibling, sync it, and rename it over `path`."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    write_durably(temporary, data)
    temporary.replace(path)
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


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
