"""The wall time that a run has used, over all its parts, pauses left out."""

from __future__ import annotations

from collections.abc import Callable


class Stopwatch:
    """Counts seconds from what earlier parts of the run used."""

    def __init__(self, clock: Callable[[], float], used_s: float = 0.0) -> None:
        """Start counting."""
        self._clock = clock
        self._used_s = used_s
        self._since_s: float | None = clock()

    def __call__(self) -> float:
        """Return the seconds used."""
        running_s = 0.0 if self._since_s is None else self._clock() - self._since_s
        return self._used_s + running_s

    def pause(self) -> None:
        """Stand still until `go_on`."""
        self._used_s, self._since_s = self(), None

    def go_on(self) -> None:
        """Count again."""
        self._since_s = self._clock()
