"""A recorded run of the real filter, replayed: every output again, every change noticed."""

from __future__ import annotations

import dataclasses
import math
import re
import signal
import subprocess
import sys
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from patience import PATIENT
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from recording import Recording, write_bag
from rosbags.rosbag2 import StoragePlugin
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.record import CycleRecord
from sinew_ros.messages import (
    CommandMessage,
    answered_stamp,
    command_stamp,
    commands_topic,
    cycle_record,
    point_values,
)
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import stamp_ns

# Ten processes one after another take their time on a busy machine.
pytestmark = [
    pytest.mark.graph,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]

JOINTS = [f"panda_joint{i}" for i in range(1, 8)]
STATES, COMMANDS = "joint_states", "policy/command"
OUTPUTS = "forward_velocity_controller/commands"
INTERVENTIONS = "safety_filter/interventions"
CONFIGURATION = "safety_filter/configuration"
# Towards a limit of every joint, faster than any of them may move.
LIMIT = [5.0, 5.0, -5.0, 5.0, 5.0, 5.0, -5.0]
HOME = load_robot("panda").home_rad.tolist()


def ahead(mode, velocity):
    """Ask for this velocity; as positions, for where a tenth of it leads in a second."""
    if mode == "joint_velocity":
        return velocity
    return [q + 0.1 * v for q, v in zip(HOME, velocity, strict=True)]


class Run:
    """Driver and filter in real time, commanded at the rate of the states, and recorded."""

    def __init__(self, start_node, probe, mode="joint_velocity", **parameters):
        self.probe, self.mode, self.outputs = probe, mode, commands_topic(mode)
        probe.context = self.report
        self.recording = Recording(probe)
        self.recording.listen(JointState, STATES)
        self.recording.listen(JointTrajectory, COMMANDS)
        self.recording.listen(Float64MultiArray, self.outputs)
        self.recording.listen(JointTrajectory, INTERVENTIONS)
        self.recording.listen(String, CONFIGURATION, DurabilityPolicy.TRANSIENT_LOCAL)
        self.states = probe.listen(JointState, STATES, RELIABLE)
        self.reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
        parameters["mode"] = mode
        options = {"engine": "mujoco", "driver_watchdog_s": 2.0, **parameters}
        self.driver = start_node("sinew_sim.sim_driver", options)
        self.filter = start_node("sinew_safety.safety_filter", {**PATIENT, **parameters})
        self.command = CommandMessage(JOINTS, mode, "test", 0.04)
        self.publisher = probe.publisher(JointTrajectory, COMMANDS, RELIABLE)
        probe.until(lambda: self.states and self.state(), "states and diagnostics", 60.0)

    def report(self):
        found = [s for r in self.reports for s in r.status if s.name == "safety_filter"]
        return {v.key: v.value for v in found[-1].values} if found else {}

    def state(self):
        return self.report().get("state")

    def speed(self):
        return max(map(abs, self.states[-1].velocity))

    def rests(self):
        """Tell rest from the turn of a motion."""
        return max(abs(v) for state in self.states[-20:] for v in state.velocity) < 1e-3

    def arm(self, on=True):
        self.probe.until(
            lambda: self.probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=on)).success,
            "arming",
        )

    def drive(self, values, condition, what, every=1):
        """Answer every so many-th state with this command until the condition holds."""
        seen = len(self.states)

        def check():
            nonlocal seen
            if len(self.states) >= seen + every:
                seen = len(self.states)
                stamp = stamp_ns(self.states[-1].header.stamp)
                self.publisher.publish(self.command.fill(stamp, values))
            return condition()

        self.probe.until(check, what)

    def drive_for(self, values, states, **options):
        end = len(self.states) + states
        self.drive(values, lambda: len(self.states) >= end, f"{states} states", **options)

    def set(self, name, value):
        parameter = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        return self.probe.call(SetParameters, "safety_filter/set_parameters", request).results[0]

    def stamp(self):
        return stamp_ns(self.states[-1].header.stamp)

    def lockstep_episode(self, values, ticks):
        """Place the arm anew, arm, answer so many control ticks; the world then stands still."""
        before = self.stamp()
        assert self.probe.call(Trigger, "sim_driver/reset").success
        self.probe.until(lambda: self.stamp() > before, "the state after the reset")
        self.arm()
        end, answered = self.stamp() + ticks * 40_000_000, 0

        def finished():
            nonlocal answered
            stamp = self.stamp()
            # A state that is published again wants its answer again.
            if stamp % 40_000_000 == 0 and stamp != end and len(self.states) != answered:
                answered = len(self.states)
                self.publisher.publish(self.command.fill(stamp, values))
            return stamp == end

        self.probe.until(finished, "the end of the episode", 60.0)
        self.arm(on=False)


@pytest.fixture(scope="module")
def runs():
    """Return the runs that were recorded so far, by their modes."""
    return {}


