"""The topics of a recording: which, how they are subscribed, and what came on them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

from sinew_core.bags.losses import SequenceGaps
from sinew_core.errors import ConfigError
from sinew_ros.messages import COMMAND_FIELDS, commands_topic
from sinew_ros.stamps import NS_PER_S
from sinew_sysid.parameters import RecordParameters

JOINT_STATE = "sensor_msgs/msg/JointState"
STRING = "std_msgs/msg/String"
_ARRAY = "std_msgs/msg/Float64MultiArray"
_TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
_DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"
_POSE = "geometry_msgs/msg/PoseStamped"
_RELIABLE, _BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


class RecordedTopic:
    """One topic and what came on it.

    Attributes:
        name: as subscribed; absolute once the node has resolved it.
        kind: its type, as `sensor_msgs/msg/JointState`.
        qos: of the subscription; None until a publisher shows what it offers.
        count: messages put into the bag's queue.
        first_ns, last_ns: their log times.
        gaps: what is missing by the publisher's sequence numbers.
    """

    def __init__(self, name: str, kind: str, qos: QoSProfile | None) -> None:
        """Begin without messages."""
        self.name = name
        self.kind = kind
        self.qos = qos
        self.count = 0
        self.first_ns = self.last_ns = 0
        self.gaps = SequenceGaps()

    @property
    def rate_hz(self) -> float:
        """Messages per second of log time, 0 for fewer than two."""
        span_ns = self.last_ns - self.first_ns
        return (self.count - 1) * NS_PER_S / span_ns if span_ns > 0 else 0.0

    def count_message(self, time_ns: int) -> None:
        """Take notice of one message in the bag's queue."""
        self.first_ns = self.first_ns if self.count else time_ns
        self.last_ns = max(self.last_ns, time_ns)
        self.count += 1


def topics_to_record(p: RecordParameters) -> list[RecordedTopic]:
    """Return the topics, the joint states first."""
    volatile, latched = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
    depth = p.queue_depth
    reliable = QoSProfile(depth=depth, reliability=_RELIABLE, durability=volatile)
    best_effort = QoSProfile(depth=depth, reliability=_BEST_EFFORT, durability=volatile)
    kept = QoSProfile(depth=depth, reliability=_RELIABLE, durability=latched)
    found: dict[str, tuple[str, QoSProfile | None]] = {p.state_topic: (JOINT_STATE, best_effort)}
    if p.controller:
        found[f"{p.controller}/commands"] = _ARRAY, reliable
        found[f"{p.controller}/joint_trajectory"] = _TRAJECTORY, reliable
    else:
        for mode in (p.mode,) if p.mode else COMMAND_FIELDS:
            found[commands_topic(mode)] = _ARRAY, reliable
    found["policy/command"] = _TRAJECTORY, reliable
    found["robot_description"] = STRING, kept
    found[f"{p.filter}/configuration"] = STRING, kept
    found[f"{p.filter}/interventions"] = _TRAJECTORY, reliable
    found["diagnostics"] = _DIAGNOSTICS, reliable
    for name in (p.target_topic, p.object_topic):
        if name:
            found[name] = _POSE, reliable
    for name, kind in p.further_topics:
        if name in found and found[name][0] != kind:
            raise ConfigError(f"topics has {name}:{kind}, which is recorded as {found[name][0]}")
        found.setdefault(name, (kind, None))
    return [RecordedTopic(_place(p, name), *rest) for name, rest in found.items()]


def resolved(
    topics: Iterable[RecordedTopic], full_name: Callable[[str], str]
) -> list[RecordedTopic]:
    """Return the topics under their full names, one that was named twice once.

    Raises:
        ConfigError: it was named as two types.
    """
    found: dict[str, RecordedTopic] = {}
    for topic in topics:
        topic.name = full_name(topic.name)
        known = found.setdefault(topic.name, topic)
        if known.kind != topic.kind:
            raise ConfigError(
                f"topics has {topic.name}:{topic.kind}, which is recorded as {known.kind}"
            )
    return list(found.values())


def _place(p: RecordParameters, name: str) -> str:
    """Return a name in the namespace; without one it is relative to that of the node."""
    space = p.namespace.strip("/")
    return f"/{space}/{name}" if space and not name.startswith("/") else name


def message_class(kind: str) -> type:
    """Return the class of a type.

    Raises:
        ConfigError: if it is not installed.
    """
    package, _, name = kind.split("/")
    try:
        found: type = getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        raise ConfigError(
            f"message type {kind} is not installed: install {package}, or check the name"
        ) from None
    return found


def definition_text(kind: str) -> str:
    """Return the installed .msg file of a type, empty where there is none."""
    package, folder, name = kind.split("/")
    try:
        share = Path(get_package_share_directory(package))
        return (share / folder / f"{name}.msg").read_text(encoding="utf-8")
    except (PackageNotFoundError, OSError):
        return ""


def adapted(offers: list[QoSProfile], depth: int) -> QoSProfile:
    """Return the strictest profile that hears every one of these publishers."""
    reliable = all(offer.reliability == _RELIABLE for offer in offers)
    latched = all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
    return QoSProfile(
        depth=depth,
        reliability=_RELIABLE if reliable else _BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def bag_qos(offer: QoSProfile) -> Qos:
    """Return a publisher's offer in the form in which bags hold it."""

    def time(duration: object) -> QosTime:
        return QosTime(*divmod(int(getattr(duration, "nanoseconds", 0)), NS_PER_S))

    return Qos(
        QosHistory[_name(offer.history, QosHistory)],
        int(offer.depth),
        QosReliability[_name(offer.reliability, QosReliability)],
        QosDurability[_name(offer.durability, QosDurability)],
        time(offer.deadline),
        time(offer.lifespan),
        QosLiveliness[_name(offer.liveliness, QosLiveliness)],
        time(offer.liveliness_lease_duration),
        bool(offer.avoid_ros_namespace_conventions),
    )


def _name(policy: object, known: type[Enum]) -> str:
    name = str(getattr(policy, "name", ""))
    return name if name in known.__members__ else "UNKNOWN"
