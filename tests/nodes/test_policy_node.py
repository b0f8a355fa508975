import math
import signal
import subprocess
import sys
from itertools import count

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from policy_rig import (
    HOME,
    MODULE,
    MS,
    PANDA,
    START,
    Rig,
    expected_commands,
    object_pose,
    state,
    target,
)

from bundle_samples import make_manifest, make_network, write_sample
from conftest import ROOT
from push_samples import write_push_bundle
from sinew_core.bundle import load_bundle
from sinew_core.observation import ObservationBuilder, Signals
from sinew_ros.messages import JointStateMapper
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import stamp_ns

pytestmark = [pytest.mark.graph, pytest.mark.beside]


@pytest.fixture
def folder(tmp_path):
    manifest = make_manifest(PANDA.joint_names, PANDA.limits, "panda")
    return write_sample(tmp_path / "bundle", make_network((24, 8, 7)), manifest)


def test_commands_answer_states_at_the_control_rate(probe, start_node, folder):
    rig = Rig(probe, start_node, folder)
    rig.targets.publish(target())
    # Across two topics nothing orders the state after the target, so it is sent again.
    probe.until(lambda: rig.commands or rig.states.publish(state(START)), "the first command")
    for stamp in (START + 10 * MS, START + 39 * MS, START + 40 * MS):
        rig.states.publish(state(stamp))
    rig.until_commands(2)
    first, second = rig.commands
    velocity = [0.1] * 7
    assert [stamp_ns(c.header.stamp) for c in (first, second)] == [START, START + 40 * MS]
    assert first.header.frame_id == "/policy"
    assert tuple(first.joint_names) == PANDA.joint_names
    expected = expected_commands(folder, [(HOME, velocity)] * 2)
    assert [c.points[0].velocities.tolist() for c in (first, second)] == expected
    assert len(first.points) == 1
    assert not first.points[0].positions


@pytest.fixture
def push_folder(tmp_path):
    return write_push_bundle(tmp_path / "push")


def test_a_policy_that_sees_an_object_waits_for_it_and_stops_where_it_is_stale(
    probe, start_node, push_folder
):
    rig = Rig(probe, start_node, push_folder, object_timeout_s=0.1)
    objects = probe.publisher(PoseStamped, "object_pose", RELIABLE)
    rig.targets.publish(target())
    probe.until(
        lambda: "waiting for object_pose" in rig.status()[0] or rig.states.publish(state(START))
    )
    assert rig.commands == []
    objects.publish(object_pose(START, turn=0.5))
    rig.until_status("unit quaternion")
    rig.until_count("rejected_objects", 1)
    assert rig.commands == []

    objects.publish(object_pose(START))
    probe.until(lambda: rig.commands or rig.states.publish(state(START)), "the first command")
    rig.states.publish(state(START + 100 * MS))
    rig.until_commands(2)
    rig.states.publish(state(START + 140 * MS))
    rig.until_status("object_pose is 0.1 s off joint_states, allowed are 0.1 s: no command is sent")
    assert len(rig.commands) == 2
    objects.publish(object_pose(START + 160 * MS))
    later = START + 160 * MS
    probe.until(lambda: len(rig.commands) > 2 or rig.states.publish(state(later)), "it goes on")


def test_in_lockstep_a_decision_waits_for_the_object_of_its_state(probe, start_node, push_folder):
    rig = Rig(probe, start_node, push_folder, pace="lockstep")
    objects = probe.publisher(PoseStamped, "object_pose", RELIABLE)
    rig.states.publish(state(START))
    rig.targets.publish(target(START))
    objects.publish(object_pose(START - 10 * MS, turn=0.5))
    rig.until_count("rejected_objects", 1)
    objects.publish(object_pose(START - 10 * MS))
    objects.publish(object_pose(START - 10 * MS, turn=0.5))
    rig.until_count("rejected_objects", 2)
    assert rig.commands == []
    objects.publish(object_pose(START))
    rig.until_commands(1)
    assert stamp_ns(rig.commands[0].header.stamp) == START


