"""Conversions between messages and plain numbers; message objects are built once and used again."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from builtin_interfaces.msg import Duration
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from sinew_core.controllers import FORWARD, TRAJECTORY, controller_name, output_topic
from sinew_core.errors import ConfigError
from sinew_core.joint_mapper import JointMapper
from sinew_ros.raw import JointStateReader
from sinew_ros.stamps import NS_PER_S, set_stamp, stamp_ns

COMMAND_FIELDS = {
    "joint_velocity": "velocities",
    "joint_position": "positions",
    "joint_effort": "effort",
}
"""Action mode to the field of JointTrajectoryPoint that carries it."""


def commands_topic(mode: str, controller: str = "") -> str:
    """Return the topic of a controller's commands; empty: the forward controller of the mode."""
    return output_topic(FORWARD, controller_name(mode, FORWARD, controller))


def trajectory_topic(controller: str = "") -> str:
    """Return the topic of a trajectory controller's points; empty: the usual controller."""
    return output_topic(TRAJECTORY, controller_name("joint_position", TRAJECTORY, controller))


def point_values(message: JointTrajectory, mode: str) -> list[Sequence[float]]:
    """Return what each point of a command holds for the mode, empty where it holds nothing."""
    return [getattr(point, COMMAND_FIELDS[mode]) for point in message.points]


class JointStateMapper(JointMapper):
    """Merges `JointState` messages, see `JointMapper`.

    Attributes:
        damaged: messages that were none, and left out.
    """

    def __init__(self, joint_names: Sequence[str]) -> None:
        """Map the joints named, in this order."""
        super().__init__(joint_names)
        self.damaged = 0
        self._reader = JointStateReader()

    def update_raw(self, data: bytes) -> bool:
        """Take over a message as it came (`raw=True`), several times faster than `update`."""
        fields = self._reader.read(data)
        if fields is None:
            self.damaged += 1
            return False
        return self.merge(*fields)

    def update(self, message: JointState) -> bool:
        """Take one message over; return whether it held a finite position of any joint."""
        stamp = stamp_ns(message.header.stamp)
        return self.merge(stamp, message.name, message.position, message.velocity, message.effort)


class CommandMessage:
    """A `JointTrajectory` of one point for `policy/command`, to publish again and again."""

    def __init__(self, joint_names: Sequence[str], mode: str, sender: str, period_s: float) -> None:
        """Fix joints, action mode (a key of `COMMAND_FIELDS`), sender id and control period."""
        if mode not in COMMAND_FIELDS:
            raise ConfigError(f"action mode '{mode}': choose one of {', '.join(COMMAND_FIELDS)}")
        self._field = COMMAND_FIELDS[mode]
        nanosec = round(period_s * NS_PER_S)
        self._point = JointTrajectoryPoint(
            time_from_start=Duration(sec=nanosec // NS_PER_S, nanosec=nanosec % NS_PER_S)
        )
        self._message = JointTrajectory(joint_names=list(joint_names), points=[self._point])
        self._message.header.frame_id = sender

    def fill(self, state_stamp: int, values: Sequence[float]) -> JointTrajectory:
        """Return the message that answers the joint state of this stamp with these values (n,)."""
        set_stamp(self._message.header.stamp, state_stamp)
        setattr(self._point, self._field, array("d", values))
        return self._message


class InterventionMessage:
    """A `JointTrajectory` for `~/interventions`, to publish again and again.

    The first point is what was asked, the second what was sent. The header's stamp is that of the
    joint state answered, and its `frame_id` names the cause for each joint, `none` included.
    """

    def __init__(self, joint_names: Sequence[str], mode: str) -> None:
        """Fix joints and action mode, a key of `COMMAND_FIELDS`."""
        self._field = COMMAND_FIELDS[mode]
        self._points = [JointTrajectoryPoint(), JointTrajectoryPoint()]
        self._message = JointTrajectory(joint_names=list(joint_names), points=self._points)

    def fill(
        self, state_stamp: int, asked: Sequence[float], sent: Sequence[float], causes: Sequence[str]
    ) -> JointTrajectory:
        """Return the message with these values (n,) and causes (n,)."""
        set_stamp(self._message.header.stamp, state_stamp)
        self._message.header.frame_id = ",".join(causes)
        for point, values in zip(self._points, (asked, sent), strict=True):
            setattr(point, self._field, array("d", values))
        return self._message


def answered_stamp(message: Float64MultiArray) -> int | None:
    """Return the stamp of the state that a controller command answers; None where it has none."""
    return label_stamp(_label(message, 0))


def command_stamp(message: Float64MultiArray) -> int | None:
    """Return the stamp of the policy's command behind a controller command, None without one."""
    return label_stamp(_label(message, 1))


def cycle_record(message: Float64MultiArray) -> str:
    """Return what the filter did for a controller command; '' where it does not say."""
    return _label(message, 2)


def label_stamp(label: str) -> int | None:
    """Return the stamp in ns that a label of a controller command holds; None without one."""
    return int(label) if label.isdecimal() else None


def _label(message: Float64MultiArray, index: int) -> str:
    dimensions = message.layout.dim
    return str(dimensions[index].label) if len(dimensions) > index else ""
