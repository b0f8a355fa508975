"""`./sinew test [pytest arguments]`: all tests, those that start a graph after the others.

The others share the cores. A graph needs them for itself where its nodes are judged by what they do
in time; where they only wait for messages (`beside`), two graphs run side by side, since each waits
most of its time. Arguments that select tests are left to pytest as they are.

Graphs run in real time, on a machine that may stand still for longer than they bear. So a test of
one that fails is run once more, by itself, and that is said; what fails again is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# One thread for each process: those of torch and BLAS would contend for the cores that tests share.
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
# Where Python writes no byte code, each worker of each run compiles all tests and their rewritten
# assertions anew.
_ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)
# Neighbours stay together until a worker has nothing left, so that fixtures of a module are made
# once or twice, and no worker is left alone with a long file.
_WITHOUT_GRAPH = ("-n", "auto", "--dist", "worksteal", "-m", "not graph")
_GRAPHS_BESIDE = ("tests/nodes", "-n", "2", "-m", "graph and beside")
_GRAPH = ("tests/nodes", "-m", "graph and not beside")
_AGAIN = ("tests/nodes", "-m", "graph", "--last-failed", "--last-failed-no-failures", "none")


def main(arguments: list[str]) -> int:
    """Run pytest once, or in parts; a failure in one does not keep the next from running.

    The exit status is pytest's: the first that says that something is wrong.
    """
    if any(not argument.startswith("-") or argument.startswith("-m") for argument in arguments):
        os.execve(sys.executable, [sys.executable, "-m", "pytest", *arguments], _ENVIRONMENT)
    statuses = []
    for selection in (_WITHOUT_GRAPH, _GRAPHS_BESIDE, _GRAPH):
        try:
            status = _run(selection, arguments)
            if status == pytest.ExitCode.TESTS_FAILED and selection is not _WITHOUT_GRAPH:
                sys.stderr.write("sinew test: what failed, once more by itself\n")
                again = _run(_AGAIN, arguments)
                status = again if again != pytest.ExitCode.NO_TESTS_COLLECTED else status
        except KeyboardInterrupt:  # pytest has had the signal too, and said what it has done
            return int(pytest.ExitCode.INTERRUPTED)
        if status not in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            return status
        statuses.append(status)
    if pytest.ExitCode.TESTS_FAILED in statuses:
        return int(pytest.ExitCode.TESTS_FAILED)
    return min(statuses)  # a part may have nothing for the arguments, all may not


def _run(selection: tuple[str, ...], arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", *selection, *arguments]
    return subprocess.call(command, env=_ENVIRONMENT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