def test_nothing_is_published_before_a_target(probe, start_node, folder):
    rig = Rig(probe, start_node, folder)
    rig.states.publish(state(START))
    rig.until_status("waiting for target_pose")
    assert rig.commands == []


def test_nothing_is_published_before_a_state(probe, start_node, folder):
    rig = Rig(probe, start_node, folder)
    rig.targets.publish(target())
    rig.targets.publish(target(frame="elsewhere"))  # its report shows that both have arrived
    rig.until_count("rejected_targets", 1)
    assert rig.commands == []


@pytest.mark.parametrize(
    "wrong", [target(frame="camera"), target(position=(math.nan, 0.0, 0.0))], ids=["frame", "nan"]
)
def test_a_wrong_target_is_rejected_and_reported(probe, start_node, folder, wrong):
    rig = Rig(probe, start_node, folder)
    rig.targets.publish(wrong)
    rig.until_status("is rejected")
    rig.states.publish(state(START))
    rig.until_status("waiting for target_pose")
    assert rig.commands == []


def test_missing_joints_are_named_and_no_command_is_sent(probe, start_node, folder):
    rig = Rig(probe, start_node, folder, pace="lockstep")
    rig.targets.publish(target(START))
    rig.states.publish(state(START, HOME[:6], PANDA.joint_names[:6]))
    rig.until_status("joint_states lacks panda_joint7")
    assert rig.commands == []


def test_a_joint_that_is_no_longer_updated_stops_the_commands(probe, start_node, folder):
    rig = Rig(probe, start_node, folder, pace="lockstep")
    rig.targets.publish(target(START))
    rig.states.publish(state(START))
    rig.until_commands(1)
    later = START + 200 * MS
    rig.targets.publish(target(later))
    rig.states.publish(state(later, HOME[:6], PANDA.joint_names[:6]))
    rig.until_status("no longer updates panda_joint7")
    assert len(rig.commands) == 1


def test_joints_in_parts_are_put_together_again_after_a_gap(probe, start_node, folder):
    rig = Rig(probe, start_node, folder)
    rig.targets.publish(target())
    probe.until(lambda: rig.commands or rig.states.publish(state(START)), "the first command")
    number = len(rig.commands)
    names, later = PANDA.joint_names, START + 5000 * MS
    for _ in range(2):
        rig.states.publish(state(later, HOME[:6], names[:6]))
        rig.states.publish(state(later + 5 * MS, HOME[6:], names[6:]))
        later += 40 * MS
    rig.until_commands(number + 2)
    found = [stamp_ns(c.header.stamp) - START for c in rig.commands[number:]]
    # The older half of a state gives its stamp.
    assert found == [5005 * MS, 5040 * MS]
    rig.until_count("epochs", 1)


@pytest.mark.parametrize("ahead_ms", [-3_600_000, -60, 60, 3_600_000])
def test_two_sources_of_joints_may_have_clocks_of_their_own(probe, start_node, folder, ahead_ms):
    rig = Rig(probe, start_node, folder)
    start = 4000 * START
    names, slow_ms = PANDA.joint_names, min(0, ahead_ms)

    def publish(ms):
        rig.states.publish(state(start + ms * MS, HOME[:6], names[:6]))
        rig.states.publish(state(start + (ms + ahead_ms) * MS, HOME[6:], names[6:]))

    rig.targets.publish(target())
    probe.until(lambda: rig.commands or publish(-slow_ms), "the first command")
    for tick in range(1, 4):
        for ms in (-30, -20, -10, 0):
            publish(40 * tick + ms - slow_ms)
        rig.until_commands(tick + 1)
    # The command of a state has the older of its two stamps, which is that of the same clock.
    found = [stamp_ns(c.header.stamp) - start for c in rig.commands]
    assert found == [0, 40 * MS, 80 * MS, 120 * MS]
    expected = expected_commands(folder, [(HOME, [0.1] * 7)] * 4)
    assert [c.points[0].velocities.tolist() for c in rig.commands] == expected
    rig.until_count("epochs", 0)


