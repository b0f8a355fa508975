"""The recorder as a real process: exact bytes, no loss, kills, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String

from bag_samples import STATE_TYPE, STORAGES, joint_state, read_all, string
from sinew_core.errors import ConfigError
from sinew_core.robots.catalogue import load_robot
from sinew_ros.qos import LATCHED, RELIABLE
from sinew_sysid.parameters import RecordParameters
from sinew_sysid.recorded import message_class, topics_to_record

pytestmark = [pytest.mark.graph, pytest.mark.beside, pytest.mark.slow]

RECORD = "sinew_sysid.record"
DEEP = QoSProfile(depth=2000, reliability=ReliabilityPolicy.RELIABLE)
BURST = 10
URDF = string(b"<robot name='arm'/>")


class Arm:
    """Publishes joint states of a made-up arm, each with its own stamp, in small bursts."""

    def __init__(self, probe, name="joint_states"):
        self.probe, self.sent = probe, []
        self.states = probe.publisher(JointState, name, DEEP)

    def send(self, count):
        """Publish at a kilohertz by the stamps, and no faster than about that by the clock."""
        for _ in range(count // BURST):
            for _ in range(BURST):
                self.sent.append(joint_state(10**18 + len(self.sent) * 10**6))
                self.states.publish(self.sent[-1])
            self.probe.executor.spin_once(0.01)

    def send_until(self, condition, what, timeout_s=30.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, what
            self.send(100)

    def sent_from(self, received):
        """Return what was sent from the first one received on: until then nobody listened."""
        return self.sent[self.sent.index(received[0]) :]


def of(messages, topic):
    return [data for name, _, data, _ in messages if name == topic]


def kinds_of(topics):
    """Return the message classes of a recording with these further topics."""
    chosen = topics_to_record(RecordParameters(output="x", topics=topics))
    return {message_class(topic.kind) for topic in chosen}


def report_of(node):
    """The rows of the report at the end: messages and losses by topic."""
    found = re.findall(r"^(/\S+) +(\d+) +\S+ +(\S+)$", node.output, re.MULTILINE)
    return {topic: (int(count), lost) for topic, count, lost in found}


def offers_and_configurations(path):
    """What publishers offered by topic, and the recorder's own texts."""
    with AnyReader([path]) as reader:
        topics = {c.topic: c for c in reader.connections}
        texts = [
            yaml.safe_load(reader.deserialize(data, c.msgtype).data)
            for c, _, data in reader.messages([topics["/record/configuration"]])
        ]
        return {name: c.ext.offered_qos_profiles for name, c in topics.items()}, texts


