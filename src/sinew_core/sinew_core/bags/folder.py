"""The folder of a bag that is being written or recovered, by one process at a time.

Files are written under `.open/NAME_N/` and move up once they are complete; `metadata.yaml` follows.
What is left under `.open` is of a recording that was cut off, or still runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

from sinew_core.bags.split import SUFFIXES
from sinew_core.errors import BagError
from sinew_core.files import sync_folder, write_atomically

METADATA = "metadata.yaml"
OPEN = ".open"
STALE_METADATA = f".{METADATA}.*.tmp"


def recover_command(path: Path | str) -> str:
    """Return the command that recovers a bag, for messages."""
    return f"./sinew bag recover {path}"


def is_unfinished(path: Path) -> bool:
    """Tell whether a bag's recording was cut off, or still runs."""
    return (path / OPEN).is_dir()


class BagFolder:
    """A locked folder."""

    def __init__(self, path: Path) -> None:
        """Lock an existing folder.

        Raises:
            BagError: if another process writes into it, or it cannot be opened.
        """
        self.path = path
        self.open_path = path / OPEN
        try:
            self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise BagError(
                f"bag '{path}' cannot be opened ({error.strerror}): give the folder of a bag"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise BagError(
                f"bag '{path}' is being recorded: end the recording with Ctrl-C first"
            ) from None
        except OSError:
            # Some network file systems have no locks; a bag can be recorded there all the same.
            pass

    @classmethod
    def create(cls, path: Path) -> BagFolder:
        """Make and lock a new folder.

        Raises:
            BagError: if it exists or cannot be made.
        """
        try:
            path.mkdir(parents=True)
            (path / OPEN).mkdir()
        except FileExistsError:
            raise BagError(
                f"output '{path}' exists: give another folder, nothing is overwritten"
            ) from None
        except OSError as error:
            raise BagError(
                f"output '{path}' cannot be made ({error.strerror}): give a folder below one that "
                "you may write to"
            ) from None
        return cls(path)

    def publish(self, file: Path) -> None:
        """Move a complete file up, so that it survives a power cut, and drop its own folder."""
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        file.replace(self.path / file.name)
        sync_folder(self.path)
        shutil.rmtree(file.parent, ignore_errors=True)

    def write_metadata(self, text: str) -> None:
        """Replace `metadata.yaml`, the old one until the new one is on the disk."""
        write_atomically(self.path / METADATA, text)

    def end(self) -> None:
        """Drop what only a recording needs; the bag is complete."""
        for stale in self.path.glob(STALE_METADATA):
            stale.unlink(missing_ok=True)
        shutil.rmtree(self.open_path)

    def release(self) -> None:
        """Let others write."""
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def remove(self) -> None:
        """Delete the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def storage_of(file: Path) -> str:
    """Return the storage of a file by its suffix, empty for another one."""
    found = [storage for storage, suffix in SUFFIXES.items() if file.suffix == suffix]
    return found[0] if found else ""
