"""The emergency-stop latch on disk: it survives a restart of the node and a power cut."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sinew_core.errors import RunError
from sinew_core.files import sync_folder, write_atomically

_PATIENCE_S = 2.0
"""A disk that takes longer is one that fails: nobody is kept waiting for it."""


_WHOSE = "\nwhose: "
"""Begins the second line of a latch. Files without it are of the versions that shared names."""


class LatchPlace(NamedTuple):
    """Where the latch of one arm is.

    Attributes:
        path: of its file, which no other arm has.
        shared: name that an earlier version gave it, and others as well; None where that is `path`.
        whose: the arm, for people.
    """

    path: Path
    shared: Path | None = None
    whose: str = ""


def latch_place(robot: str, namespace: str) -> LatchPlace:
    """Return the place for one arm: under `$ROS_HOME/sinew`, by default `~/.ros/sinew`.

    A robot of the catalogue in no or a simple namespace has a name that tells both. Any other name
    could be that of two arms, so a check of the robot and its namespace is part of it; a robot file
    is known by where it really is.
    """
    home = Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")
    arm, inside = Path(robot).stem, namespace.strip("/")
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", "-".join(p for p in (inside, arm) if p))
    shared = home / "sinew" / f"{name}.latch"
    if arm != robot:
        robot = os.path.realpath(robot)
    whose = f"robot {robot}, namespace /{inside}"
    if all(re.fullmatch(r"\w*", part, re.ASCII) for part in (robot, inside)):
        return LatchPlace(shared, None, whose)
    check = hashlib.sha256(whose.encode()).hexdigest()[:16]
    return LatchPlace(shared.with_name(f"{name[:200]}.{check}.latch"), shared, whose)


class LatchFile:
    """One latch: set while the file exists; its text is the reason.

    `set` and `clear` say what the disk shall hold and return at once; a thread makes it so, and
    where that fails tries again, so that the disk never delays the braking commands.
    """

    def __init__(
        self, place: LatchPlace, settled: Callable[[], None] | None = None, *, retry_s: float = 1.0
    ) -> None:
        """Use this place; something is written beside it now, so that a failure shows in time.

        Args:
            place: of the file; its folder is made.
            settled: is called by the thread after each attempt.
            retry_s: time from a failure to the next attempt.

        Raises:
            RunError: nothing can be written there.
        """
        self.path, self._place = place.path, place
        self._tell = settled
        self._retry_s = retry_s
        self._wanted: str | None = None
        # Numbers of what was asked for last, and of what was tried last.
        self._asked = self._tried = 0
        self._asked_s = 0.0
        self._failure = ""
        self._closed = False
        self._turn = threading.Condition()
        _try_folder(self.path)
        # Made now: in an emergency there may be no thread left to be had.
        self._thread = threading.Thread(target=self._work, name="latch", daemon=True)
        self._thread.start()

    @property
    def reason(self) -> str | None:
        """Why the latch is set; None when it is not.

        A latch of an earlier version is that of each arm whose it may be.

        Raises:
            RunError: it is there and cannot be read.
        """
        texts = [text for path in self._files() if (text := _read(path)) is not None]
        if not texts:
            return None
        return texts[0].partition(_WHOSE)[0].strip() or "set without a reason"

    @property
    def busy(self) -> bool:
        """Whether the disk is at work on what was asked for last, not longer than usual."""
        if self._closed or self._tried == self._asked:
            return False
        return time.monotonic() - self._asked_s <= _PATIENCE_S

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

    def flush(self, within_s: float | None = None) -> None:
        """Wait for the disk; what has failed is tried once more. Not for callbacks: it blocks.

        Args:
            within_s: longest time to wait; None: for ever.
        """
        with self._turn:
            if self._failure:
                self._ask(self._wanted)
            self._turn.wait_for(lambda: self._tried == self._asked, within_s)

    def close(self) -> None:
        """Flush, and try nothing any more; a disk that hangs keeps nobody."""
        deadline_s = time.monotonic() + _PATIENCE_S
        self.flush(_PATIENCE_S)
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        self._thread.join(max(0.0, deadline_s - time.monotonic()))

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
            if self._tell is not None and not self._closed:
                self._tell()

    def _try(self, wanted: str | None) -> str:
        """Write or remove the file; return '' or what went wrong."""
        try:
            if wanted is None:
                for path in self._files():
                    path.unlink(missing_ok=True)
                sync_folder(self.path.parent)
            else:
                write_atomically(self.path, f"{wanted}{_WHOSE}{self._place.whose}\n")
        except Exception as error:  # whatever it is, the thread has to go on
            return self._told(wanted, _cause(error))
        return ""

    def _files(self) -> list[Path]:
        """Return where it may be set: its own file, and a shared one that says of no arm.

        Raises:
            RunError: the latter cannot be read.
        """
        shared = self._place.shared
        if shared is None or _WHOSE in (_read(shared) or ""):
            return [self.path]
        return [self.path, shared]

    def _told(self, wanted: str | None, cause: str) -> str:
        if wanted is None:
            return f"latch {self.path} cannot be removed ({cause}): a restart would be latched"
        return f"latch {self.path} cannot be written ({cause}): a restart would not be latched"


def _read(path: Path) -> str | None:
    """Return what a latch says, None where there is none.

    Raises:
        RunError: it is there and cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(
            f"latch {path} is set and cannot be read ({error.strerror}): make it a readable "
            "file, or remove it when the arm may move again"
        ) from None


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
