"""Processes to inject faults into: started, signalled, and never left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[2]
STOP_WITHIN_S = 10.0
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Running(Protocol):
    """What `subprocess.Popen` returns, as far as it is used here."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""

    def wait(self, timeout: float, /) -> int:
        """Return the exit status; raise `subprocess.TimeoutExpired` where it does not end."""

    def send_signal(self, number: signal.Signals, /) -> None:
        """Send a signal."""


Starter = Callable[[str, Sequence[str], Mapping[str, str], Path], Running]
"""Starts a module with arguments and an environment in a process that writes to a file."""


def start_module(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start a Python module in a session of its own; it dies with this process."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


class Process:
    """One Python module in a process of its own, which dies with this one."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        domain_id: int,
        start: Starter = start_module,
    ) -> None:
        """Start it; what it writes goes to a file in `folder`, as does its ROS home."""
        self.module = module
        self.supervised = True
        self._log = folder / f"{module}-{time.monotonic_ns()}.log"
        self._process = start(module, arguments, _environment(folder, domain_id), self._log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def running(self) -> bool:
        """Say whether it has not ended."""
        return self.status is None

    def signal(self, number: signal.Signals) -> float:
        """Send a signal; return the steady clock right before."""
        now_s = time.monotonic()
        self._process.send_signal(number)
        return now_s

    def kill(self) -> float:
        """End it as a crash does; return the steady clock right before."""
        self.supervised = False
        now_s = self.signal(signal.SIGKILL)
        self._process.wait(STOP_WITHIN_S)
        return now_s

    def abort(self) -> None:
        """End it where it hangs; what each of its threads was at is in its output."""
        self.signal(signal.SIGABRT)
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()


def end_all(processes: Sequence[Process]) -> list[str]:
    """End every process as Ctrl-C does, then by force; return what went wrong."""
    problems = []
    asked = [p for p in processes if p.running()]
    try:
        for process in asked:
            process.signal(signal.SIGCONT)
            process.signal(signal.SIGINT)
        deadline = time.monotonic() + STOP_WITHIN_S
        while any(p.running() for p in asked) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        for process in asked:
            if process.running():
                process.abort()
                problems.append(f"{process.module} had to be killed:\n{process.output}")
            elif (status := process.status) != 0:
                problems.append(f"{process.module} ended with status {status}:\n{process.output}")
    return problems


def parameter_arguments(
    parameters: Mapping[str, object], remappings: Mapping[str, str] | None = None
) -> list[str]:
    """Return the command line that sets these parameters and topic names."""
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name}:={shown}"]
    for name, other in (remappings or {}).items():
        arguments += ["-r", f"{name}:={other}"]
    return arguments


def _environment(folder: Path, domain_id: int) -> dict[str, str]:
    paths = [ROOT, *sorted(p for p in (ROOT / "src").iterdir() if p.is_dir())]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONFAULTHANDLER": "1",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(domain_id),
        "ROS_HOME": str(folder / "ros_home"),
        "ROS_LOG_DIR": str(folder / "ros_log"),
    }


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, however that ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
