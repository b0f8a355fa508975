"""The latest state of some joints, by name, merged from whatever joint states arrive."""

from __future__ import annotations

import math
from collections.abc import Sequence

_NS_PER_S = 1_000_000_000
_MOTION_NS = 100_000_000
"""How far two positions may be apart in time to show a velocity."""


class JointMapper:
    """The latest state of some joints, by name, merged from whatever joint states arrive.

    Extra joints and partial messages are tolerated. An effort that is missing or NaN stays at its
    last value (0 at first). A velocity that is missing or NaN is the difference of the positions
    over the difference of the stamps; 0 at first and after a gap of more than 0.1 s.

    Attributes:
        position, velocity, effort: lists of n floats, ordered as `joint_names` (rad, rad/s, N m).
        stamp_ns: stamp of the last message used.
        updated_ns: per joint, the stamp of the last message that held it.
    """

    def __init__(self, joint_names: Sequence[str]) -> None:
        """Map the joints named, in this order."""
        n = len(joint_names)
        self.joint_names = tuple(joint_names)
        self.position = [math.nan] * n
        self.velocity = [0.0] * n
        self.effort = [0.0] * n
        self.stamp_ns = 0
        self.updated_ns = [0] * n
        self._index = {name: i for i, name in enumerate(self.joint_names)}
        self._names: Sequence[str] = ()
        self._pairs: list[tuple[int, int]] = []
        self._in_order = False

    @property
    def complete(self) -> bool:
        """Whether every joint has been seen."""
        return all(self.updated_ns)

    @property
    def missing(self) -> tuple[str, ...]:
        """The joints not seen yet."""
        return tuple(n for n, t in zip(self.joint_names, self.updated_ns, strict=True) if not t)

    def forget(self) -> None:
        """Start again as if nothing had been seen (after a jump of the clock or a teleport)."""
        n = len(self.joint_names)
        self.position[:] = [math.nan] * n
        self.velocity[:] = self.effort[:] = [0.0] * n
        self.updated_ns[:] = [0] * n

    def merge(
        self,
        stamp: int,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
    ) -> bool:
        """Take one message over; return whether it held a finite position of any joint.

        Args:
            stamp: in ns.
            names: of the message's joints.
            position: (names,) rad, else the message is left out.
            velocity: (names,) rad/s, else it counts as missing.
            effort: (names,) N m, likewise.
        """
        if names is not self._names and names != self._names:
            self._map(names)
        n_names = len(names)
        if len(position) != n_names:
            return False
        has_velocity, has_effort = len(velocity) == n_names, len(effort) == n_names
        usual = self._in_order and has_velocity and has_effort
        # The sum of finite numbers may overflow, which only costs time.
        if usual and math.isfinite(sum(position) + sum(velocity) + sum(effort)):
            self.position[:], self.velocity[:], self.effort[:] = position, velocity, effort
            self.updated_ns[:] = [stamp or 1] * n_names
            self.stamp_ns = stamp
            return True
        used = False
        for i, source in self._pairs:
            q = position[source]
            if not math.isfinite(q):
                continue
            used = True
            v = velocity[source] if has_velocity else math.nan
            if not math.isfinite(v):
                v = self._difference(i, q, stamp)
            self.position[i], self.velocity[i], self.updated_ns[i] = q, v, stamp or 1
            if has_effort and math.isfinite(effort[source]):
                self.effort[i] = effort[source]
        if used:
            self.stamp_ns = stamp
        return used

    def _difference(self, i: int, position: float, stamp: int) -> float:
        elapsed_ns = stamp - self.updated_ns[i]
        if not self.updated_ns[i] or elapsed_ns <= 0:
            return self.velocity[i]
        if elapsed_ns > _MOTION_NS:
            return 0.0
        return (position - self.position[i]) / (elapsed_ns / _NS_PER_S)

    def _map(self, names: Sequence[str]) -> None:
        self._names = names
        self._pairs = [(self._index[n], k) for k, n in enumerate(names) if n in self._index]
        self._in_order = tuple(names) == self.joint_names


class JointReceipts:
    """When each joint was last heard of anew, on the receiver's steady clock.

    Of the stamps only a change counts: those of two senders may be of different clocks, which may
    be set, so that the oldest stamp need not be that of the joint that has been silent for longest.
    """

    def __init__(self, n_joints: int) -> None:
        """Begin without any."""
        self._stamps_ns = [0] * n_joints
        self._received_ns = [0] * n_joints

    def take(self, now_ns: int, updated_ns: Sequence[int]) -> int:
        """Take `JointMapper.updated_ns` (n,) after a message; return the oldest receipt in ns."""
        stamps, received = self._stamps_ns, self._received_ns
        n, first = len(stamps), updated_ns[0]
        if first not in stamps and updated_ns.count(first) == n:  # a message of all joints
            stamps[:], received[:] = updated_ns, [now_ns] * n
            return now_ns
        for i, stamp in enumerate(updated_ns):
            if stamp != stamps[i]:
                stamps[i], received[i] = stamp, now_ns
        return min(received)

    def late(self, timeout_ns: int) -> list[int]:
        """Return the joints last heard of anew by more than this before the latest one."""
        oldest_ns = max(self._received_ns) - timeout_ns
        return [i for i, received_ns in enumerate(self._received_ns) if received_ns < oldest_ns]
