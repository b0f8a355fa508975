"""Malformed commands, made at random, each with the cause for which it has to be rejected."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Sequence

from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from sinew_core.safety.gate import Rejection
from sinew_ros.stamps import set_stamp

MAX_LENGTH = 20
_WORDS = ("", " ", "panda", "panda_joint", "joint_1", "関節", "côté", "\u202e", "x" * 300, "\n")
# The patterns that random bits hardly ever hit: infinities, NaN (quiet, signalling, with payloads
# and sign), the smallest and the largest numbers.
_BITS = (
    0x7FF0000000000000,
    0xFFF0000000000000,
    0x7FF8000000000000,
    0x7FF0000000000001,
    0xFFF8DEADBEEF0001,
    0x0000000000000001,
    0x800FFFFFFFFFFFFF,
    0x7FEFFFFFFFFFFFFF,
    0x8000000000000000,
)


class Fuzzer:
    """Make messages of one sender for one arm."""

    def __init__(self, joint_names: Sequence[str], sender: str, seed: int) -> None:
        """Seed the generator."""
        self._joints = list(joint_names)
        self._sender = sender
        self._rng = random.Random(seed)

    def permuted(self, stamp_ns: int, velocity_rad_s: Sequence[float]) -> JointTrajectory:
        """Return a valid command (n_joints,) whose joints come in another order."""
        order = self._rng.sample(range(len(self._joints)), len(self._joints))
        values = array("d", [velocity_rad_s[i] for i in order])
        return self._message(stamp_ns, [self._joints[i] for i in order], [values])

    def malformed(self, stamp_ns: int) -> Iterator[tuple[JointTrajectory, Rejection]]:
        """Return messages without end; only their stamp is as it should be."""
        makers = (self._points, self._names, self._length, self._not_finite)
        while True:
            names, points, cause = self._rng.choice(makers)()
            yield self._message(stamp_ns, names, points), cause

    def _points(self) -> tuple[list[str], list[array[float]], Rejection]:
        count = self._rng.choice((0, 2, 3, 5))
        return self._in_any_order(), [self._values() for _ in range(count)], Rejection.POINTS

    def _names(self) -> tuple[list[str], list[array[float]], Rejection]:
        names = self._any_names()
        while sorted(names) == sorted(self._joints):
            names = self._any_names()
        return names, [self._values(len(names))], Rejection.NAMES

    def _length(self) -> tuple[list[str], list[array[float]], Rejection]:
        length = self._rng.choice([n for n in range(MAX_LENGTH + 1) if n != len(self._joints)])
        return self._in_any_order(), [self._values(length)], Rejection.LENGTH

    def _not_finite(self) -> tuple[list[str], list[array[float]], Rejection]:
        values = self._values(len(self._joints))
        while all(map(math.isfinite, values)):
            values = self._values(len(self._joints))
        return self._in_any_order(), [values], Rejection.NOT_FINITE

    def _any_names(self) -> list[str]:
        """Return the joints with some left out, doubled, renamed or added."""
        names = self._in_any_order()
        for _ in range(self._rng.randint(1, 4)):
            place = self._rng.randrange(len(names)) if names else 0
            stranger = self._rng.choice([*_WORDS, *self._joints])
            change = self._rng.randrange(4)
            if change == 0:
                names[place : place + 1] = [stranger]
            elif change == 1:
                names.insert(place, stranger)
            elif change == 2:
                del names[place : place + self._rng.randint(1, len(self._joints))]
            else:
                names = [stranger] * self._rng.randint(0, MAX_LENGTH)
        return names[:MAX_LENGTH]

    def _in_any_order(self) -> list[str]:
        return self._rng.sample(self._joints, len(self._joints))

    def _values(self, length: int | None = None) -> array[float]:
        """Return numbers of arbitrary bits, some of them extreme ones."""
        length = self._rng.randint(0, MAX_LENGTH) if length is None else length
        bits = [
            self._rng.choice(_BITS) if self._rng.random() < 0.3 else self._rng.getrandbits(64)
            for _ in range(length)
        ]
        values = array("d")
        values.frombytes(array("Q", bits).tobytes())
        return values

    def _message(
        self, stamp_ns: int, names: list[str], points: Sequence[array[float]]
    ) -> JointTrajectory:
        message = JointTrajectory(
            joint_names=names, points=[JointTrajectoryPoint(velocities=v) for v in points]
        )
        message.header.frame_id = self._sender
        set_stamp(message.header.stamp, stamp_ns)
        return message
