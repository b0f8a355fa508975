"""Count what a recording lacks, from the numbers and stamps that its messages carry."""

from __future__ import annotations

import statistics

_BLOCK = 200
_FEWEST = 8
_LATE = 1.5


class SequenceGaps:
    """Messages missing between those received, by the publisher's sequence numbers."""

    def __init__(self) -> None:
        """Begin before the first message."""
        self._last: int | None = None
        self._lost = 0
        self._mixed = False

    def take(self, number: int) -> None:
        """Take the number of the next message."""
        if self._last is not None:
            if number <= self._last:
                self._mixed = True
            self._lost += max(0, number - self._last - 1)
        self._last = number

    @property
    def lost(self) -> int | None:
        """How many are missing; None where several publishers count, each for itself."""
        return None if self._mixed else self._lost


class StampGaps:
    """Samples missing in a series of stamps, against the median period of 200 samples at a time.

    A rate that changes is followed; a stamp that goes back begins a new series.
    """

    def __init__(self) -> None:
        """Begin before the first stamp."""
        self._last_ns: int | None = None
        self._block: list[int] = []
        self._period_ns = 0.0
        self._lost = 0

    def take(self, stamp_ns: int) -> None:
        """Take the next stamp."""
        if self._last_ns is not None and stamp_ns > self._last_ns:
            self._block.append(stamp_ns - self._last_ns)
            if len(self._block) == _BLOCK:
                self._lost += self._count()
                self._block.clear()
        self._last_ns = stamp_ns

    @property
    def lost(self) -> int:
        """How many samples are missing so far."""
        return self._lost + self._count()

    def _count(self) -> int:
        if len(self._block) >= _FEWEST:
            self._period_ns = statistics.median(self._block)
        period_ns = self._period_ns
        if not period_ns:
            return 0
        late = (step for step in self._block if step > _LATE * period_ns)
        return sum(round(step / period_ns) - 1 for step in late)
