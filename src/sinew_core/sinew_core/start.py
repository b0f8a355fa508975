"""Start a program so that Ctrl-C while it is still imported ends it without a word.

    python -m sinew_core.start [--node] MODULE [arguments]

Imports take a second, and Python answers an interrupt within them with a traceback. As a shell
would, a program then ends with status 130; a node, whose end by Ctrl-C is no failure, with 0.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence

NODE = "--node"
INTERRUPTED = 128 + signal.SIGINT


def main(words: Sequence[str]) -> int:
    """Import the module and return what its `main` returns; it sees its own arguments."""
    status = 0 if words[0] == NODE else INTERRUPTED
    name, *arguments = words[1:] if words[0] == NODE else words
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # from the start, as in the background
    if not deaf:
        signal.signal(signal.SIGINT, lambda *_: os._exit(status))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # `./sinew` keeps it back
    module = importlib.import_module(name)
    sys.argv = [str(module.__file__), *arguments]
    try:
        if not deaf:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        ended: int = module.main()
        return ended
    except KeyboardInterrupt:
        return status


def start(name: str, *, node: bool = False) -> list[str]:
    """Return the words of the command that starts a module so, in this Python."""
    return [sys.executable, "-m", "sinew_core.start", *([NODE] if node else []), name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
