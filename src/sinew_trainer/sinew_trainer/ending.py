"""SIGTERM and SIGHUP end a command as Ctrl-C does: by an exception, after which it tidies up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """A signal has asked for the end; `number` is its number."""

    def __init__(self, number: int) -> None:
        """Remember which."""
        super().__init__(signal.Signals(number).name)
        self.number = number


def status_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status of a command that ended so, as a shell would."""
    return 128 + (interrupt.number if isinstance(interrupt, Ended) else signal.SIGINT)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Ended` at the first SIGTERM or SIGHUP, and let nothing but Ctrl-C disturb the end.

    `timeout` sends its signal twice, and a terminal that closes may. A signal that is ignored from
    the start, as under `nohup`, stays so.
    """

    def end(number: int, _frame: object) -> None:
        for each in _NUMBERS:
            signal.signal(each, signal.SIG_IGN)
        raise Ended(number)

    before = {number: signal.getsignal(number) for number in _NUMBERS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
