"""Ctrl-C as a request, which a training asks for several times a second."""

from __future__ import annotations

import signal


class StopOnSignal:
    """Becomes true at the first SIGINT or SIGTERM; a second one ends the process at once."""

    def __init__(self) -> None:
        """Take over both signals."""
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def __call__(self) -> bool:
        """Return whether a signal has come."""
        return self._asked

    def _ask(self, number: int, _frame: object) -> None:
        self._asked = True
        signal.signal(number, signal.SIG_DFL)
