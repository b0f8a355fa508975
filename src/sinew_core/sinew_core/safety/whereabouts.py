"""Whether an arm is where it is held, was moved away from there, or only seems to be.

A hold of positions sends the last one again, the reference. It is sent only as long as the arm is
there: once the measured positions persist elsewhere, nothing is, since to send it could move an
arm that something has stopped, or whose drives come on.

A controller that goes on with the last reference that it was given would still move such an arm. So
the reference goes after an arm that was guided away by hand while its drives were off. That it was
is believed of no measurement alone: a sensor that slipped, a load that pulls, say the same, and a
reference that goes after them takes the arm along, and so their error. It goes after an arm that

- was measured to move to where it is, each joint that is off the reference by itself, from sample
  to sample no further than it can, and then
- has rested there for a second, and
- goes on resting there. At first the reference goes slowly, and further than a drive that is on
  may be off it. Where the arm moves, it was the reference that moved it, or a hand: the reference
  stays, and after a second such trial it goes nowhere any more, until the arm has been commanded.

What remains open is for whoever arms to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sinew_core.safety.parameters import SafetyParameters

_MS = 1_000_000
_SAMPLES = 3
"""Fewest samples of which is said that they persist."""
_PERSISTS_NS = 30 * _MS
"""How long positions have to persist before they count, from the first sample to the last."""
_FIRST_NS = 300 * _MS
"""How long those have to of which the first reference is made: drivers may begin with zeros."""
_RESTS_NS = 1000 * _MS
"""How long an arm has to rest before the reference goes after it."""
_GAP_NS = 60 * _MS
"""Longest time from one sample to the next in which a motion is still told from a jump."""
_TRIALS = 2
"""How often the reference may set out after an arm that does not surely have its drives off."""
_ARRIVED = 0.1
"""Part of the distance that a drive may be off, to which the reference goes after an arm."""

Values = Sequence[float]
Distances = list[tuple[int, float]]


class Sight(NamedTuple):
    """What a measured position says of an arm that is held.

    Attributes:
        sure: whether it has persisted, or goes on from those before: so has whether it is off the
            reference.
        away: whether a hold has to be made of it: the arm was moved there, or held nowhere yet.
    """

    sure: bool
    away: bool


class Follows(NamedTuple):
    """How an arm that is held follows what it was sent.

    Attributes:
        measured_rad: how far it may be measured off that.
        noise_rad: the part of it that a measured position may be wrong.
    """

    measured_rad: float
    noise_rad: float

    @classmethod
    def assumed(cls, safety: SafetyParameters) -> Follows:
        """Return what the safety parameters assume."""
        return cls(safety.tracking_error_rad + safety.noise_rad, safety.noise_rad)


class _Row:
    """Samples in a row that say the same."""

    def __init__(self) -> None:
        self._samples = self._first_ns = self._last_ns = 0

    def __bool__(self) -> bool:
        return self._samples > 0

    def add(self, time_ns: int) -> None:
        self._first_ns = self._first_ns if self._samples else time_ns
        self._last_ns = time_ns
        self._samples += 1

    def clear(self) -> None:
        self._samples = 0

    def lasts(self, long_ns: int) -> bool:
        return self._samples >= _SAMPLES and self._last_ns - self._first_ns >= long_ns


class Whereabouts:
    """Compares the measured positions of a held arm with each other and with the reference.

    Attributes:
        astray: whether the arm has persisted off the reference, which is not to be sent then.
        probe_rad: how far the reference has to go slowly, before a drive that is on and follows it
            as is assumed has surely moved the arm.
        arrived_rad: to which distance the reference goes after a joint.
    """

    def __init__(
        self,
        speed_rad_s: Values,
        follows: Follows,
        period_s: float,
        *,
        patient: bool,
    ) -> None:
        """Take speed limits (n,), how the arm follows while it is held, and the filter's period.

        In a `patient` one the first positions have to persist for longer, as they are sent.
        """
        self.astray = False
        self.arrived_rad = _ARRIVED * follows.measured_rad
        self._first_ns = _FIRST_NS if patient else _PERSISTS_NS
        # Two samples of an arm at rest differ by twice the noise.
        self._still_rad = max(2.0 * follows.noise_rad, self.arrived_rad)
        self.probe_rad = follows.measured_rad + 2.0 * self._still_rad
        self._follows_rad, self._speed = follows.measured_rad, tuple(speed_rad_s)
        self._period_ns = round(period_s * 1e9)
        self._gap_ns = max(_GAP_NS, 2 * self._period_ns)
        self._known = self._begun = self._jumped = self._following = False
        # Where the hold began or the arm was followed to, the last sample that counts, the last one
        # that jumped, where the arm rests.
        self._base: Values = ()
        self._latest: Values = ()
        self._jump: Values = ()
        self._sample_ns: int | None = None
        self._rest: Values = ()
        self._changed: list[bool] = []
        self._moved: list[bool] = []
        self._jumps, self._turns, self._rests = _Row(), _Row(), _Row()
        self._trials = _TRIALS
        self._set_out: Values = ()
        self._before: Values | None = None

    def leave(self, position: Values | None) -> None:
        """Note that the arm is commanded to move, and where it is measured (n,) rad, if it is.

        The hold after that begins where it was measured last.
        """
        self._begun = self.astray = False
        if position is not None:
            self._latest, self._sample_ns = tuple(position), None

    def forget(self) -> None:
        """Know nothing any more of where the arm is."""
        self._known = self._begun = self.astray = False
        self._jumps.clear()

    def take(self, time_ns: int, position: Values, reference: Values | None) -> Sight:
        """Take what was measured (n,) rad, and when, by a steady clock.

        The reference (n,) rad is None where a hold has none, or not yet.
        """
        position = tuple(position)
        if not self._counts(time_ns, position):
            self._turns.clear()
            self._rests.clear()
            self._end_following()
            return Sight(sure=False, away=False)
        if reference is None:
            return Sight(sure=True, away=True)
        off = bool(self.off(reference))
        self._note(time_ns, off=off)
        away = self._is_followed(time_ns, position, reference)
        return Sight(sure=off == self.astray, away=away)

    def off(self, reference: Values) -> Distances:
        """Return the joints off the reference (n,) rad, with the distance in rad."""
        distances = [abs(q - p) for q, p in zip(self._latest, reference, strict=True)]
        return [(j, far) for j, far in enumerate(distances) if far > self._follows_rad]

    def unchanged(self, reference: Values) -> Distances:
        """Return those of them whose measured position is the same since the hold began."""
        if not self._begun:
            return []
        return [(j, far) for j, far in self.off(reference) if not self._changed[j]]

    def _counts(self, time_ns: int, position: Values) -> bool:
        """Return whether the arm surely is there; after a jump once it persists."""
        if self._known and not self._begun:
            self._begin(self._latest)
        reach = self._reach(time_ns)
        if self._begun and _is_near(self._latest, position, reach):
            self._jumps.clear()
        else:
            if self._jumps and not _is_near(self._jump, position, reach):
                self._jumps.clear()
            self._jumps.add(time_ns)
            self._jump = position
            if not self._jumps.lasts(_PERSISTS_NS if self._begun else self._first_ns):
                return False
            self._jumped = self._begun
            if not self._begun:
                self._begin(position)
            # What it says of the reference has persisted, too.
            self._turns, self._jumps = self._jumps, _Row()
        self._latest = position
        ways = [abs(q - base) for q, base in zip(position, self._base, strict=True)]
        changed, moved = zip(self._changed, ways, strict=True), zip(self._moved, ways, strict=True)
        self._changed = [before or way > 0.0 for before, way in changed]
        self._moved = [before or way > self._follows_rad for before, way in moved]
        return True

    def _begin(self, position: Values) -> None:
        self._known = self._begun = True
        self._jumped = self._following = self.astray = False
        for row in (self._jumps, self._turns, self._rests):
            row.clear()
        self._base, self._trials = position, _TRIALS
        self._changed, self._moved = [False] * len(position), [False] * len(position)

    def _reach(self, time_ns: int) -> list[float]:
        """Return how far each joint may have gone since the last sample, wherever that was."""
        before_ns, self._sample_ns = self._sample_ns, time_ns
        gap_ns = self._gap_ns if before_ns is None else time_ns - before_ns
        gap_s = min(max(gap_ns, self._period_ns), self._gap_ns) / 1e9
        return [v * gap_s + self._follows_rad for v in self._speed]

    def _note(self, time_ns: int, *, off: bool) -> None:
        """Note whether the arm is off the reference, which counts once it persists."""
        if off == self.astray:
            self._turns.clear()
        else:
            self._turns.add(time_ns)
            if self._turns.lasts(_PERSISTS_NS):
                self.astray = off
                self._turns.clear()
        self._jumped = self._jumped and off

    def _is_followed(self, time_ns: int, position: Values, reference: Values) -> bool:
        """Return whether the reference is to go after the arm."""
        before, self._before = self._before, reference
        if not self._rests or _largest_distance(position, self._rest) > self._still_rad:
            self._rests.clear()
            self._rest = position
            self._end_following()
        self._rests.add(time_ns)
        if self._following and reference == before:
            # It has arrived, or may go no further; having gone far, it has moved no arm.
            if _largest_distance(reference, self._set_out) > self.probe_rad:
                self._trials = _TRIALS
            self._base, self._moved = position, [False] * len(position)
            self._end_following()
        elif not self._following and self._was_moved(reference):
            self._following, self._set_out = True, reference
            # The rest may have begun in the last of a slow motion: noise would seem to move it.
            self._rest = position
            self._trials -= 1
        return self._following

    def _was_moved(self, reference: Values) -> bool:
        possible = self.astray and not self._jumped and self._trials > 0
        if not possible or not self._rests.lasts(_RESTS_NS):
            return False
        return all(self._moved[joint] for joint, _ in self.off(reference))

    def _end_following(self) -> None:
        """Let the reference stay where it has got to, which is to be sent until this persists."""
        if self._following:
            self._following = self.astray = False
            self._turns.clear()


def _largest_distance(first: Values, second: Values) -> float:
    return max(abs(b - a) for a, b in zip(first, second, strict=True))


def _is_near(first: Values, second: Values, reach: Values) -> bool:
    return all(abs(b - a) <= far for a, b, far in zip(first, second, reach, strict=True))
