"""When to send to a safety filter that runs by a clock of its own: in the middle of its cycles."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType

from sinew_ros.main import SinewNode

_EARLIEST, _LATEST = 0.2, 0.85
"""Parts of a period after a command within which the filter's report of a cycle is to come."""


class SendClock:
    """Calls back once a period on the steady clock, which is that of the filter's cycles too.

    Where a report shows that commands come about when the filter takes one, so that a cycle would
    see none and the next one two, the clock is set on by half a period.
    """

    def __init__(self, node: SinewNode, period_s: float, tick: Callable[[], None]) -> None:
        """Take what is called; nothing is before `start`."""
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._period_s, self._tick = period_s, tick
        self._timer = node.create_timer(period_s, self._due, clock=steady)
        self._shift = node.create_timer(period_s / 2.0, self._shifted, clock=steady)
        self._ticked_s = 0.0
        self._settled = False
        self.stop()

    def start(self) -> None:
        """Begin; the first call comes after a period."""
        self._settled = True
        self._timer.reset()

    def stop(self) -> None:
        """Call no more."""
        self._timer.cancel()
        self._shift.cancel()

    def reported(self) -> None:
        """Take it that a report of the filter has just come."""
        since = (time.monotonic() - self._ticked_s) / self._period_s % 1.0
        if self._settled and not _EARLIEST <= since <= _LATEST:
            self._settled = False
            self._timer.cancel()
            self._shift.reset()

    def _due(self) -> None:
        self._settled = True
        self._ticked_s = time.monotonic()
        self._tick()

    def _shifted(self) -> None:
        self._shift.cancel()
        self._timer.reset()
        self._due()
