"""End a child process without losing what it has."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable


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