@pytest.fixture
def recorded(start_node, probe, request, runs):
    """Return a run of this mode, recorded once for all tests that read it."""
    mode = getattr(request, "param", "joint_velocity")
    if mode not in runs:
        runs[mode] = record(start_node, probe, mode)
    return runs[mode]


def record(start_node, probe, mode):
    """Record limits pressed, missed cycles and commands, a new speed scale, and a stop."""
    run = Run(start_node, probe, mode)
    out, back = (ahead(mode, [sign * v for v in LIMIT]) for sign in (1.0, -1.0))
    run.drive_for(ahead(mode, [0.1] * 7), 20)
    run.arm()
    run.drive(out, lambda: run.speed() > 0.9, "speed")
    run.drive_for(out, 150)
    if mode == "joint_velocity":  # a drive of positions overshoots when they end in a motion
        # At rest, for as long as the stop takes: a velocity would go on meanwhile.
        run.drive_for(back, 30)
        run.drive([0.0] * 7, run.rests, "rest")
    run.filter.signal(signal.SIGSTOP)
    # Nothing is sent meanwhile: a reader that is stopped can keep a writer waiting for seconds.
    until_s = time.monotonic() + 0.05
    run.probe.until(lambda: time.monotonic() > until_s, "five missed cycles")
    run.filter.signal(signal.SIGCONT)
    assert run.set("speed_scale", 0.3).successful
    run.drive_for(ahead(mode, [0.9 * math.cos(j) for j in range(7)]), 40, every=4)
    assert run.state() == "armed", str(run.report())
    assert run.set("speed_scale", 1.0).successful
    run.drive_for(back, 20)
    run.probe.until(lambda: run.probe.call(Trigger, "safety_filter/stop").success)
    run.probe.until(lambda: run.state() == "latched", "latched")
    run.probe.until(lambda: run.probe.call(Trigger, "safety_filter/clear").success, "clearing")
    run.arm()
    run.drive_for(ahead(mode, [0.2] * 7), 20)
    run.drive(ahead(mode, [0.0] * 7), run.rests, "rest")
    run.driver.signal(signal.SIGSTOP)
    n_outputs = len(run.recording.of(run.outputs))
    run.probe.until(
        lambda: len(run.recording.of(run.outputs)) > n_outputs + 5, "cycles without states"
    )
    run.driver.signal(signal.SIGCONT)
    run.arm(on=False)
    run.probe.until(lambda: run.state() == "disarmed", "disarmed")
    assert run.filter.interrupt() == 0
    return run


class Replay:
    """Runs the replay node on bags."""

    def __init__(self, start_node):
        self._start_node = start_node

    def __call__(self, bag, **parameters):
        process = self._start_node("sinew_safety.replay", {"bag": bag, **parameters})
        process.supervised = False
        return process.wait(300.0), process.output


@pytest.fixture
def replay(start_node):
    return Replay(start_node)


def interventions(recording):
    return [deserialize_message(m.data, JointTrajectory) for m in recording.of(INTERVENTIONS)]


def record_of(message):
    return CycleRecord.parse(cycle_record(deserialize_message(message.data, Float64MultiArray)))


