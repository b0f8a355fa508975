"""`./sinew test [pytest arguments]`: all tests, those that start a graph beside all others.

Graphs run in real time and wait most of it. So the other tests take the cores whenever no graph
wants them: the kernel runs what is scheduled as idle only then. Graphs that are judged by what they
do in time run one after the other; where they only wait for messages (`beside`), two run at once.
Arguments that select tests are left to pytest as they are.

A machine may stand still for longer than a graph bears. So a test of one that fails is run once
more, when all others have ended, and that is said; what fails again is a failure.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from typing import BinaryIO

import pytest

# One thread for each process: those of torch and BLAS would contend for the cores that tests share.
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
# Where Python writes no byte code, each worker of each run compiles all tests and their rewritten
# assertions anew.
_ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)
# Neighbours stay together until a worker has nothing left, so that fixtures of a module are made
# once or twice, and no worker is left alone with a long file.
_WITHOUT_GRAPH = ("-n", "auto", "--dist", "worksteal", "-m", "not graph")
# What failed is kept for each part, as parts that run at once would write over each other's.
_GRAPHS_BESIDE = (
    *("tests/nodes", "-n", "2", "-m", "graph and beside"),
    *("-o", "cache_dir=.pytest_cache/graphs_beside"),
)
_GRAPH = ("tests/nodes", "-m", "graph and not beside", "-o", "cache_dir=.pytest_cache/graphs")
_AGAIN = ("--last-failed", "--last-failed-no-failures", "none")
_ORDINARY = (
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.NO_TESTS_COLLECTED,
)


def main(arguments: list[str]) -> int:
    """Run pytest once, or in parts; a failure in one does not keep the others from running.

    The exit status is pytest's: the first that says that something is wrong.
    """
    if any(not argument.startswith("-") or argument.startswith("-m") for argument in arguments):
        os.execve(sys.executable, [sys.executable, "-m", "pytest", *arguments], _ENVIRONMENT)
    with tempfile.TemporaryFile() as said:
        others = _start(_WITHOUT_GRAPH, arguments, said)
        try:
            graphs = {part: _run(part, arguments) for part in (_GRAPHS_BESIDE, _GRAPH)}
            statuses = [_follow(others, said)]
            for part, status in graphs.items():
                if status == pytest.ExitCode.TESTS_FAILED:
                    sys.stderr.write("sinew test: what failed of the graphs, once more\n")
                    again = _run((*part, *_AGAIN), arguments)
                    status = again if again != pytest.ExitCode.NO_TESTS_COLLECTED else status
                statuses.append(status)
        except KeyboardInterrupt:  # pytest has had the signal too, and says what it has done
            _follow(others, said)
            return int(pytest.ExitCode.INTERRUPTED)
    odd = [status for status in statuses if status not in _ORDINARY]
    if odd:
        return odd[0]
    if pytest.ExitCode.TESTS_FAILED in statuses:
        return int(pytest.ExitCode.TESTS_FAILED)
    return min(statuses)  # a part may have nothing for the arguments, all may not


def _start(
    selection: tuple[str, ...], arguments: list[str], said: BinaryIO
) -> subprocess.Popen[bytes]:
    """Begin a part that gives way to all else on the machine."""
    command = _command(selection, arguments)
    return subprocess.Popen(
        command, env=_ENVIRONMENT, stdout=said, stderr=said, preexec_fn=_give_way
    )


def _give_way() -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _follow(process: subprocess.Popen[bytes], said: BinaryIO) -> int:
    """Show what a process says until it ends; return its exit status."""
    place = 0
    while True:
        ended = process.poll() is not None
        text = os.pread(said.fileno(), 1 << 20, place)
        place += len(text)
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
        if ended and not text:
            return process.returncode
        if not text:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)


def _run(selection: tuple[str, ...], arguments: list[str]) -> int:
    return subprocess.call(_command(selection, arguments), env=_ENVIRONMENT)


def _command(selection: tuple[str, ...], arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *selection, *arguments]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
