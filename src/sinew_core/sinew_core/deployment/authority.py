"""The part of the speed asked for that an arm moves at, raised slowly."""

from __future__ import annotations


class AuthorityRamp:
    """Go from 0 to the authority in a given time, and from there to another in the same time.

    It falls at once, and rises only.
    """

    def __init__(self, ramp_s: float) -> None:
        """Take the time of the whole way, 0 for a jump."""
        self._ramp_s = ramp_s
        self._began_s = 0.0
        self._from = self._to = 0.0

    @property
    def goal(self) -> float:
        """Where it ends."""
        return self._to

    def begin(self, now_s: float, authority: float, *, slowed: bool = True) -> None:
        """Start at 0, or at the authority itself where commands have no speed to scale."""
        self._began_s, self._from, self._to = now_s, 0.0 if slowed else authority, authority

    def aim(self, now_s: float, authority: float) -> None:
        """Go on to another authority: up within the time of the ramp, down at once."""
        present = self.value(now_s)
        self._began_s = now_s
        self._from, self._to = min(present, authority), authority

    def value(self, now_s: float) -> float:
        """Return the authority of now, rounded to 1e-4, 0 to 1."""
        elapsed_s = max(0.0, now_s - self._began_s)
        part = 1.0 if elapsed_s >= self._ramp_s else elapsed_s / self._ramp_s
        return round(self._from + part * (self._to - self._from), 4)

    def complete(self, now_s: float) -> bool:
        """Tell whether the end is reached."""
        return self.value(now_s) == round(self._to, 4)