@pytest.mark.parametrize("ahead_ms", [-60, 60])
def test_a_source_that_falls_silent_is_noticed_whatever_its_clock_is(
    probe, start_node, folder, ahead_ms
):
    rig = Rig(probe, start_node, folder)
    names, stamps = PANDA.joint_names, count(START, 10 * MS)
    rig.targets.publish(target())

    def publish(both):
        stamp = next(stamps)
        rig.states.publish(state(stamp, HOME[:6], names[:6]))
        if both:
            rig.states.publish(state(stamp + ahead_ms * MS, HOME[6:], names[6:]))

    probe.until(lambda: rig.commands or publish(both=True), "the first command")
    silent = "joint_states no longer updates panda_joint7"
    probe.until(lambda: silent in rig.status()[0] or publish(both=False), silent)
    number = len(rig.commands)
    probe.until(lambda: len(rig.commands) > number or publish(both=True), "it goes on")


def test_states_that_repeat_a_stamp_are_told_of(probe, start_node, folder):
    rig = Rig(probe, start_node, folder)
    rig.targets.publish(target())
    told = "no new joint_states for"
    probe.until(lambda: told in rig.status()[0] or rig.states.publish(state(START)), told)


def test_one_state_that_overflows_costs_one_command(probe, start_node, folder):
    rig = Rig(probe, start_node, folder)
    rig.targets.publish(target())
    probe.until(lambda: rig.commands or rig.states.publish(state(START)), "the first command")
    # Finite as a double, infinite as float32: the policy's action is not a number.
    rig.states.publish(state(START + 40 * MS, velocity=[1e39, -1e39, 0.0, 0.0, 0.0, 0.0, 0.0]))
    rig.until_status("the policy's action is not finite")
    for tick in (2, 3):
        rig.states.publish(state(START + 40 * tick * MS))
        rig.until_commands(tick)
    found = [c.points[0].velocities.tolist() for c in rig.commands]
    # As at the start of an episode: nothing was in force.
    expected = expected_commands(folder, [(HOME, [0.1] * 7)] * 2)
    assert found == [expected[0], *expected]


def test_joints_in_another_order_among_others_give_the_same_command(probe, start_node, folder):
    rig = Rig(probe, start_node, folder, pace="lockstep")
    names = ("finger", *reversed(PANDA.joint_names))
    velocity = [0.05 * i for i in range(7)]
    shuffled = state(START, [9.0, *reversed(HOME)], names, [9.0, *reversed(velocity)])
    rig.targets.publish(target(START))
    rig.states.publish(shuffled)
    rig.until_commands(1)
    expected = expected_commands(folder, [(HOME, velocity)])[0]
    assert rig.commands[0].points[0].velocities.tolist() == expected


def test_lockstep_waits_for_the_target_of_the_same_stamp(probe, start_node, folder):
    rig = Rig(probe, start_node, folder, pace="lockstep")
    rig.targets.publish(target(START - 40 * MS))
    rig.states.publish(state(START))
    rig.until_count("states", 1)
    assert rig.commands == []
    rig.targets.publish(target(START))
    rig.until_commands(1)


def test_lockstep_answers_a_repeated_state_with_the_same_command(probe, start_node, folder):
    rig = Rig(probe, start_node, folder, pace="lockstep")
    rig.targets.publish(target(START))
    rig.states.publish(state(START))
    rig.until_commands(1)
    rig.states.publish(state(START))
    rig.until_commands(2)
    assert rig.commands[0] == rig.commands[1]
    # The repetition does not count as a decision: the next one follows the first.
    rig.targets.publish(target(START + 40 * MS))
    rig.states.publish(state(START + 40 * MS))
    rig.until_commands(3)
    expected = expected_commands(folder, [(HOME, [0.1] * 7)] * 2)
    assert rig.commands[2].points[0].velocities.tolist() == expected[1]


