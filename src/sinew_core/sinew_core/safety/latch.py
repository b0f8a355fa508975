"""The emergency-stop latch on disk: it survives a restart of the node and a power cut."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from sinew_core.errors import RunError
from sinew_core.files import sync_folder, write_atomically


def latch_path(robot: str, namespace: str) -> Path:
    """Return the file for one arm: under `$ROS_HOME/sinew`, by default `~/.ros/sinew`."""
    home = Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")
    name = "-".join(p for p in (namespace.strip("/"), Path(robot).stem) if p)
    return home / "sinew" / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.latch"


class LatchFile:
    """One latch: set while the file exists; its text is the reason.

    Writing happens in a thread, so that syncing the disk never delays the braking commands.
    """

    def __init__(self, path: Path) -> None:
        """Use this file; its folder is made now, so that a failure shows before any motion.

        Raises:
            RunError: the folder cannot be written to.
        """
        self.path = path
        self._writer: threading.Thread | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            writable = os.access(path.parent, os.W_OK)
        except OSError:
            writable = False
        if not writable:
            raise RunError(f"latch folder {path.parent} cannot be written: set ROS_HOME to another")

    @property
    def reason(self) -> str | None:
        """Why the latch is set; None when it is not."""
        try:
            return self.path.read_text().strip() or "set without a reason"
        except FileNotFoundError:
            return None

    @property
    def busy(self) -> bool:
        """Whether the file is still being written."""
        return self._writer is not None and self._writer.is_alive()

    def set(self, reason: str) -> None:
        """Begin to write the latch."""
        self.flush()
        self._writer = threading.Thread(target=write_atomically, args=(self.path, reason + "\n"))
        self._writer.start()

    def flush(self) -> None:
        """Wait until the file is on disk."""
        if self._writer is not None:
            self._writer.join()
            self._writer = None

    def clear(self) -> None:
        """Remove the latch."""
        self.flush()
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)
