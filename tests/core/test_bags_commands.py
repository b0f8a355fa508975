"""Commands of a bag: found, mapped, and brought to the clock of the joint states."""

import math
import re
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rosbags.serde import SerdeError

from benchmarks.bag.samples import (
    ARRAY,
    START_NS,
    STATE,
    STORE,
    TRAJECTORY,
    Message,
    float_array,
    joint_state,
    trajectory,
    write_bag,
)
from sinew_core.bags.clock import SAME, SHIFTED, WARPED, compare_clocks
from sinew_core.bags.commands import decode_array
from sinew_core.bags.reader import read_recording
from sinew_core.errors import BagError

JOINTS = ("a", "b")
PERIOD_NS = 2_000_000
N = 200
POSITION = "/forward_position_controller/commands"
TIMES = ("command_log_time", "command_clock", "command_answered", "command_warped")


def states(log_of=lambda i, stamp_ns: stamp_ns + 300_000, first_ns=START_NS):
    found = []
    for i in range(N):
        stamp = first_ns + i * PERIOD_NS
        data = joint_state(stamp, JOINTS, [math.sin(i / 50), math.cos(i / 50)])
        found.append(Message("/joint_states", STATE, log_of(i, stamp), data))
    return found


def commands(topic, kind, data_of, of=None, after_ns=200_000):
    return [
        Message(topic, kind, m.time_ns + after_ns, data_of(i))
        for i, m in enumerate(states() if of is None else of)
    ]


def arrays(topic=POSITION, of=None, labels=()):
    return commands(topic, ARRAY, lambda i: float_array([i / N, -i / N], labels), of)


def read(tmp_path, messages, **options):
    return read_recording(write_bag(tmp_path / "bag", messages), JOINTS, **options)


def kinds(recording):
    return {d.kind: d for d in recording.defects}


EXPECTED = np.array([[i / N, -i / N] for i in range(N)])


@pytest.mark.parametrize(
    ("topic", "mode"),
    [
        ("/forward_position_controller/commands", "position"),
        ("/forward_velocity_controller/commands", "velocity"),
        ("/arm/forward_effort_controller/commands", "effort"),
        ("/joint_group_torque_controller/commands", "effort"),
    ],
)
def test_commands_of_forward_controllers_are_found_with_their_mode(tmp_path, topic, mode):
    recording = read(tmp_path, states() + arrays(topic))
    assert recording.commands.mode == mode
    assert recording.commands.topic == topic
    np.testing.assert_array_equal(recording.commands.values, EXPECTED)
    expected_s = np.arange(N) * 2e-3 + 0.0005
    np.testing.assert_allclose(recording.commands.time_s, expected_s, rtol=0, atol=1e-12)


def test_a_mode_that_no_name_tells_must_be_given(tmp_path):
    messages = states() + arrays("/arm/commands")
    with pytest.raises(
        BagError, match="file with `mode` position, velocity, effort by controller:="
    ):
        read(tmp_path, messages)
    recording = read_recording(tmp_path / "bag", JOINTS, command_mode="velocity")
    assert recording.commands.mode == "velocity"
    with pytest.raises(BagError, match="command_mode 'positon' is not known: did you mean 'posit"):
        read_recording(tmp_path / "bag", JOINTS, command_mode="positon")


@pytest.mark.parametrize("given", ["", "forward_position_controller/commands"])
def test_a_mode_other_than_the_name_says_is_refused(tmp_path, given):
    messages = states() + arrays()
    told = "is of position commands by its name, but the mode given is velocity: correct `mode`"
    with pytest.raises(BagError, match=told):
        read(tmp_path, messages, command_mode="velocity", command_topic=given)
    recording = read_recording(tmp_path / "bag", JOINTS, command_mode="position")
    assert recording.commands.mode == "position"


def test_a_namespace_says_nothing_of_the_mode(tmp_path):
    messages = [
        Message(f"/position_cell{m.topic}", m.type_name, m.time_ns, m.data)
        for m in states() + arrays("/arm_controller/commands")
    ]
    recording = read(tmp_path, messages, namespace="position_cell", command_mode="velocity")
    assert recording.commands.mode == "velocity"


