"""Who is sending: publishers told apart even where they give the same name.

A middleware numbers the messages of each publisher upwards. A number that is not above the last one
of a name therefore comes from another publisher of that name: a copy, or one started again. Lost
messages leave gaps, which prove nothing.
"""

from __future__ import annotations

_REMEMBERED = 8


class Senders:
    """Name the publishers of one topic."""

    def __init__(self) -> None:
        """Begin without any."""
        self._last: dict[str, list[int]] = {}
        self._latest: dict[str, int] = {}

    def identify(self, name: str, number: int | None) -> str:
        """Return who sent the message: `name`, or that with a number for further publishers.

        Args:
            name: that the message itself gives.
            number: that the middleware gave it, None where it gives none.
        """
        if number is None:
            return name
        if name not in self._last:
            if len(self._last) >= _REMEMBERED:
                oldest = next(iter(self._last))
                del self._last[oldest], self._latest[oldest]
            self._last[name], self._latest[name] = [], 0
        last = self._last[name]
        index = self._publisher(last, self._latest[name], number)
        if index == len(last):
            last.append(number)
        last[index], self._latest[name] = number, index
        return name if index == 0 else f"{name}, publisher {index + 1}"

    @staticmethod
    def _publisher(last: list[int], latest: int, number: int) -> int:
        """Return whose message it is: where it leaves no gap, else that of the latest message."""
        following = [i for i, n in enumerate(last) if n + 1 == number]
        above = following or [i for i, n in enumerate(last) if n < number]
        if above:
            return latest if latest in above else above[-1]
        # Bounded: a publisher that is started again and again takes the last place.
        return min(len(last), _REMEMBERED - 1)
