"""End a child process without losing what it has, also where its parent dies."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def ends_with_parent(number: int) -> Callable[[], None]:
    """Return a `preexec_fn` that has a child get a signal when the thread that starts it dies."""
    parent = os.getpid()

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before that
            os._exit(1)

    return ask


def interrupt(
    process: subprocess.Popen[bytes],
    within_s: float,
    once_asked: Callable[[], None] = lambda: None,
) -> bool:
    """End a process as Ctrl-C does and wait; kill it, and return False, if it takes longer.

    `once_asked` is called before the wait.
    """
    if process.poll() is not None:
        return True
    process.send_signal(signal.SIGINT)
    once_asked()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True
