"""Who is connected to the topics of a deployment, and whether their QoS fits."""

from __future__ import annotations

from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from sinew_core.deployment.connections import Connection
from sinew_core.deployment.preflight import Graph
from sinew_ros.messages import command_stamp, label_stamp
from sinew_ros.qos import (
    CONTROLLER_COMMAND,
    LATCHED,
    RELIABLE,
    STATE_SUBSCRIPTION,
    incompatible_publishers,
    incompatible_subscribers,
)

LEVELS = {DiagnosticStatus.OK: "OK", DiagnosticStatus.WARN: "WARN"}
"""Of diagnostics by their number; all others are `ERROR`."""


def connections(node: Node, controller_topic: str) -> Graph:
    """Return the connections of a deployment; `node` itself counts only as a driver."""
    topic = node.resolve_topic_name(controller_topic)
    own, output = node.get_fully_qualified_name(), _connection(node, topic)
    unheard = incompatible_subscribers(node, topic, CONTROLLER_COMMAND)
    return Graph(
        states=_heard(node, "joint_states"),
        command=_heard(node, "policy/command"),
        output=Connection(
            topic=topic,
            publishers=tuple(name for name in output.publishers if name != own),
            subscribers=output.subscribers,
            problems=tuple(unheard) if output.subscribers else (),
        ),
        target=_heard(node, "target_pose"),
        description=_heard(node, "robot_description"),
    )


def listeners(node: Node, topic: str) -> tuple[str, ...]:
    """Return who else subscribes a topic, by full name."""
    return _connection(node, node.resolve_topic_name(topic)).subscribers


def label_stamp_of(message: Float64MultiArray | JointTrajectory) -> int | None:
    """Return the stamp of the policy's command behind an output, None without one."""
    if isinstance(message, JointTrajectory):
        stamps = message.header.frame_id.split(" ")
        return label_stamp(stamps[1]) if len(stamps) > 1 else None
    return command_stamp(message)


_PROFILES = {
    "joint_states": STATE_SUBSCRIPTION,
    "policy/command": RELIABLE,
    "target_pose": RELIABLE,
    "robot_description": LATCHED,
}


def _heard(node: Node, name: str) -> Connection:
    topic = node.resolve_topic_name(name)
    found = _connection(node, topic)
    problems = incompatible_publishers(node, topic, _PROFILES[name])
    return Connection(
        topic=topic,
        publishers=found.publishers,
        subscribers=found.subscribers,
        problems=tuple(problems),
    )


def _connection(node: Node, topic: str) -> Connection:
    own = node.get_fully_qualified_name()
    subscribers = _names(node.get_subscriptions_info_by_topic(topic))
    return Connection(
        topic=topic,
        publishers=_names(node.get_publishers_info_by_topic(topic)),
        subscribers=tuple(name for name in subscribers if name != own),
    )


def _names(ends: Sequence[TopicEndpointInfo]) -> tuple[str, ...]:
    names = (f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in ends)
    return tuple(dict.fromkeys(names))
