"""Record what a graph says, byte for byte, and write it as a bag, changed or not."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from rclpy.qos import DurabilityPolicy, QoSProfile
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)


@dataclasses.dataclass(frozen=True)
class Message:
    topic: str
    type_name: str
    time_ns: int
    data: bytes


class Recording:
    """The messages of some topics, as they come over the wire."""

    def __init__(self, probe):
        self._probe = probe
        self.messages: list[Message] = []

    def listen(self, kind, topic, durability=DurabilityPolicy.VOLATILE):
        """Record a topic, with a queue that a busy machine does not fill."""
        qos = QoSProfile(depth=5000, durability=durability)
        type_name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"

        def keep(data):
            self.messages.append(Message(topic, type_name, time.time_ns(), data))

        self._probe.node.create_subscription(kind, topic, keep, qos, raw=True)

    def of(self, topic) -> list[Message]:
        return [m for m in self.messages if m.topic == topic]


def write_bag(
    folder: Path,
    messages: list[Message],
    *,
    plugin: StoragePlugin = StoragePlugin.SQLITE3,
    topic: Callable[[str], str] = lambda name: f"/{name}",
) -> Path:
    """Write the messages in the order given."""
    with Writer(folder, version=9, storage_plugin=plugin) as writer:
        connections = {}
        for message in messages:
            name = topic(message.topic)
            if name not in connections:
                connections[name] = writer.add_connection(name, message.type_name, typestore=STORE)
            writer.write(connections[name], message.time_ns, message.data)
    return folder