@pytest.mark.parametrize("recorded", ["joint_velocity", "joint_position"], indirect=True)
def test_a_recorded_run_is_reproduced_bit_for_bit(recorded, tmp_path, environment):
    bag = write_bag(tmp_path / "bag", recorded.recording.messages)
    done = subprocess.run(
        [sys.executable, "-m", "sinew_bringup.launcher", "replay_safety", f"bag:={bag}"],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    records = [record_of(m) for m in recorded.recording.of(recorded.outputs)]
    # What came before the arming can be checked only if the state behind it was recorded, too.
    found = re.search(r"(\d+) outputs could not be checked", output)
    n_unchecked = int(found.group(1)) if found else 0
    assert n_unchecked <= next(i for i, record in enumerate(records) if record.start)
    assert recorded.mode == "joint_position" or not n_unchecked
    n_outputs = len(records) - n_unchecked
    changed = interventions(recorded.recording)
    assert f"{n_outputs} outputs, {len(changed)} interventions, all reproduced exactly" in output
    # The run had all that a record can tell.
    assert {r.kind for r in records} == set("sbi")
    assert {r.scale for r in records} == {0.3, 1.0}
    assert sum(bool(r.start) for r in records) == 2
    assert any(r.held for r in records)
    assert any(r.kind == "s" and not r.measured for r in records)
    # The table's first row is the first change that was logged, joint by joint.
    first = changed[0]
    causes = first.header.frame_id.split(",")
    joint = next(j for j, cause in enumerate(causes) if cause != "none")
    asked, sent = (values[joint] for values in point_values(first, recorded.mode))
    row = next(line for line in output.splitlines() if "panda_joint" in line)
    assert row.split()[2:] == [
        first.joint_names[joint],
        f"{asked:.6f}",
        f"{sent:.6f}",
        f"{sent - asked:+.6f}",
        causes[joint],
    ]


@pytest.mark.beside
def test_a_run_in_lockstep_is_reproduced_with_its_resets(start_node, probe, replay, tmp_path):
    run = Run(start_node, probe, pace="lockstep")
    run.lockstep_episode(LIMIT, 12)
    assert run.set("speed_scale", 0.25).successful
    run.lockstep_episode([0.4] * 7, 12)
    assert run.filter.interrupt() == 0
    outputs = run.recording.of(OUTPUTS)
    # An output for each of the 4 cycles of 12 control periods, twice; the scale is kept.
    assert len({record_of(m).number for m in outputs}) == 2 * 48
    last = deserialize_message(outputs[-1].data, Float64MultiArray)
    assert list(last.data) == [0.1] * 7
    status, output = replay(write_bag(tmp_path / "bag", run.recording.messages), rows=0)
    assert status == 0, output
    assert f"96 outputs, {len(interventions(run.recording))} interventions, all repr" in output


def change(messages, chosen, message):
    """Return the messages with another one in the place of the one chosen."""
    data = message if isinstance(message, bytes) else bytes(serialize_message(message))
    return [dataclasses.replace(m, data=data) if m is chosen else m for m in messages]


def stamped(recorded, kind, stamp):
    """Return the first message of this stamp, as recorded and as an object."""
    for message in recorded:
        decoded = deserialize_message(message.data, kind)
        if stamp_ns(decoded.header.stamp) == stamp:
            return message, decoded
    raise AssertionError(f"nothing of stamp {stamp}")


def alterations(recording):
    """What may be wrong with a bag: its messages, and what the replay is to say."""
    messages = recording.messages
    moving = [m for m in recording.of(OUTPUTS) if record_of(m).kind == "s"]
    middle = moving[len(moving) // 2]
    # The last value's lowest byte; doubles come last, little endian.
    flipped = bytearray(middle.data)
    flipped[-8] ^= 1
    yield "output", change(messages, middle, bytes(flipped)), r"panda_joint7 was sent .* the replay"

    output = deserialize_message(middle.data, Float64MultiArray)
    state, moved = stamped(recording.of(STATES), JointState, answered_stamp(output))
    moved.position[3] += 1e-12
    yield "state", change(messages, state, moved), r"no joint state of stamp \d+ in the bag has the"

    command, other = stamped(recording.of(COMMANDS), JointTrajectory, command_stamp(output))
    other.points[0].velocities[0] += 1e-12
    yield "command", change(messages, command, other), r"no command of stamp \d+ in the bag has the"

    yield "lost", [m for m in messages if m is not middle], r"1 outputs are missing in the bag"

    output.layout.dim = output.layout.dim[:2]
    yield "bare", change(messages, middle, output), r"cannot be replayed, '' is no record"

    without = [m for m in messages if m.topic != STATES]
    yield "topic", without, r"has no /joint_states \(sensor_msgs/msg/JointState\), nor any other"

    late = messages[messages.index(middle) :] + recording.of(CONFIGURATION)
    yield "late", late, r"\d+ outputs could not be checked: .*\n.*all reproduced exactly"


def test_a_bag_that_was_changed_is_reported(recorded, replay, tmp_path):
    for name, messages, expected in alterations(recorded.recording):
        status, output = replay(write_bag(tmp_path / name, messages), rows=0)
        assert re.search(expected, output), f"{name}: {output}"
        assert status == (0 if name == "late" else 1), name
        assert "Traceback" not in output


def test_other_formats_names_and_robots(recorded, replay, tmp_path):
    messages = recorded.recording.messages
    bag = write_bag(
        tmp_path / "mcap", messages, plugin=StoragePlugin.MCAP, topic=lambda name: f"/left/{name}"
    )
    status, output = replay(bag, namespace="left", rows=0)
    assert status == 0, output
    assert "all reproduced exactly" in output

    status, output = replay(bag, namespace="right")
    assert status == 1
    assert "has no /right/safety_filter/configuration" in output
    assert "it has /left/safety_filter/configuration" in output

    status, output = replay(bag, namespace="left", robot="iiwa14")
    assert status == 1
    assert "robot 'iiwa14' has changed since the recording: joint_names, limits" in output

    config = tmp_path / "other.yaml"
    config.write_text("/**/safety_filter: {ros__parameters: {safety: {margin_rad: 0.1}}}\n")
    status, output = replay(bag, namespace="left", config=config, rows=0)
    assert status == 1
    assert "the replay gives" in output

    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:-1000])
    status, output = replay(bag, namespace="left", rows=0)
    assert status == 1
    assert "cannot be read to its end" in output

    status, output = replay(tmp_path / "nowhere")
    assert status == 1
    assert "no complete bag at" in output
    for line in output.splitlines():
        assert "Traceback" not in line
