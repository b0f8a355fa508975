"""The `metadata.yaml` of a rosbag2 bag, version 9, as rosbag2 of Jazzy writes it.

Source: `rosbag2_storage/yaml.hpp` of ros2/rosbag2; offered qualities of service are a list of maps
from version 9 on, before that a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import yaml
from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import dump_qos_v9

VERSION = 9
DISTRIBUTION = "jazzy"
# The parser of libyaml is several times faster, and is missing in some installations.
_Dumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, kw_only=True)
class Topic:
    """What a bag says of a topic beside its messages.

    Attributes:
        name: absolute.
        msgtype: as `sensor_msgs/msg/JointState`.
        type_hash: RIHS01, or empty.
        qos: what its publishers offered when it was first seen.
    """

    name: str
    msgtype: str
    type_hash: str = ""
    qos: tuple[Qos, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FileSummary:
    """One finished file of a bag.

    Attributes:
        path: name in the bag's folder.
        start_ns: log time of its first message.
        end_ns: log time of its last message.
        counts: messages of each topic.
    """

    path: str
    start_ns: int
    end_ns: int
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def message_count(self) -> int:
        """Messages in all."""
        return sum(self.counts.values())


def render_metadata(
    storage: str,
    topics: Iterable[Topic],
    files: Iterable[FileSummary],
    custom_data: Mapping[str, str] | None = None,
) -> str:
    """Return the text of `metadata.yaml`; files are in the order of recording."""
    files = list(files)
    filled = [file for file in files if file.message_count]
    start_ns = min((file.start_ns for file in filled), default=0)
    end_ns = max((file.end_ns for file in filled), default=0)
    counts: dict[str, int] = {}
    for file in files:
        for topic, count in file.counts.items():
            counts[topic] = counts.get(topic, 0) + count
    content = {
        "version": VERSION,
        "storage_identifier": storage,
        **_span(start_ns, end_ns),
        "message_count": sum(counts.values()),
        "topics_with_message_count": [
            {"topic_metadata": _topic(topic), "message_count": counts.get(topic.name, 0)}
            for topic in topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file.path for file in files],
        "files": [_file(file) for file in files],
        "custom_data": dict(custom_data) if custom_data else None,
        "ros_distro": DISTRIBUTION,
    }
    return yaml.dump(
        {"rosbag2_bagfile_information": content},
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=4096,
    )


def _file(file: FileSummary) -> dict[str, object]:
    count = file.message_count
    span = _span(file.start_ns, file.end_ns) if count else _span(0, 0)
    return {"path": file.path, **span, "message_count": count}


def _span(start_ns: int, end_ns: int) -> dict[str, dict[str, int]]:
    return {
        "duration": {"nanoseconds": end_ns - start_ns},
        "starting_time": {"nanoseconds_since_epoch": start_ns},
    }


def _topic(topic: Topic) -> dict[str, object]:
    return {
        "name": topic.name,
        "type": topic.msgtype,
        "serialization_format": "cdr",
        "offered_qos_profiles": dump_qos_v9(list(topic.qos)),
        "type_description_hash": topic.type_hash,
    }
