"""Computing in a process of its own: `python -m sinew_core.sysid.process JOB`, so no node blocks.

The parameters come as JSON on standard input. What there is to tell goes to standard output, one
JSON object a line: `progress` (stage, step, cost), `say` (a sentence), and at the end `done` (the
folder, and the lines of a summary) or `error` (one line). Ctrl-C, and the end of standard input,
end a fit at its best step so far, and the results are those of it, also where nobody is left to be
told. What comes before the job begins ends it there: whoever starts the process blocks SIGINT.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping

from sinew_core.errors import SinewError

Tell = Callable[[Mapping[str, object]], None]

AGAIN_S = 0.05
"""After an interrupt that Python ignored, when the destructor that it came in is over."""


def main(arguments: list[str]) -> int:
    """Run the job that the first argument names; return the exit status."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    sys.unraisablehook = _unraisable
    values = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    # Late: errors before it must be told, and programs that only read this file need none of it.
    from sinew_core.sysid import jobs

    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        jobs.JOBS[arguments[0]](values, _tell)
    except SinewError as error:
        _tell({"error": str(error)})
        return 1
    except KeyboardInterrupt:
        _tell({"error": "stopped before there was anything to keep"})
        return 1
    return 0


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Interrupt once more where Ctrl-C came within a destructor, which Python would ignore."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
    else:
        sys.__unraisablehook__(unraisable)


def _end_with_input() -> None:
    """End as Ctrl-C does when the node that started this process is gone."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)


def _tell(content: Mapping[str, object]) -> None:
    try:
        sys.stdout.write(json.dumps(content) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the node is gone; the results are there for whoever looks for them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