def gripper(topic="/gripper_position_controller/commands", values=(0.04,)):
    return commands(topic, ARRAY, lambda _: float_array(values))


def test_a_gripper_does_not_hide_the_arms_trajectories(tmp_path):
    def data(i):
        return trajectory(["b", "a"], {"positions": [-i / N, i / N]})

    arm = commands("/arm_controller/joint_trajectory", TRAJECTORY, data)
    recording = read(tmp_path, states() + gripper() + arm)
    assert recording.commands.topic == "/arm_controller/joint_trajectory"
    np.testing.assert_array_equal(recording.commands.values, EXPECTED)
    assert "command_malformed" not in kinds(recording)


def test_a_gripper_is_no_second_controller_of_the_arm(tmp_path):
    hand = commands(
        "/hand/joint_trajectory", TRAJECTORY, lambda _: trajectory(["x"], {"positions": [1.0]})
    )
    recording = read(tmp_path, states() + gripper() + arrays() + hand)
    assert recording.commands.topic == POSITION


def test_where_no_commands_are_the_arms_the_nearest_are_told(tmp_path):
    other = commands(
        "/hand/joint_trajectory", TRAJECTORY, lambda _: trajectory(["x"], {"positions": [1.0]})
    )
    found = kinds(read(tmp_path, states() + gripper() + other))
    assert found["command_malformed"].topic == "/gripper_position_controller/commands"
    assert "/hand/joint_trajectory" in found["no_commands"].text


def test_several_controllers_are_a_question(tmp_path):
    other = "/forward_velocity_controller/commands"
    messages = states() + arrays() + arrays(other)
    with pytest.raises(BagError, match=r"commands on .*position.* and .*velocity.*command_topic:="):
        read(tmp_path, messages)
    recording = read_recording(tmp_path / "bag", JOINTS, command_topic=other[1:])
    assert recording.commands.topic == other


def test_only_commands_of_the_namespace_are_found(tmp_path):
    messages = [
        Message(f"/left{m.topic}", m.type_name, m.time_ns, m.data) for m in states() + arrays()
    ]
    recording = read(tmp_path, messages + arrays("/right" + POSITION), namespace="left")
    assert recording.commands.topic == "/left" + POSITION


def test_a_topic_without_commands_is_answered_with_a_suggestion(tmp_path):
    messages = states() + arrays()
    with pytest.raises(BagError, match="no commands on /forward_position/commands: did you mean"):
        read(tmp_path, messages, command_topic="forward_position/commands")
    with pytest.raises(BagError, match=r"no commands on /joint_states, which is of sensor_msgs"):
        read_recording(tmp_path / "bag", JOINTS, command_topic="joint_states")


def test_no_commands_are_a_defect_that_names_what_could_be_meant(tmp_path):
    recording = read(tmp_path, states() + arrays("/odd"))
    assert recording.commands is None
    assert "no commands, among /odd" in kinds(recording)["no_commands"].text


@pytest.mark.parametrize(
    ("field", "mode"),
    [("positions", "position"), ("velocities", "velocity"), ("effort", "effort")],
)
def test_trajectories_are_mapped_by_name_and_tell_their_mode(tmp_path, field, mode):
    def data(i):
        return trajectory(["x", "b", "a"], {field: [9.0, -i / N, i / N]})

    recording = read(tmp_path, states() + commands("/policy/command", TRAJECTORY, data))
    assert recording.commands.mode == mode
    np.testing.assert_array_equal(recording.commands.values, EXPECTED)


def test_a_trajectory_of_several_points_counts_with_its_first(tmp_path):
    def data(i):
        first = {"positions": [i / N, -i / N], "velocities": [7.0, 7.0]}
        return trajectory(JOINTS, first, {"positions": [5.0, 5.0]})

    topic = "/arm_controller/joint_trajectory"
    recording = read(tmp_path, states() + commands(topic, TRAJECTORY, data))
    assert recording.commands.mode == "position"
    np.testing.assert_array_equal(recording.commands.values, EXPECTED)
    assert kinds(recording)["command_points"].count == N


