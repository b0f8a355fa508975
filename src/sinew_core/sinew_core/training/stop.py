"""Ctrl-C as a request, which a training asks for several times a second."""

from __future__ import annotations

import signal


class StopOnSignal:
    """Becomes true at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once.

    SIGHUP, of a terminal that closes, is left alone where it is ignored, as under `nohup`.

    Attributes:
        number: the signal that has come, None before.
    """

    def __init__(self) -> None:
        """Take over the signals."""
        self.number: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)

    def __call__(self) -> bool:
        """Return whether a signal has come."""
        return self.number is not None

    def _ask(self, number: int, _frame: object) -> None:
        self.number = number
        signal.signal(number, signal.SIG_DFL)
