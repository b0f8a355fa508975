"""A job of `sinew_core.sysid.jobs` in a process of its own, as its node sees it."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import IO

from sinew_ros.child import interrupt

_STOP_WITHIN_S = 60.0
"""What a fit that is stopped takes to write what it has."""


class JobProcess:
    """Runs a job; looking at what it tells never blocks."""

    def __init__(self, job: str, parameters: Mapping[str, object]) -> None:
        """Start it."""
        self._told: queue.SimpleQueue[dict[str, object]] = queue.SimpleQueue()
        # It inherits that, so that Ctrl-C waits until it can end in one line.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sinew_core.sysid.process", job],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C reaches it once, through the node
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Left open: its end tells the job that this node is gone.
        self._process.stdin.write(f"{json.dumps(dict(parameters))}\n".encode())
        self._process.stdin.flush()
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()

    def told(self) -> Iterator[dict[str, object]]:
        """Yield what it has told since, in order."""
        while True:
            try:
                yield self._told.get_nowait()
            except queue.Empty:
                return

    def status(self) -> int | None:
        """Return its exit status, None while it runs or has something left to tell."""
        return None if self._reader.is_alive() else self._process.wait()

    def end(self) -> bool:
        """Ask it to end with what it has, and wait; kill it, and return False, if that hangs."""
        ended = interrupt(self._process, _STOP_WITHIN_S)
        self._reader.join()
        return ended

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            try:
                content = json.loads(line)
            except ValueError:  # a library that prints
                content = {"say": line.decode(errors="replace").rstrip()}
            self._told.put(content if isinstance(content, dict) else {"say": str(content)})
