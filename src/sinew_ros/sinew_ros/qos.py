"""The quality-of-service profiles of every topic, in one place.

`joint_states` is subscribed best effort, so that it matches reliable and best-effort drivers alike.
In lockstep every message is reliable, because each one is waited for: best effort makes the graph a
tenth faster, but now and then a state is lost and costs a second.
"""

from __future__ import annotations

from rclpy.duration import Infinite
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)


def _profile(
    depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability
    )


RELIABLE = _profile(10, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Lockstep messages, `target_pose`, `policy/command`, `diagnostics` and what drivers publish."""

STATE_SUBSCRIPTION = _profile(10, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)
"""Subscriptions to `joint_states` and `clock` in real time."""

CONTROLLER_COMMAND = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Publishers of `<controller>/commands` in real time: only the latest output counts."""

LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""`robot_description` and other facts that late subscribers must still get."""


def state_subscription(*, lockstep: bool) -> QoSProfile:
    """Return the profile for subscribing `joint_states`."""
    return RELIABLE if lockstep else STATE_SUBSCRIPTION


def controller_command(*, lockstep: bool) -> QoSProfile:
    """Return the profile for publishing `<controller>/commands`."""
    return RELIABLE if lockstep else CONTROLLER_COMMAND


def incompatible_publishers(node: Node, topic: str, subscription: QoSProfile) -> list[str]:
    """Return one sentence for each publisher of `topic` that this subscription cannot hear."""
    problems = []
    for publisher in node.get_publishers_info_by_topic(topic):
        compatibility, reason = qos_check_compatible(publisher.qos_profile, subscription)
        if compatibility == QoSCompatibility.ERROR:
            sender = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
            problems.append(f"QoS of {topic} from {sender} does not fit: {reason}")
    return problems


def incompatible_subscribers(node: Node, topic: str, publisher: QoSProfile) -> list[str]:
    """Return one sentence for each subscriber of `topic` that cannot hear this publisher.

    Where nobody subscribes at all, that is the sentence.
    """
    subscribers = node.get_subscriptions_info_by_topic(topic)
    if not subscribers:
        return [
            f"nobody subscribes to {topic}: start the driver, or check controller and namespace"
        ]
    # A subscriber that was discovered asks for an infinite deadline and lease, where a profile that
    # leaves them open seems to offer none.
    offered = QoSProfile(
        history=publisher.history,
        depth=publisher.depth,
        reliability=publisher.reliability,
        durability=publisher.durability,
        deadline=Infinite,
        liveliness=LivelinessPolicy.AUTOMATIC,
        liveliness_lease_duration=Infinite,
    )
    problems = []
    for subscriber in subscribers:
        compatibility, reason = qos_check_compatible(offered, subscriber.qos_profile)
        if compatibility == QoSCompatibility.ERROR:
            receiver = f"{subscriber.node_namespace.rstrip('/')}/{subscriber.node_name}"
            problems.append(f"QoS of {topic} to {receiver} does not fit: {reason}")
    return problems
