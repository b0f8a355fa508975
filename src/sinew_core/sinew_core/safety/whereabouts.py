"""Whether an arm that is held was moved away, or only seems to be.

A hold of positions keeps to the last one sent, the reference. Whoever guides the arm by hand while
its drives are off, or lets it sag, moves it away from there, and it is not to jump back once they
are on again: the reference goes after it. A measurement that is wrong must not take it along. One
wrong joint state jumps, and so do those of another robot's description. Those of a driver that has
died behind its clock stand still, where the reference has gone on.

So the arm counts as moved away when every joint that is off the reference

- has itself been measured to move, since the hold began,
- from sample to sample no further than it can, and
- now rests there for some samples.

What remains open is for whoever arms to decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_PERSISTS_S = 0.03
"""How long positions have to persist before they count, in three samples at least."""
_GAP_S = 0.06
"""Longest time from one sample to the next in which a motion is still told from a jump."""

Values = Sequence[float]


class Sight(NamedTuple):
    """What a measured position says of an arm that is held.

    Attributes:
        sure: whether it goes on from those before, or has persisted.
        away: whether a hold has to be made of it: the arm was moved there, or held nowhere yet.
    """

    sure: bool
    away: bool


class Whereabouts:
    """Compares the measured positions of a held arm with each other and with the reference."""

    def __init__(self, speed_rad_s: Values, follows_rad: float, period_s: float) -> None:
        """Take speed limits (n,), how far a drive that follows may be off, and the filter's period.

        The distance in rad is as measured, noise included.
        """
        self._follows_rad = follows_rad
        self._reach = [v * max(_GAP_S, 2.0 * period_s) + follows_rad for v in speed_rad_s]
        self._samples = max(3, math.ceil(_PERSISTS_S / period_s - 1e-9))
        self._known = self._begun = self._jumped = self._following = False
        # Where the hold began, the last sample that counts, the last one that jumped.
        self._base: Values = ()
        self._latest: Values = ()
        self._jump: Values = ()
        self._changed: list[bool] = []
        self._persisted = self._rested = 0
        self._before: Values | None = None

    def leave(self, position: Values | None) -> None:
        """Note that the arm is commanded to move, and where it is measured (n,) rad, if it is.

        The hold after that begins where it was measured last.
        """
        self._begun = False
        if position is not None:
            self._latest = tuple(position)

    def forget(self) -> None:
        """Know nothing any more of where the arm is."""
        self._known = self._begun = False
        self._persisted = 0

    def take(self, position: Values, reference: Values | None, *, at_rest: bool) -> Sight:
        """Take what was measured (n,) rad, and whether the arm is measured at rest.

        The reference (n,) rad is None where a hold has none, or not yet.
        """
        position = tuple(position)
        if not self._counts(position):
            self._following, self._rested = False, 0
            return Sight(sure=False, away=False)
        away = reference is None or self._is_away(position, reference, at_rest=at_rest)
        return Sight(sure=True, away=away)

    def unchanged(self, reference: Values) -> list[tuple[int, float]]:
        """Return the joints whose measured position has been the same since the hold began.

        Only those that are off the reference (n,) rad, with the distance in rad.
        """
        if not self._begun:
            return []
        off = [abs(q - p) for q, p in zip(self._latest, reference, strict=True)]
        return [
            (j, distance)
            for j, distance in enumerate(off)
            if distance > self._follows_rad and not self._changed[j]
        ]

    def _counts(self, position: Values) -> bool:
        """Return whether the arm surely is there; after a jump once it persists."""
        if self._known and not self._begun:
            self._begin(self._latest)
        if self._begun and self._reaches(self._latest, position):
            self._go_on(position)
            return True
        goes_on = self._persisted > 0 and self._reaches(self._jump, position)
        self._persisted = self._persisted + 1 if goes_on else 1
        self._jump = position
        if self._persisted < self._samples:
            return False
        if self._begun:
            self._go_on(position)
            self._jumped = True
        else:
            self._begin(position)
        return True

    def _begin(self, position: Values) -> None:
        self._known = self._begun = True
        self._jumped = self._following = False
        self._persisted = self._rested = 0
        self._base = self._latest = position
        self._changed = [False] * len(position)

    def _go_on(self, position: Values) -> None:
        self._persisted = 0
        self._latest = position
        moved = zip(self._changed, position, self._base, strict=True)
        self._changed = [before or q != base for before, q, base in moved]

    def _reaches(self, first: Values, second: Values) -> bool:
        steps = zip(first, second, self._reach, strict=True)
        return all(abs(b - a) <= reach for a, b, reach in steps)

    def _is_away(self, position: Values, reference: Values, *, at_rest: bool) -> bool:
        before, self._before = self._before, reference
        if self._following:
            if at_rest and reference != before:
                return True
            # The reference has arrived, or may go no further.
            self._following, self._rested, self._base = False, 0, position
            return False
        far, follows = False, self._follows_rad
        moved = at_rest
        for q, p, base in zip(position, reference, self._base, strict=True):
            if abs(q - p) > follows:
                far = True
                moved = moved and abs(q - base) > follows
        if not far:
            self._jumped = False
        self._rested = self._rested + 1 if far and moved and not self._jumped else 0
        self._following = self._rested >= self._samples
        return self._following
