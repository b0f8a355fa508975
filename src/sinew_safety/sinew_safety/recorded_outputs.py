"""The outputs of a recorded safety filter, whichever adapter sent them, in the robot's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from sinew_core.bags.bag import OUTPUT, TRAJECTORY
from sinew_core.errors import BagError, ConfigError
from sinew_core.joint_order import joint_order
from sinew_core.safety.record import CycleRecord
from sinew_core.safety.recording import Output
from sinew_ros.messages import answered_stamp, command_stamp, cycle_record, label_stamp
from sinew_safety.configuration import FilterConfiguration

Fields = tuple[str, int | None, int | None, Sequence[float]]
"""Record, stamps in ns of the state answered and of the command, and values as they were sent."""
Find = Callable[[str], FilterConfiguration]
"""Returns the configuration of a check, and raises a `ConfigError` for one that is not known."""


class OutputReader:
    """Reads the messages of one adapter.

    Attributes:
        kind: of their topic, as bags have it.
    """

    def __init__(self, configuration: FilterConfiguration, find: Find) -> None:
        """Take a configuration, which tells the adapter, and how others of the run are found."""
        trajectory = configuration.node.adapter == "trajectory"
        self.kind = TRAJECTORY if trajectory else OUTPUT
        self.message_type: type = JointTrajectory if trajectory else Float64MultiArray
        self._find = find
        self._orders: dict[tuple[str, ...], tuple[int, ...]] = {}

    def read(self, time_ns: int, message: object, joints: Sequence[str]) -> Output:
        """Return an output that was recorded at this time; the robot's joints are as in messages.

        Raises:
            BagError: it has no record, or not the robot's joints.
            ConfigError: it is in an order that is not known.
        """
        names: tuple[str, ...] = ()
        if isinstance(message, JointTrajectory):
            names = tuple(message.joint_names)
            text, state_ns, command_ns, sent = _fields_of_trajectory(message)
        else:
            text, state_ns, command_ns, sent = _fields_of_array(message)
        try:
            record = CycleRecord.parse(text)
            if state_ns is None or command_ns is None:
                raise ValueError("no stamps beside it")
        except ValueError as error:
            raise BagError(
                f"the output recorded at {time_ns} ns cannot be replayed, {error}: "
                "the bag is damaged, or of a filter that writes no records"
            ) from None
        if len(sent) != len(joints):
            raise BagError(
                f"the output recorded at {time_ns} ns has {len(sent)} values for "
                f"{len(joints)} joints: give the robot of the bag, robot:="
            )
        order = self._order(names or self._recorded_names(record, joints), joints)
        values = [0.0] * len(joints)
        for index, value in zip(order, sent, strict=True):
            values[index] = value
        return Output(time_ns, state_ns, command_ns, tuple(values), record)

    def _recorded_names(self, record: CycleRecord, joints: Sequence[str]) -> tuple[str, ...]:
        """Return the controller's joints, in the order of an array."""
        configuration = self._find(record.configuration)
        if configuration.node.controller_joints == "robot":
            return tuple(joints)
        if not configuration.controller_joints:
            raise ConfigError(
                "controller_joints is read, but the configuration does not say what was read: "
                "leave config empty, so that the one in the bag is used"
            )
        return configuration.controller_joints

    def _order(self, names: tuple[str, ...], joints: Sequence[str]) -> tuple[int, ...]:
        if names not in self._orders:
            self._orders[names] = joint_order(names, joints, "joints of the recorded outputs")
        return self._orders[names]


def _fields_of_array(message: Float64MultiArray) -> Fields:
    return cycle_record(message), answered_stamp(message), command_stamp(message), message.data


def _fields_of_trajectory(message: JointTrajectory) -> Fields:
    """Return what `sinew_ros.raw.TrajectoryWriter` has written."""
    state, _, rest = str(message.header.frame_id).partition(" ")
    command, _, record = rest.partition(" ")
    sent = message.points[0].positions if len(message.points) == 1 else ()
    return record, label_stamp(state), label_stamp(command), sent