def test_what_is_said_is_in_the_bag_byte_for_byte(start_node, probe, tmp_path):
    path = tmp_path / "bag"
    description = probe.node.create_publisher(String, "robot_description", LATCHED)
    description.publish(URDF)
    sensor = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    extra = probe.node.create_publisher(Float64MultiArray, "extra", sensor)
    further = {"topics": "extra:std_msgs/msg/Float64MultiArray", "mode": "joint_effort"}
    node = start_node(RECORD, {"output": path, "split_s": 0.5, **further})
    commands = probe.publisher(Float64MultiArray, "forward_effort_controller/commands", RELIABLE)
    arm = Arm(probe)
    probe.until(extra.get_subscription_count, "a subscriber of extra")
    arm.send(500)
    commands.publish(Float64MultiArray(data=[1.0, 2.0]))
    extra.publish(Float64MultiArray(data=[3.0]))
    arm.send(1500)
    assert node.interrupt() == 0, node.output
    messages = read_all(path)
    received = of(messages, "/joint_states")
    assert received == arm.sent_from(received)
    assert len(received) > 1500
    assert of(messages, "/robot_description") == [URDF]
    assert len(of(messages, "/forward_effort_controller/commands")) == 1
    assert len(of(messages, "/extra")) == 1
    assert report_of(node)["/joint_states"] == (len(received), "0")
    times = [time_ns for _, _, _, time_ns in messages]
    assert abs(times[-1] - time.time_ns()) < 60e9
    offers, texts = offers_and_configurations(path)
    assert offers["/policy/command"] == []
    (offer,) = offers["/robot_description"]
    assert offer.durability == QosDurability.TRANSIENT_LOCAL
    (offer,) = offers["/extra"]
    assert offer.reliability == QosReliability.BEST_EFFORT
    assert [text["record"]["ros__parameters"]["mode"] for text in texts] == ["joint_effort"] * 2
    assert "measured" not in texts[0]
    assert texts[1]["measured"]["dropped"] == 0
    assert texts[1]["measured"]["topics"]["/joint_states"]["messages"] == len(received)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_killed_recorder_loses_at_most_what_was_not_flushed(
    start_node, probe, tmp_path, environment, storage
):
    path = tmp_path / "bag"
    node = start_node(RECORD, {"output": path, "storage": storage, "split_s": 1.0})
    arm = Arm(probe)
    opened = ".open/bag_2/*"
    arm.send_until(lambda: list(path.glob(opened)), "a third file")
    # What was sent two flushes ago is on the disk.
    flushed, half_s = len(arm.sent), time.monotonic() + 1.2
    arm.send_until(lambda: time.monotonic() > half_s, "flushes")
    node.kill()
    finished = read_all(path)
    received = of(finished, "/joint_states")
    sent = arm.sent_from(received)
    assert received == sent[: len(received)]
    metadata = yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert metadata["message_count"] == len(finished) > 0
    done = subprocess.run(
        [sys.executable, "-m", "sinew_sysid.bag_tool", "recover", str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "recovered" in done.stdout
    recovered = of(read_all(path), "/joint_states")
    assert recovered == sent[: len(recovered)]
    assert len(recovered) >= flushed - (len(arm.sent) - len(sent))


def test_a_recording_ends_by_itself_and_shows_what_the_arm_left_out(start_node, probe, tmp_path):
    node = start_node(RECORD, {"output": tmp_path / "bag", "duration_s": 1.0})
    arm = Arm(probe)
    probe.until(lambda: arm.states.get_subscription_count() > 0, "somebody who records")
    arm.send(200)
    skipped = 7
    arm.sent.extend([b""] * skipped)
    node.supervised = False
    arm.send_until(lambda: not node.running(), "the end of the recording")
    assert node.wait() == 0, node.output
    assert f"missing by their stamps: {skipped}" in node.output
    messages = read_all(tmp_path / "bag")
    times = [time_ns for topic, _, _, time_ns in messages if topic == "/joint_states"]
    assert times[-1] - times[0] >= 1.0e9
    assert report_of(node)["/joint_states"] == (len(times), "0")


def test_a_recording_ends_in_its_time_where_the_arm_falls_silent(start_node, probe, tmp_path):
    node = start_node(RECORD, {"output": tmp_path / "bag", "duration_s": 1.0})
    node.supervised = False
    arm = Arm(probe)
    probe.until(lambda: arm.states.get_subscription_count() > 0, "somebody who records")
    arm.send(100)
    probe.until(lambda: not node.running(), "the end of the recording")
    assert node.wait() == 0, node.output
    assert re.search(r"/joint_states fell silent after 0\.\d s", node.output)
    found = of(read_all(tmp_path / "bag"), "/joint_states")
    assert found == arm.sent_from(found)


def test_an_arm_that_says_nothing_is_an_error_with_the_remedy(start_node, probe, tmp_path):
    other = probe.node.create_publisher(JointState, "left/joint_states", DEEP)
    node = start_node(RECORD, {"output": tmp_path / "bag", "state_timeout_s": 6.0})
    node.supervised = False
    assert node.wait() == 1
    last = node.output.splitlines()[-1]
    assert last.startswith("record: nobody publishes /joint_states within 6 s: there is /left/")
    assert last.endswith("give namespace:= or state_topic:=; nothing is recorded")
    assert "no publisher yet: /joint_states, " in node.output
    assert not (tmp_path / "bag").exists()
    assert other.topic_name == "/left/joint_states"


def test_another_robot_is_noticed_and_what_came_is_kept(start_node, probe, tmp_path):
    arm = {"robot": "panda", "namespace": "left", "joint_prefix": "my_"}
    node = start_node(RECORD, {"output": tmp_path / "bag", "state_timeout_s": 3.0, **arm})
    node.supervised = False
    arm = Arm(probe, "left/joint_states")
    arm.send_until(lambda: not node.running(), "the end of the recording")
    assert node.wait() == 1
    joints = sorted(f"my_{name}" for name in load_robot("panda").joint_names)
    assert f"/left/joint_states has no {', '.join(joints)} of panda" in node.output
    found = of(read_all(tmp_path / "bag"), "/left/joint_states")
    assert found == arm.sent_from(found)[: len(found)]


def test_what_cannot_be_recorded_is_refused_at_the_start(start_node, tmp_path):
    (tmp_path / "bag").mkdir()
    for given, told in (
        ({"output": tmp_path / "bag"}, "exists: give another folder, nothing is overwritten"),
        ({"output": "x", "storage": "mcp"}, "storage is 'mcp': did you mean 'mcap'?"),
    ):
        node = start_node(RECORD, given)
        node.supervised = False
        assert node.wait() == 1
        assert told in node.output.splitlines()[-1]
    for topics, told in (
        ("ft", "topics has 'ft': write name:type"),
        ("joint_states:std_msgs/msg/String", "which is recorded as sensor_msgs/msg/JointState"),
        ("ft:no_msgs/msg/X", "no_msgs/msg/X is not installed: install no_msgs"),
    ):
        with pytest.raises(ConfigError, match=told):
            kinds_of(topics)
    with pytest.raises(ConfigError, match="output is empty: give a new folder"):
        RecordParameters()


def test_a_simulation_is_recorded_in_its_own_time(start_node, probe, tmp_path):
    path = tmp_path / "bag"
    reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
    simulated = {"engine": "mujoco", "speed": 2.0, "use_sim_time": True}
    start_node("sinew_sim.sim_driver", simulated)
    node = start_node(
        RECORD, {"output": path, "robot": "panda", "use_sim_time": True, "state_timeout_s": 60.0}
    )

    def recorded():
        values = [
            {v.key: v.value for v in status.values}
            for report in reports
            for status in report.status
            if status.name == "record"
        ]
        return values and int(values[-1]["joint_states"]) > 200

    probe.until(recorded, "200 joint states", 90.0)
    assert node.interrupt() == 0, node.output
    with AnyReader([path]) as reader:
        states = [c for c in reader.connections if c.msgtype == STATE_TYPE]
        for connection, time_ns, data in reader.messages(states):
            stamp = reader.deserialize(data, connection.msgtype).header.stamp
            # The clock comes just before or after the state that it belongs to.
            assert abs(time_ns - stamp.sec * 10**9 - stamp.nanosec) < 1e9
        (description,) = [c for c in reader.connections if c.topic == "/robot_description"]
        assert description.msgcount == 1
        assert description.ext.offered_qos_profiles[0].durability.name == "TRANSIENT_LOCAL"
    assert LATCHED.durability == DurabilityPolicy.TRANSIENT_LOCAL
