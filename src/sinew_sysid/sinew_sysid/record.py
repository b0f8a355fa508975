"""Record an arm into a rosbag2 bag: joint states, commands, descriptions, byte for byte.

Callbacks only put the serialised messages into a queue; a thread writes them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from rclpy.subscription import Subscription
from std_msgs.msg import String

from sinew_core.bags.background import BackgroundWriter
from sinew_core.bags.losses import StampGaps
from sinew_core.bags.message_types import MessageTypes
from sinew_core.bags.writer import BagWriter
from sinew_core.errors import BagError
from sinew_core.robots.catalogue import load_robot
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import declare_from
from sinew_ros.qos import LATCHED, incompatible_publishers
from sinew_ros.raw import JointStateReader, read_stamp
from sinew_ros.stamps import NS_PER_S
from sinew_sysid.parameters import RecordParameters
from sinew_sysid.recorded import (
    JOINT_STATE,
    STRING,
    RecordedTopic,
    adapted,
    bag_qos,
    definition_text,
    message_class,
    resolved,
    topics_to_record,
)
from sinew_sysid.summary import configuration_text, measured_figures, report_text

_DISCOVERY_S = 2.0
_PROGRESS_S = 10.0
_CYCLE_S = 0.1
# After its time a recording waits so long for states that are under way.
_LATE_S = 1.0
# What was sent before Ctrl-C may still wait: the queue of a busy machine is taken within this.
_LAST_S, _QUIET_S = 0.3, 0.05


class Record(SinewNode):
    """Record until Ctrl-C, or for a time."""

    def __init__(self) -> None:
        """Begin the bag; subscribe at once, with simulated time only once the clock runs."""
        super().__init__("record")
        self._p = p = declare_from(self, RecordParameters)
        robot = load_robot(p.robot, urdf=p.urdf) if p.robot else None
        names = robot.joint_names if robot is not None else ()
        self._joint_names = tuple(p.joint_prefix + name for name in names)
        self._missing = set(self._joint_names)
        self._topics = resolved(topics_to_record(p), self.resolve_topic_name)
        self._states = self._topics[0]
        self._classes = {topic.kind: message_class(topic.kind) for topic in self._topics}
        self._sim_time = bool(self.get_parameter("use_sim_time").value)
        self._stamps, self._reader = StampGaps(), JointStateReader()
        self._publisher = self.create_publisher(String, "~/configuration", LATCHED)
        self._own = RecordedTopic(self._publisher.topic_name, STRING, LATCHED)
        self._writer: BagWriter | None = None
        self._bag = BackgroundWriter(self._make_writer)
        self._diagnostics = Diagnostics(self, self._status)
        self._begun_s = self._shown_s = time.monotonic()
        self._subscribed = self._looked = False
        self._subscribed_to: dict[str, Subscription] = {}
        self.cycle_period_s = _CYCLE_S
        self.get_logger().info(f"recording into {p.output} ({p.storage}); Ctrl-C ends it")
        self._subscribe_when_time_runs()

    def cycle(self, missed: int) -> None:
        """Look after what no message does: the start, the end, and errors of the disk."""
        if self._bag.error is not None:
            raise self._bag.error
        age_s = time.monotonic() - self._begun_s
        if not self._subscribed:
            self._subscribe_when_time_runs()
        self._subscribe_further()
        if age_s > _DISCOVERY_S and not self._looked:
            self._looked = True
            self._say_who_is_missing()
        if self._p.state_timeout_s and age_s > self._p.state_timeout_s:
            self._require_states()
        self._show_progress()
        if self._p.duration_s and self._states.count and self._is_over():
            self.finish()

    def on_stop(self) -> None:
        """Complete the bag and say what is in it."""
        self._take_what_waits()
        if self._p.state_timeout_s and not self._states.count:
            self._bag.discard()
            raise BagError(f"{self._why_no_states()}; nothing is recorded")
        topics, gaps = [*self._topics, self._own], self._stamps.lost
        self._write_configuration(measured_figures(self._topics, self._bag.dropped, gaps))
        for topic in self._topics:
            if not topic.count:
                self._bag.declare(topic.name, topic.kind)
        self._bag.close()
        assert self._writer is not None
        sys.stdout.write(
            report_text(
                self._p,
                topics,
                dropped=self._bag.dropped,
                state_gaps=gaps,
                n_bytes=self._writer.n_bytes,
                n_files=self._writer.n_files,
            )
        )
        sys.stdout.flush()

    def _is_over(self) -> bool:
        """Tell whether the states span the time asked for, or will not do so any more."""
        states, now_ns = self._states, self._now_ns()
        end_ns = states.first_ns + self._p.duration_s * NS_PER_S
        if states.last_ns >= end_ns:
            return True
        is_late = now_ns >= end_ns + _LATE_S * NS_PER_S
        if is_late:
            span_s = (states.last_ns - states.first_ns) / NS_PER_S
            self.get_logger().warning(f"{states.name} fell silent after {span_s:.1f} s")
        return is_late

    def _take_what_waits(self) -> None:
        """Record what has come already, until nothing comes for a moment or the arm goes on."""
        deadline_s, before = time.monotonic() + _LAST_S, -1
        while before != (taken := sum(topic.count for topic in self._topics)):
            if time.monotonic() > deadline_s:
                return
            before = taken
            self.executor.spin_once(_QUIET_S)

    def _make_writer(self) -> BagWriter:
        p, types = self._p, MessageTypes(definition_text)
        for topic in self._topics:
            types.define(topic.kind)
        path = Path(p.output)
        self._writer = BagWriter(path, storage=p.storage, split_s=p.split_s, types=types)
        return self._writer

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _subscribe_when_time_runs(self) -> None:
        if self._sim_time and not self._now_ns():
            return
        self._subscribed = True
        self._write_configuration()
        for topic in self._topics:
            if topic.qos is not None:
                self._subscribe(topic, topic.qos)

    def _subscribe_further(self) -> None:
        """Subscribe the topics whose publishers have come, as these offer it."""
        for topic in self._topics if self._subscribed else ():
            offers = self._offers(topic) if topic.qos is None else []
            if offers:
                self._subscribe(topic, adapted(offers, self._p.queue_depth))

    def _subscribe(self, topic: RecordedTopic, qos: QoSProfile) -> None:
        topic.qos = qos
        take: Callable[..., None] = self._take_state if topic is self._states else self._take
        kind = self._classes[topic.kind]
        subscribed = self.create_subscription(kind, topic.name, partial(take, topic), qos, raw=True)
        self._subscribed_to[topic.name] = subscribed

    def _offers(self, topic: RecordedTopic) -> list[QoSProfile]:
        return [info.qos_profile for info in self.get_publishers_info_by_topic(topic.name)]

    def _take(self, topic: RecordedTopic, data: bytes, info: Mapping[str, int | None]) -> None:
        # The middleware stamps what it receives by the system's clock, before this node wakes up.
        received_ns = None if self._sim_time else info.get("received_timestamp")
        time_ns = received_ns or self._now_ns()
        if not topic.count:
            qos = [bag_qos(offer) for offer in self._offers(topic)]
            self._bag.declare(topic.name, topic.kind, qos)
        number = info.get("publication_sequence_number")
        if number is not None:
            topic.gaps.take(number)
        if self._bag.put(topic.name, topic.kind, data, time_ns):
            topic.count_message(time_ns)

    def _take_state(
        self, topic: RecordedTopic, data: bytes, info: Mapping[str, int | None]
    ) -> None:
        self._take(topic, data, info)
        # Damaged ones are recorded all the same.
        fields = self._reader.read(data) if self._missing else None
        if fields is not None:
            self._missing.difference_update(fields[1])
        stamp = read_stamp(data)
        if stamp is not None:
            self._stamps.take(stamp)

    def _write_configuration(self, measured: Mapping[str, object] | None = None) -> None:
        text = configuration_text(
            self.get_name(), self._p, self._joint_names, self._topics, measured
        )
        message = String(data=text)
        self._publisher.publish(message)
        if not self._own.count:
            self._bag.declare(self._own.name, STRING, [bag_qos(LATCHED)])
        time_ns = self._now_ns()
        if self._bag.put(self._own.name, STRING, serialize_message(message), time_ns):
            self._own.count_message(time_ns)

    def _require_states(self) -> None:
        """End the recording where the arm does not speak.

        Raises:
            BagError: with the remedy.
        """
        if not self._states.count:
            self._bag.discard()
            raise BagError(f"{self._why_no_states()}; nothing is recorded")
        if self._missing:
            self._bag.close()
            raise BagError(
                f"{self._states.name} has no {', '.join(sorted(self._missing))} of {self._p.robot}:"
                " give robot:= of this arm, its namespace or joint_prefix; what came is kept"
            )

    def _why_no_states(self) -> str:
        name, waited = self._states.name, f"within {self._p.state_timeout_s:g} s"
        if not self._subscribed:
            return f"no /clock {waited}: start the driver with use_sim_time, or record without"
        if self._states.qos is not None:
            problems = incompatible_publishers(self, name, self._states.qos)
            if problems:
                return f"no joint states {waited}: {'; '.join(problems)}"
        if self._offers(self._states):
            return f"no joint states {waited}: {name} has a publisher that sends nothing"
        others = [t for t, kinds in self.get_topic_names_and_types() if JOINT_STATE in kinds]
        there = sorted(t for t in others if t != name)
        remedy = f"there is {', '.join(there)}" if there else "start the driver"
        return f"nobody publishes {name} {waited}: {remedy}; give namespace:= or state_topic:="

    def _say_who_is_missing(self) -> None:
        silent = [topic.name for topic in self._topics if not self._offers(topic)]
        if silent:
            self.get_logger().info(f"no publisher yet: {', '.join(silent)}")
        for topic in self._topics:
            for problem in incompatible_publishers(
                self, topic.name, topic.qos or QoSProfile(depth=1)
            ):
                self.get_logger().warning(problem)

    def _show_progress(self) -> None:
        now_s = time.monotonic()
        if now_s - self._shown_s < _PROGRESS_S:
            return
        self._shown_s = now_s
        states = self._states
        if not states.count:
            self.get_logger().info(f"waiting for {states.name}")
            return
        self.get_logger().info(
            f"{(states.last_ns - states.first_ns) / NS_PER_S:.1f} s: {states.count} joint states, "
            f"{states.rate_hz:.1f} Hz, {self._stamps.lost} missing, {self._bag.dropped} dropped"
        )

    def _status(self) -> Status:
        states, lost = self._states, self._stamps.lost
        bad = bool(lost or self._bag.dropped)
        values: dict[str, object] = {
            "robot": self._p.robot,
            "output": self._p.output,
            "joint_states": states.count,
            "connected": " ".join(
                n for n, s in self._subscribed_to.items() if s.get_publisher_count()
            ),
            "state_rate_hz": f"{states.rate_hz:.3f}",
            "missing_states": lost,
            "dropped": self._bag.dropped,
        }
        return (Level.WARN if bad else Level.OK), "messages lost" if bad else "recording", values


def main(args: Sequence[str] | None = None) -> int:
    """Record a bag."""
    return run_node(Record, args)


if __name__ == "__main__":
    sys.exit(main())
