"""Definitions of message types, as bags carry them: text and type hash.

Types of ROS 2 Jazzy are known; of others the text is looked up, or learnt from another bag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sinew_core.errors import BagError

FindText = Callable[[str], str]
"""Returns the text of a type's .msg file, empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A message type.

    Attributes:
        msgtype: as `sensor_msgs/msg/JointState`.
        text: its definition in the format `ros2msg`, followed by those of all types within.
        type_hash: RIHS01, REP-2011; empty where the definition cannot be understood.
    """

    msgtype: str
    text: str
    type_hash: str


class MessageTypes:
    """Known message types; definitions are made once."""

    def __init__(self, find_text: FindText | None = None) -> None:
        """Know Jazzy's types, and those whose text `find_text` returns."""
        self._store = get_typestore(Stores.ROS2_JAZZY)
        self._find_text = find_text
        self._definitions: dict[str, Definition] = {}

    def define(self, msgtype: str) -> Definition:
        """Return the definition of a type.

        Raises:
            BagError: if the type, or one within it, is unknown.
        """
        if msgtype not in self._definitions:
            self._register(msgtype, ())
            text, _ = self._store.generate_msgdef(msgtype, ros_version=2)
            self._definitions[msgtype] = Definition(
                msgtype=msgtype, text=text, type_hash=self._store.hash_rihs01(msgtype)
            )
        return self._definitions[msgtype]

    def learn(self, msgtype: str, text: str) -> Definition:
        """Return the definition with this text, which holds the types within, too.

        A text that is empty or cannot be understood is replaced by the known one, where there is
        one.
        """
        if not text and msgtype in self._store.fielddefs:
            return self.define(msgtype)
        known = self._definitions.get(msgtype)
        if known is None or known.text != text:
            store = get_typestore(Stores.EMPTY)
            try:
                store.register(get_types_from_msg(text, msgtype))
                type_hash = store.hash_rihs01(msgtype) if text else ""
            # The parser of foreign text fails in many ways, and a bag may do without the hash.
            except Exception:
                if msgtype in self._store.fielddefs:
                    return self.define(msgtype)
                type_hash = ""
            known = Definition(msgtype=msgtype, text=text, type_hash=type_hash)
            self._definitions[msgtype] = known
        return known

    def _register(self, msgtype: str, within: tuple[str, ...]) -> None:
        """Make a type known to the store, and before it the types within it."""
        if msgtype in self._store.fielddefs or msgtype in within:
            return
        text = self._find_text(msgtype) if self._find_text else ""
        if not text:
            where = f" (within {within[-1]})" if within else ""
            raise BagError(
                f"message type {msgtype}{where} is unknown: install its package, "
                "or check the name, as in sensor_msgs/msg/JointState"
            )
        types = get_types_from_msg(text, msgtype)
        for _, fields in types.values():
            for _, (_, detail) in fields:
                for name in _names(detail):
                    self._register(name, (*within, msgtype))
        self._store.register(types)


def _names(detail: object) -> list[str]:
    """Return the message types that a field's description names."""
    if isinstance(detail, str):
        return [detail] if detail.count("/") == 2 else []
    if isinstance(detail, tuple):
        return [name for part in detail for name in _names(part)]
    return []
