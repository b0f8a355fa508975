"""`./sinew test [pytest arguments]`: all tests, those that start a graph after the others.

The others share the cores. A graph needs them for itself: its nodes are judged by what they do in
time. Arguments that select tests are left to pytest as they are.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_WITHOUT_GRAPH = ("-n", "auto", "--dist", "loadfile", "-m", "not graph")
_GRAPH = ("-m", "graph")
_NOTHING_COLLECTED = pytest.ExitCode.NO_TESTS_COLLECTED


def main(arguments: list[str]) -> int:
    """Run pytest once or twice; the exit status is that of the first run that fails."""
    if any(not argument.startswith("-") or argument == "-m" for argument in arguments):
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])
    for selection in (_WITHOUT_GRAPH, _GRAPH):
        try:
            status = subprocess.call([sys.executable, "-m", "pytest", *selection, *arguments])
        except KeyboardInterrupt:  # pytest has had the signal too, and said what it has done
            return int(pytest.ExitCode.INTERRUPTED)
        if status not in (0, _NOTHING_COLLECTED):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
