"""Ctrl-C that has to wait: what is nearly done is finished, and what was asked is remembered."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class StopRequest:
    """Whether Ctrl-C came meanwhile.

    Attributes:
        asked: whether it did.
    """

    def __init__(self) -> None:
        """Begin without."""
        self.asked = False

    def note(self, *_: object) -> None:
        """Take a signal."""
        self.asked = True


@contextlib.contextmanager
def uninterrupted() -> Iterator[StopRequest]:
    """Keep SIGINT from interrupting; outside the main thread, which it never does, do nothing."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = signal.signal(signal.SIGINT, request.note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before)
