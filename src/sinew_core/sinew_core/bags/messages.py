"""Decode single messages of a deployment: poses, diagnostics, commands with stamps, labels."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

from rosbags.typesys.stores.ros2_jazzy import (
    diagnostic_msgs__msg__DiagnosticArray as DiagnosticMessage,
)
from rosbags.typesys.stores.ros2_jazzy import geometry_msgs__msg__PoseStamped as PoseMessage
from rosbags.typesys.stores.ros2_jazzy import std_msgs__msg__Float64MultiArray as ArrayMessage
from rosbags.typesys.stores.ros2_jazzy import std_msgs__msg__Header as HeaderMessage
from rosbags.typesys.stores.ros2_jazzy import (
    trajectory_msgs__msg__JointTrajectory as TrajectoryMessage,
)

from sinew_core.bags.bag import COMMAND, DIAGNOSTICS, OUTPUT, POSE, TYPES
from sinew_core.bags.joint_states import NS_PER_S, typestore

_FIELDS = {"joint_velocity": "velocities", "joint_position": "positions", "joint_effort": "effort"}
"""Command mode to the field of a trajectory's point that carries it."""
_MAX_DIGITS = 20


class Pose(NamedTuple):
    """A stamped position.

    Attributes:
        stamp_ns: of the header.
        frame: of the header.
        position_m: (3,).
    """

    stamp_ns: int
    frame: str
    position_m: tuple[float, float, float]

    @property
    def finite(self) -> bool:
        """Whether the position is a place."""
        return all(map(math.isfinite, self.position_m))


class Report(NamedTuple):
    """The diagnostics of one node: its name without the first slash, and its values."""

    name: str
    values: dict[str, str]


class Command(NamedTuple):
    """What a policy commands: stamp of the joint state answered, joints, one value for each."""

    stamp_ns: int
    joint_names: tuple[str, ...]
    values: tuple[float, ...]


def decode_pose(data: bytes) -> Pose:
    """Return the position of a `PoseStamped`."""
    message = cast(PoseMessage, typestore().deserialize_cdr(data, TYPES[POSE]))
    place = message.pose.position
    header = message.header
    return Pose(_stamp_ns(header), header.frame_id, (place.x, place.y, place.z))


def decode_diagnostics(data: bytes) -> list[Report]:
    """Return what the nodes in a `DiagnosticArray` report."""
    message = cast(DiagnosticMessage, typestore().deserialize_cdr(data, TYPES[DIAGNOSTICS]))
    return [
        Report(status.name.lstrip("/"), {pair.key: pair.value for pair in status.values})
        for status in message.status
    ]


def decode_command(data: bytes, mode: str) -> Command:
    """Return a command in a mode such as `joint_velocity`; without values where it has none."""
    message = cast(TrajectoryMessage, typestore().deserialize_cdr(data, TYPES[COMMAND]))
    values = getattr(message.points[0], _FIELDS[mode]) if len(message.points) == 1 else ()
    numbers = tuple(float(value) for value in values)
    if len(numbers) != len(message.joint_names):
        numbers = ()
    return Command(_stamp_ns(message.header), tuple(message.joint_names), numbers)


def decode_causes(data: bytes) -> tuple[str, ...]:
    """Return the causes that an intervention of the safety filter names, one for each joint."""
    message = cast(TrajectoryMessage, typestore().deserialize_cdr(data, TYPES[COMMAND]))
    return tuple(message.header.frame_id.split(","))


def decode_command_stamp(data: bytes, kind: str) -> int | None:
    """Return the stamp of the command behind an output of the safety filter.

    None where it is of another sender, or where no command is in force. `docs/safety-filter.md`
    says where arrays and trajectories carry it.
    """
    if kind == OUTPUT:
        array = cast(ArrayMessage, typestore().deserialize_cdr(data, TYPES[OUTPUT]))
        labels = [dimension.label for dimension in array.layout.dim]
    else:
        message = cast(TrajectoryMessage, typestore().deserialize_cdr(data, TYPES[COMMAND]))
        labels = message.header.frame_id.split(" ")
    label = labels[1] if len(labels) > 1 else ""
    stamp_ns = int(label) if label.isdecimal() and len(label) < _MAX_DIGITS else 0
    return stamp_ns or None


def _stamp_ns(header: HeaderMessage) -> int:
    return int(header.stamp.sec) * NS_PER_S + int(header.stamp.nanosec)