def test_what_the_controller_was_told_counts_before_what_the_policy_asked(tmp_path):
    asked = commands(
        "/policy/command", TRAJECTORY, lambda _: trajectory(JOINTS, {"positions": [8.0, 8.0]})
    )
    recording = read(tmp_path, states() + arrays() + asked)
    assert recording.commands.topic == POSITION


@pytest.mark.parametrize("wrong", [[1.0], [], [1.0, math.nan], [1.0, 2.0, 3.0]])
def test_malformed_commands_are_left_out_and_told(tmp_path, wrong):
    messages = arrays()
    messages[5] = Message(POSITION, ARRAY, messages[5].time_ns, float_array(wrong))
    recording = read(tmp_path, states() + messages)
    assert len(recording.commands.values) == N - 1
    assert kinds(recording)["command_malformed"].count == 1
    assert kinds(recording)["command_malformed"].first_ns == messages[5].time_ns


def test_trajectories_of_other_joints_leave_no_commands(tmp_path):
    data = trajectory(["a", "x"], {"positions": [1.0, 2.0]})
    messages = states() + commands("/policy/command", TRAJECTORY, lambda _: data)
    recording = read(tmp_path, messages)
    assert recording.commands is None
    assert {"command_malformed", "no_commands"} <= set(kinds(recording))


def test_commanded_degrees_are_refused(tmp_path):
    messages = commands(POSITION, ARRAY, lambda i: float_array([90.0, 45.0]))
    with pytest.raises(BagError, match=r"/commands: a is at 90, .* they fit as degrees"):
        read(tmp_path, states() + messages)


def test_log_time_counts_and_the_measured_offset_is_told(tmp_path):
    rng = np.random.default_rng(2)
    late = rng.normal(5e6, 1e5, N).astype(int).tolist()
    recording = read(tmp_path, states(lambda i, s: s + late[i]) + arrays())
    defect = kinds(recording)["command_log_time"]
    assert defect.count == N
    told = re.search(r"logged ([\d.]+) ms after their stamps, jitter ([\d.]+) ms", defect.text)
    assert float(told[1]) == pytest.approx(5.0, abs=0.02)
    assert float(told[2]) == pytest.approx(0.1, rel=0.2)
    assert recording.commands.time_s[0] == pytest.approx(0.0005, abs=1e-12)


def test_labels_do_not_count_where_log_time_does(tmp_path):
    recording = read(tmp_path, states() + arrays(labels=[str(START_NS + 5)]))
    assert recording.commands.time_s[-1] == pytest.approx(0.3985)


@pytest.mark.parametrize("label", ["9" * 19, "9" * 5000, "-3", "x", "", "²"])
def test_labels_that_are_no_stamps_do_not_count(tmp_path, label):
    paced = states(slow)
    recording = read(tmp_path, paced + arrays(of=paced, labels=[label]))
    assert "command_warped" in kinds(recording)


def test_a_clock_with_another_zero_is_shifted(tmp_path):
    simulated = states(lambda i, s: s + 1_600_000_000_000_000_000, first_ns=0)
    recording = read(tmp_path, simulated + arrays(of=simulated))
    assert "command_clock" in kinds(recording)
    # The first state has the stamp 0; each command was logged 0.2 ms after a state.
    expected_s = np.arange(N) * 2e-3 + 0.0002
    np.testing.assert_allclose(recording.commands.time_s, expected_s, rtol=0, atol=1e-9)


def test_a_clock_that_drifts_is_followed(tmp_path):
    drifting = states(lambda i, s: s + 10**12 + i * 1000)
    recording = read(tmp_path, drifting + arrays(of=drifting))
    assert "command_clock" in kinds(recording)
    expected_s = np.arange(N) * 2e-3 + 0.0002
    np.testing.assert_allclose(recording.commands.time_s, expected_s, rtol=0, atol=2e-6)


