"""The emergency-stop latch on disk: it survives a restart of the node and a power cut."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sinew_core.errors import RunError
from sinew_core.files import sync_folder, write_atomically

_PATIENCE_S = 2.0
"""A disk that takes longer is one that fails: nobody is kept waiting for it."""


def latch_path(robot: str, namespace: str) -> Path:
    """Return the file for one arm: under `$ROS_HOME/sinew`, by default `~/.ros/sinew`."""
    home = Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")
    name = "-".join(p for p in (namespace.strip("/"), Path(robot).stem) if p)
    return home / "sinew" / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.latch"


class LatchFile:
    """One latch: set while the file exists; its text is the reason.

    `set` and `clear` say what the disk shall hold and return at once; a thread makes it so, and
    where that fails tries again, so that the disk never delays the braking commands.
    """

    def __init__(
        self, path: Path, settled: Callable[[], None] | None = None, *, retry_s: float = 1.0
    ) -> None:
        """Use this file; something is written beside it now, so that a failure shows in time.

        Args:
            path: of the file; its folder is made.
            settled: is called by the thread after each attempt.
            retry_s: time from a failure to the next attempt.

        Raises:
            RunError: nothing can be written there.
        """
        self.path = path
        self._tell = settled
        self._retry_s = retry_s
        self._wanted: str | None = None
        # Numbers of what was asked for last, and of what was tried last.
        self._asked = self._tried = 0
        self._asked_s = 0.0
        self._failure = ""
        self._closed = False
        self._turn = threading.Condition()
        _try_folder(path)
        # Made now: in an emergency there may be no thread left to be had.
        self._thread = threading.Thread(target=self._work, name="latch", daemon=True)
        self._thread.start()

    @property
    def reason(self) -> str | None:
        """Why the latch is set; None when it is not.

        Raises:
            RunError: it is there and cannot be read.
        """
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunError(
                f"latch {self.path} is set and cannot be read ({error.strerror}): make it a "
                "readable file, or remove it when the arm may move again"
            ) from None
        return text.strip() or "set without a reason"

    @property
    def busy(self) -> bool:
        """Whether the disk is at work on what was asked for last, not longer than usual."""
        return self._tried != self._asked and time.monotonic() - self._asked_s <= _PATIENCE_S

    @property
    def problem(self) -> str:
        """Why the disk does not hold what it shall, '' where it does or is `busy`."""
        if self._tried == self._asked:
            return self._failure
        if self.busy:
            return ""
        return self._told(self._wanted, f"the disk has not answered for {_PATIENCE_S:g} s")

    def set(self, reason: str) -> None:
        """Begin to write the latch."""
        self._ask(reason)

    def clear(self) -> None:
        """Begin to remove the latch."""
        self._ask(None)

    def flush(self) -> None:
        """Wait for the disk; what has failed is tried once more. Not for callbacks: it blocks."""
        with self._turn:
            if self._failure:
                self._ask(self._wanted)
            self._turn.wait_for(lambda: self._tried == self._asked)

    def close(self) -> None:
        """Flush, and try nothing any more."""
        self.flush()
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        self._thread.join()

    def _ask(self, wanted: str | None) -> None:
        with self._turn:
            self._wanted, self._asked_s = wanted, time.monotonic()
            self._asked += 1
            self._turn.notify_all()

    def _work(self) -> None:
        """Do what is asked for, and what has failed again, until it is closed."""
        while True:
            with self._turn:
                wait_s = self._retry_s if self._failure else None
                self._turn.wait_for(lambda: self._closed or self._tried != self._asked, wait_s)
                if self._closed:
                    return
                number, wanted = self._asked, self._wanted
            failure = self._try(wanted)
            with self._turn:
                self._failure = failure  # first: who reads does so without the lock
                self._tried = number
                self._turn.notify_all()
            if self._tell is not None:
                self._tell()

    def _try(self, wanted: str | None) -> str:
        """Write or remove the file; return '' or what went wrong."""
        try:
            if wanted is None:
                self.path.unlink(missing_ok=True)
                sync_folder(self.path.parent)
            else:
                write_atomically(self.path, wanted + "\n")
        except Exception as error:  # whatever it is, the thread has to go on
            return self._told(wanted, _cause(error))
        return ""

    def _told(self, wanted: str | None, cause: str) -> str:
        if wanted is None:
            return f"latch {self.path} cannot be removed ({cause}): a restart would be latched"
        return f"latch {self.path} cannot be written ({cause}): a restart would not be latched"


def _try_folder(path: Path) -> None:
    """Make the folder of a latch, and write and remove what is as large.

    Raises:
        RunError: that fails.
    """
    sample = path.with_name(f"{path.name}.{os.getpid()}.try")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(sample, "a latch\n")
        sample.unlink()
    except OSError as error:
        raise RunError(
            f"latch folder {path.parent} cannot be written ({_cause(error)}): make room there, or "
            "set ROS_HOME to another"
        ) from None


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or repr(error)
