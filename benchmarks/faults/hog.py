"""Take a processor core away from everything below the highest priorities, once, at SIGUSR1.

Arguments: the core, and for how many seconds. Writes the steady clock of its end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

PRIORITY = 50


def may_hog() -> bool:
    """Say whether this machine has a second core, and lets us take one away."""
    if len(os.sched_getaffinity(0)) < 2:
        return False
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        return False
    os.sched_setscheduler(0, *before)
    return True


def main(arguments: Sequence[str]) -> int:
    """Wait for the signal, then loop."""
    core, seconds = int(arguments[0]), float(arguments[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    sys.stdout.write("ready\n")
    signal.sigwait({signal.SIGUSR1})
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        pass
    # Python takes several milliseconds to end: no longer at the others' expense.
    freed_s = time.monotonic()
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    sys.stdout.write(f"{freed_s}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