def slow(i, _stamp):
    """Log times of a simulation at a third of real time that stands still for a second."""
    return 10**18 + i * 6_000_000 + (i > 100) * 10**9


def test_a_simulation_at_its_own_pace_is_followed_by_its_states(tmp_path):
    paced = states(slow)
    recording = read(tmp_path, paced + arrays(of=paced))
    assert "command_warped" in kinds(recording)
    expected_s = np.arange(N) * 2e-3
    np.testing.assert_allclose(recording.commands.time_s[:-1], expected_s[:-1], atol=1e-4)


def test_the_state_that_a_command_answers_counts_where_log_time_cannot(tmp_path):
    paced = states(slow)
    answers = commands(
        POSITION,
        ARRAY,
        lambda i: float_array([i / N, -i / N], [str(START_NS + i * PERIOD_NS)]),
        paced,
    )
    recording = read(tmp_path, paced + answers)
    assert "command_answered" in kinds(recording)
    np.testing.assert_array_equal(recording.commands.time_s, np.arange(N) * PERIOD_NS / 1e9)


@given(
    st.integers(-(10**17), 10**17),
    st.floats(-5e-4, 5e-4),
    st.floats(0.0, 1e-3),
    st.integers(0, 2**32 - 1),
)
@example(0, 0.00045609295234469037, 0.000991597578159485, 1128)
def test_times_of_states_are_found_again_to_the_jitter(offset_ns, drift, jitter_s, seed):
    stamp_ns = START_NS + np.arange(500) * PERIOD_NS
    noise_s = np.random.default_rng(seed).uniform(-jitter_s, jitter_s, stamp_ns.size)
    late = offset_ns + (drift * np.arange(500) * PERIOD_NS).astype(np.int64)
    log_ns = stamp_ns + late + (noise_s * 1e9).astype(np.int64)
    clock = compare_clocks(log_ns, stamp_ns)
    found_s = clock.to_stamps(log_ns, START_NS)
    true_s = (stamp_ns - START_NS) * 1e-9
    assert clock.relation in (SAME, SHIFTED)
    known_s = offset_ns * 1e-9 if clock.relation == SAME else 0.0
    bound_s = 4 * jitter_s + 1e-6 + (1e-3 if clock.relation == SAME else 0.0)
    assert np.abs(found_s - true_s - known_s).max() <= bound_s


def test_a_clock_at_another_rate_is_known_as_such():
    stamp_ns = START_NS + np.arange(500) * PERIOD_NS
    assert compare_clocks(START_NS + np.arange(500) * 3 * PERIOD_NS, stamp_ns).relation == WARPED
    assert compare_clocks(stamp_ns[:1], stamp_ns[:1]).relation == SAME


@given(st.lists(st.floats(), max_size=8), st.lists(st.text(max_size=9), max_size=4), st.booleans())
def test_arrays_are_decoded_as_rosbags_does(values, labels, little):
    labels = [label.replace("\0", "") for label in labels]
    data = float_array(values, labels, little=little)
    label, found = decode_array(data)
    assert label == (labels[0] if labels else "")
    peer = STORE.deserialize_cdr(data, ARRAY).data
    np.testing.assert_array_equal(np.array(found, np.float64), peer)


@given(st.binary(max_size=60), st.sampled_from([b"\0\1\0\0", b"\0\0\0\0", b""]))
def test_bytes_that_are_no_array_are_refused_at_once(data, prefix):
    try:
        decode_array(prefix + data)
    except (struct.error, ValueError, SerdeError):
        return


def test_a_number_of_values_beyond_the_message_is_refused():
    data = bytearray(float_array([1.0, 2.0]))
    at = 12
    assert struct.unpack_from("<I", data, at) == (2,)
    data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    with pytest.raises(ValueError, match="4294967295 values do not fit"):
        decode_array(bytes(data))
