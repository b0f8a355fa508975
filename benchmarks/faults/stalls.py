"""When the whole machine stood still: one clock per core, above every other priority.

On a virtual machine the host takes cores away for 10 ms and more now and then. A watchdog that runs
out meanwhile is right to, but it is not the fault that was injected.

As a program it takes a core and the lateness that counts, and writes begin and end of each
standstill on the steady clock.
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

    def __init__(self, folder: Path, lateness_s: float = _STALL_S) -> None:
        """Prepare; `folder` takes what the clocks write, which is where they are late by this."""
        self._folder, self._lateness_s = folder, lateness_s
        self._clocks: list[subprocess.Popen[bytes]] = []
        self._logs: list[Path] = []

    def __enter__(self) -> Stalls:
        """Start them."""
        for core in sorted(os.sched_getaffinity(0)) if may_hog() else ():
            log = self._folder / f"stalls-{core}.txt"
            with log.open("wb") as out:
                program = [sys.executable, "-m", "benchmarks.faults.stalls"]
                command = [*program, str(core), str(self._lateness_s)]
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
        return any(end_s > since_s for _, end_s in self.standstills())

    def standstills(self) -> list[tuple[float, float]]:
        """Return begin and end of each so far, on the steady clock in s, sorted."""
        lines = [line.split() for log in self._logs for line in log.read_text().splitlines()]
        return sorted((float(begin), float(end)) for begin, end in lines)


def main(arguments: Sequence[str]) -> int:
    """Look at the clock for ever."""
    lateness_s = float(arguments[1])
    os.sched_setaffinity(0, {int(arguments[0])})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    last_s = time.monotonic()
    while True:
        time.sleep(_PERIOD_S)
        now_s = time.monotonic()
        if now_s - last_s > _PERIOD_S + lateness_s:
            sys.stdout.write(f"{last_s} {now_s}\n")
            sys.stdout.flush()
        last_s = now_s


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
