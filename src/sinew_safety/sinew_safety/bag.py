"""Read the topics of a recorded safety filter from a rosbag2 bag, without trusting it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from sinew_core.bags.folder import recover_command
from sinew_core.errors import BagError

if TYPE_CHECKING:
    from rosbags.interfaces import Connection

M = TypeVar("M")

STATE, COMMAND, OUTPUT, CONFIGURATION = "state", "command", "output", "configuration"
TYPES = {
    STATE: "sensor_msgs/msg/JointState",
    COMMAND: "trajectory_msgs/msg/JointTrajectory",
    OUTPUT: "std_msgs/msg/Float64MultiArray",
    CONFIGURATION: "std_msgs/msg/String",
}
"""Message type of each kind of topic."""


class Recorded(NamedTuple):
    """One message: when it was recorded, its kind, and its serialised form."""

    time_ns: int
    kind: str
    data: bytes


class Bag:
    """An open bag."""

    def __init__(self, folder: str) -> None:
        """Open the bag.

        Raises:
            BagError: if there is none, or it cannot be read.
        """
        path = Path(folder).expanduser()
        if not (path / "metadata.yaml").is_file():
            remedy = (
                f"recover it with `{recover_command(folder)}`"
                if path.is_dir() and any(path.glob("*.db3")) | any(path.glob("*.mcap"))
                else "give the folder of a bag, with metadata.yaml in it"
            )
            raise BagError(f"no complete bag at '{folder}': {remedy}")
        self._folder = folder
        try:
            self._reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
            self._reader.open()
        # Files that are cut off or damaged fail in whatever the formats' readers are made of.
        except Exception as error:
            raise self._unreadable(error) from None

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    @property
    def topics(self) -> dict[str, str]:
        """Type of each topic with messages."""
        return {c.topic: c.msgtype for c in self._reader.connections if c.msgcount}

    def require(self, kind: str, topic: str, remedy: str) -> None:
        """Refuse a bag without a topic of this kind.

        Raises:
            BagError: with the topics of that type.
        """
        if self.topics.get(topic) == TYPES[kind]:
            return
        same = sorted(t for t, found in self.topics.items() if found == TYPES[kind])
        has = f"it has {', '.join(same)}" if same else "nor any other of its type"
        raise BagError(f"bag '{self._folder}' has no {topic} ({TYPES[kind]}), {has}: {remedy}")

    def messages(self, topics: dict[str, str]) -> Iterator[Recorded]:
        """Return the messages of topics, given with their kinds, in the order of recording.

        Raises:
            BagError: where the bag ends too early or is damaged.
        """
        connections: list[Connection] = [
            c for c in self._reader.connections if topics.get(c.topic) and c.msgcount
        ]
        if not connections:
            return
        messages = self._reader.messages(connections=connections)
        while True:
            try:
                connection, time_ns, data = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise self._unreadable(error) from None
            yield Recorded(time_ns, topics[connection.topic], bytes(data))

    def decode(self, message: Recorded, kind: type[M]) -> M:
        """Return a message as an object.

        Raises:
            BagError: if it is damaged.
        """
        try:
            decoded: M = deserialize_message(message.data, kind)
        except Exception as error:
            raise self.damaged(message, error) from None
        return decoded

    def damaged(self, message: Recorded, error: Exception) -> BagError:
        """Return the error for a message that cannot be decoded."""
        return BagError(
            f"bag '{self._folder}': the {message.kind} recorded at {message.time_ns} ns cannot be "
            f"decoded ({_line(error)}): the bag is damaged"
        )

    def _unreadable(self, error: Exception) -> BagError:
        return BagError(
            f"bag '{self._folder}' cannot be read to its end ({_line(error)}): it is cut off or "
            f"damaged; recover what is left with `{recover_command(self._folder)}`"
        )


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