def test_lockstep_answers_control_ticks_only_and_an_episode_starts_afresh(
    probe, start_node, folder
):
    rig = Rig(probe, start_node, folder, pace="lockstep")
    second = 2 * START
    for stamp in (START, START + 10 * MS, second):
        rig.targets.publish(target(stamp))
        rig.states.publish(state(stamp))
        rig.until_count("states", 1 + [START, START + 10 * MS, second].index(stamp))
    rig.until_commands(2)
    assert [stamp_ns(c.header.stamp) for c in rig.commands] == [START, second]
    assert rig.commands[0].points[0].velocities == rig.commands[1].points[0].velocities


def test_unusual_observations_are_reported(probe, start_node, folder):
    rig = Rig(probe, start_node, folder, pace="lockstep")
    rig.targets.publish(target(START))
    rig.states.publish(state(START, velocity=[1e4] * 7))
    rig.until_status("unlike training: joint_velocity")
    _, values = rig.status()
    assert values["unusual"] == "1"
    assert float(values["inference_p50_us"]) <= float(values["inference_p99_us"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_with_status_0(probe, start_node, folder, number):
    rig = Rig(probe, start_node, folder)
    rig.process.supervised = False
    rig.process.signal(number)
    assert rig.process.wait(5.0) == 0
    assert "Traceback" not in rig.process.output


def test_a_damaged_bundle_is_refused_in_one_line(start_node, folder):
    weights = folder / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    process = start_node(MODULE, {"bundle": folder})
    assert process.wait() == 1
    assert "policy.safetensors: expected SHA-256" in process.output
    assert len(process.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"robot": "iiwa14"}, "joint_names: expected panda_joint1"),
        ({"control_rate_hz": 50}, "control_rate_hz: expected 25, found 50"),
        ({"filter_rate_hz": 50}, "filter_rate_hz: expected at least 100, found 50"),
        ({"mode": "joint_position"}, "mode: expected joint_velocity, found joint_position"),
        ({"bundel": "x"}, "unknown parameter 'bundel'"),
    ],
)
def test_what_does_not_fit_is_refused(start_node, folder, parameters, named):
    process = start_node(MODULE, {"bundle": folder, **parameters})
    assert process.wait() == 1
    assert named in process.output
    assert "Traceback" not in process.output


def test_a_missing_bundle_parameter_is_refused(start_node):
    process = start_node(MODULE)
    assert process.wait() == 1
    assert "bundle is empty" in process.output


def test_the_node_imports_no_training_libraries():
    program = (
        "import sys, sinew_policy.policy\n"
        "heavy = {'torch', 'onnx', 'pybullet', 'mujoco', 'gymnasium', 'numba'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    path = ":".join(map(str, (ROOT / "src").iterdir()))
    result = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_signals_sent_through_messages_give_the_same_observation_to_the_last_bit(folder):
    spec = load_bundle(folder).specification.observation
    rng = np.random.default_rng(0)
    mapper = JointStateMapper(PANDA.joint_names)
    from_arrays, from_messages = Signals(7), Signals(7)
    builders = [ObservationBuilder(spec, PANDA.chain) for _ in range(2)]
    for _ in range(100):
        from_arrays.joint_position[:] = rng.uniform(-2.0, 2.0, 7)
        from_arrays.joint_velocity[:] = rng.normal(size=7)
        from_arrays.target_position_base[:] = rng.normal(size=3)
        sent = through_the_wire(
            state(
                START,
                from_arrays.joint_position.tolist(),
                velocity=from_arrays.joint_velocity.tolist(),
            )
        )
        aim = through_the_wire(target(START, from_arrays.target_position_base.tolist()))
        mapper.update(sent)
        point = aim.pose.position
        from_messages.joint_position[:] = mapper.position
        from_messages.joint_velocity[:] = mapper.velocity
        from_messages.target_position_base[:] = (point.x, point.y, point.z)
        expected = builders[0].build(from_arrays)
        assert np.array_equal(builders[1].build(from_messages), expected)


def through_the_wire(message):
    from rclpy.serialization import deserialize_message, serialize_message

    return deserialize_message(serialize_message(message), type(message))
