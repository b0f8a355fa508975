"""Messages of a bag in their own timing, as if they were sent now.

Stamps are moved by one offset, so that they are of this computer's clock and keep their distances:
ages, rates and jitter read as on the day of the recording, and no simulated clock is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from sinew_core.bags.bag import STATE, Bag, Recorded

TARGET = "target"
_NS_PER_S = 1_000_000_000
_STAMP_AT = 4
_LITTLE_ENDIAN = b"\x00\x01"


class Playback:
    """Give out what is due.

    Attributes:
        sent: messages given out, by kind.
    """

    def __init__(self, path: str | Path, *, state_topic: str, target_topic: str) -> None:
        """Open a bag.

        Args:
            path: folder of the bag, or one of its files.
            state_topic: full name of the joint states in it.
            target_topic: full name of the targets in it, which it need not have.

        Raises:
            BagError: it cannot be read, or has no joint states on that topic.
        """
        self.sent = {STATE: 0, TARGET: 0}
        self._bag = Bag(path)
        self._bag.require(STATE, state_topic, "give state_topic:=")
        topics = {state_topic: STATE}
        if target_topic in self._bag.topics:
            topics[target_topic] = TARGET
        self.has_targets = TARGET in topics.values()
        self._messages: Iterator[Recorded] = self._bag.messages(topics)
        self._next: Recorded | None = next(self._messages, None)
        self._began_s: float | None = None
        self._first_ns = self._next.time_ns if self._next else 0
        self._offset_ns = 0

    @property
    def ended(self) -> bool:
        """Whether every message was given out."""
        return self._next is None

    def due(self, now_s: float, clock_ns: int) -> Iterator[tuple[str, bytes]]:
        """Return kind and bytes of each message whose time has come; the first call begins.

        Args:
            now_s: steady clock.
            clock_ns: clock that stamps are of.
        """
        if self._began_s is None:
            self._began_s, self._offset_ns = now_s, clock_ns - self._first_ns
        until_ns = self._first_ns + round((now_s - self._began_s) * _NS_PER_S)
        while self._next is not None and self._next.time_ns <= until_ns:
            message = self._next
            self._next = next(self._messages, None)
            self.sent[message.kind] += 1
            yield message.kind, shift_stamp(message.data, self._offset_ns)

    def close(self) -> None:
        """Close the bag."""
        self._bag.close()


def shift_stamp(data: bytes, offset_ns: int) -> bytes:
    """Return a serialised message whose header comes first, its stamp moved; the rest untouched.

    A stamp of zero, which says that there is none, stays.
    """
    layout = struct.Struct("<iI" if data.startswith(_LITTLE_ENDIAN) else ">iI")
    seconds, nanoseconds = layout.unpack_from(data, _STAMP_AT)
    stamp_ns = seconds * _NS_PER_S + nanoseconds
    if not stamp_ns:
        return data
    moved = bytearray(data)
    layout.pack_into(moved, _STAMP_AT, *divmod(stamp_ns + offset_ns, _NS_PER_S))
    return bytes(moved)


def full_topics(namespace: str, topics: Mapping[str, str]) -> dict[str, str]:
    """Return topics of a bag by name, relative ones in a namespace."""
    start = f"/{namespace.strip('/')}".rstrip("/")
    return {k: v if v.startswith("/") else f"{start}/{v}" for k, v in topics.items()}
