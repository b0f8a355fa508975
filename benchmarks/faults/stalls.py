"""When the whole machine stood still: one clock per core, above every other priority.

On a virtual machine the host takes cores away for 10 ms and more now and then. A watchdog that runs
out meanwhile is right to, but it is not the fault that was injected.

As a program it takes a core, and writes begin and end of each standstill on the steady clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from benchmarks.faults.hog import may_hog
from benchmarks.faults.processes import ROOT, die_with_parent

PRIORITY = 98
_PERIOD_S = 0.002
_STALL_S = 0.004
"""Lateness that counts: most of a filter period of 5 ms."""


class Stalls:
    """The clocks; a context manager. Without the right to real-time priorities there are none."""

    def __init__(self, folder: Path) -> None:
        """Prepare; `folder` takes what the clocks write."""
        self._folder = folder
        self._clocks: list[subprocess.Popen[bytes]] = []
        self._logs: list[Path] = []

    def __enter__(self) -> Stalls:
        """Start them."""
        for core in sorted(os.sched_getaffinity(0)) if may_hog() else ():
            log = self._folder / f"stalls-{core}.txt"
            with log.open("wb") as out:
                command = [sys.executable, "-m", "benchmarks.faults.stalls", str(core)]
                self._clocks.append(
                    subprocess.Popen(
                        command,
                        cwd=ROOT,
                        stdout=out,
                        start_new_session=True,
                        preexec_fn=die_with_parent,
                    )
                )
            self._logs.append(log)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End them."""
        for clock in self._clocks:
            clock.kill()
            clock.wait()

    def any_since(self, since_s: float) -> bool:
        """Say whether a core has stood still after `since_s` on the steady clock."""
        lines = [line for log in self._logs for line in log.read_text().splitlines()]
        return any(float(line.split()[1]) > since_s for line in lines)


def main(arguments: Sequence[str]) -> int:
    """Look at the clock for ever."""
    os.sched_setaffinity(0, {int(arguments[0])})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    last_s = time.monotonic()
    while True:
        time.sleep(_PERIOD_S)
        now_s = time.monotonic()
        if now_s - last_s > _PERIOD_S + _STALL_S:
            sys.stdout.write(f"{last_s} {now_s}\n")
            sys.stdout.flush()
        last_s = now_s


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
