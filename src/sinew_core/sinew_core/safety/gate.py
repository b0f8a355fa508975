"""The gate for commands: what is malformed, out of time or from a second source does not pass."""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Sequence


class Rejection(enum.Enum):
    """Why a whole command message was rejected."""

    POINTS = "not exactly one point"
    NAMES = "joint names unknown, missing or twice"
    LENGTH = "values of the action mode missing or of wrong number"
    NOT_FINITE = "a value is not finite"
    NO_STATE = "no joint state yet"
    FUTURE = "stamp in the future"
    OLD = "stamp too old"
    OUT_OF_ORDER = "stamp not after the last one"
    SOURCE = "a second source"


class CommandGate:
    """Check commands, put their values into joint order, and remember who sends them.

    A command carries the stamp of the joint state that it answers, so stamps are compared with
    those of joint states, within one epoch. A jump of these stamps, backwards or forwards by more
    than `jump_ns`, starts a new epoch.

    Attributes:
        rejected: number of rejected messages by cause.
        epochs: number of jumps of the clock seen.
        source: who sent the first command that was accepted since `forget_source`; None before.
        foreign: messages from a second source since then.
        old_ns: largest age of a command, in force or offered.
    """

    def __init__(
        self, joint_names: Sequence[str], *, future_ns: int, old_ns: int, jump_ns: int
    ) -> None:
        """Fix the joints and the largest ages, all in nanoseconds."""
        self.rejected: Counter[Rejection] = Counter()
        self.epochs = 0
        self.foreign = 0
        self._joint_names = tuple(joint_names)
        self._future_ns, self.old_ns, self._jump_ns = future_ns, old_ns, jump_ns
        self._names: list[str] = []
        self._order: list[int] | None = None
        self._state_stamp: int | None = None
        self._last_stamp: int | None = None
        self.source: str | None = None
        self._heard: dict[str, int] = {}

    def observe_state(self, stamp_ns: int) -> bool:
        """Take the stamp of a joint state; return whether it started a new epoch."""
        previous = self._state_stamp
        self._state_stamp = stamp_ns
        if previous is None or 0 <= stamp_ns - previous <= self._jump_ns:
            return False
        self.epochs += 1
        self._last_stamp = None
        return True

    def forget_source(self) -> None:
        """Let whoever sends the next command that can be accepted be the source (on arming).

        A message that is rejected makes no source: a stray one must not shut out the policy.
        """
        self.source = self._last_stamp = None
        self.foreign = 0

    def active_sources(self, now_ns: int) -> list[str]:
        """Return who has sent within the age of a command, on the clock of `now_ns`."""
        return sorted(s for s, heard in self._heard.items() if now_ns - heard <= self.old_ns)

    def check(
        self,
        now_ns: int,
        stamp_ns: int,
        source: str,
        names: Sequence[str],
        points: Sequence[Sequence[float]],
    ) -> list[float] | Rejection:
        """Return the values (n,) in joint order, or why the message is rejected, and count that."""
        result = self._check(now_ns, stamp_ns, source, names, points)
        if isinstance(result, Rejection):
            self.rejected[result] += 1
        else:
            self.source, self._last_stamp = source, stamp_ns
        return result

    def _check(
        self,
        now_ns: int,
        stamp_ns: int,
        source: str,
        names: Sequence[str],
        points: Sequence[Sequence[float]],
    ) -> list[float] | Rejection:
        self._hear(source, now_ns)
        if self.source is not None and source != self.source:
            self.foreign += 1
            return Rejection.SOURCE
        if len(points) != 1:
            return Rejection.POINTS
        order = self._map(names)
        if order is None:
            return Rejection.NAMES
        values = points[0]
        if len(values) != len(order):
            return Rejection.LENGTH
        if not all(map(math.isfinite, values)):
            return Rejection.NOT_FINITE
        wrong_time = self._check_time(stamp_ns)
        return wrong_time or [values[i] for i in order]

    def _check_time(self, stamp_ns: int) -> Rejection | None:
        if self._state_stamp is None:
            return Rejection.NO_STATE
        age_ns = self._state_stamp - stamp_ns
        if age_ns < -self._future_ns:
            return Rejection.FUTURE
        if age_ns > self.old_ns:
            return Rejection.OLD
        if self._last_stamp is not None and stamp_ns <= self._last_stamp:
            return Rejection.OUT_OF_ORDER
        return None

    def _hear(self, source: str, now_ns: int) -> None:
        # Bounded: forget the quiet ones when names keep changing.
        if len(self._heard) > 16:
            self._heard = {s: t for s, t in self._heard.items() if now_ns - t <= self.old_ns}
        self._heard[source] = now_ns

    def _map(self, names: Sequence[str]) -> list[int] | None:
        """Return each joint's place in the message, None unless the names are exactly ours."""
        if names != self._names:
            self._names = list(names)
            exact = len(names) == len(self._joint_names) and set(names) == set(self._joint_names)
            self._order = [self._names.index(n) for n in self._joint_names] if exact else None
        return self._order
