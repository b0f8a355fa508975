"""What a recording holds of a bag's joint states, and which defects are told."""

import itertools
import math
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from architecture.source_files import ROOT
from bag_motion import JOINTS, PERIOD_NS, Motion, N, kinds, wave
from benchmarks.bag.samples import START_NS, STATE, STRING, Message, joint_state, text, write_bag
from sinew_core.bags.defects import REMEDIES, Findings
from sinew_core.bags.reader import read_recording
from sinew_core.bags.recovery import recover_bag
from sinew_core.bags.stamps import usable_stamps
from sinew_core.bags.writer import BagWriter
from sinew_core.errors import BagError


@pytest.fixture
def motion():
    return Motion()


def test_a_clean_bag_becomes_the_arrays_that_were_recorded(tmp_path, motion):
    recording = motion.read(tmp_path)
    assert recording.source == str(tmp_path / "bag")
    assert recording.zero_ns == START_NS
    np.testing.assert_array_equal(recording.time_s, np.arange(N) * PERIOD_NS / 1e9)
    np.testing.assert_array_equal(recording.position_rad, motion.position)
    np.testing.assert_array_equal(recording.velocity_rad_s, motion.velocity)
    np.testing.assert_array_equal(recording.effort_nm, motion.effort)
    assert recording.gaps == ()
    assert recording.commands is None
    assert [d.kind for d in recording.defects] == ["no_commands"]


def test_values_are_mapped_by_name_message_by_message(tmp_path, motion):
    for i in range(0, N, 3):
        order = [2, 0, 1]
        motion.names[i] = ["c", "other", "a", "b"]
        for field in (motion.position, motion.velocity, motion.effort):
            c, a, b = field[i][order]
            field[i] = [c, 9.0, a, b]
    recording = motion.read(tmp_path)
    clean = Motion()
    np.testing.assert_array_equal(recording.position_rad, clean.position)
    np.testing.assert_array_equal(recording.velocity_rad_s, clean.velocity)
    assert not kinds(recording)


def test_only_the_joints_asked_for_are_read_in_the_order_asked(tmp_path, motion):
    recording = motion.read(tmp_path, joints=("c", "a"))
    np.testing.assert_array_equal(recording.position_rad, np.array(motion.position)[:, [2, 0]])


def test_messages_of_some_joints_with_equal_stamps_are_merged_exactly(tmp_path, motion):
    whole = Motion()
    for i in range(N):
        motion.names[i] = ["a", "b"]
        for field in (motion.position, motion.velocity, motion.effort):
            field[i] = field[i][:2]
        data = joint_state(
            whole.stamps[i], ["c"], whole.position[i][2:], whole.velocity[i][2:], [1.0]
        )
        motion.extra.append(Message("/joint_states", STATE, motion.logs[i] + 50_000, data))
    recording = motion.read(tmp_path)
    np.testing.assert_array_equal(recording.position_rad, whole.position)
    np.testing.assert_array_equal(recording.velocity_rad_s, whole.velocity)
    assert list(kinds(recording)) == ["partial_messages"]
    assert "100 % of the times" in kinds(recording)["partial_messages"].text


def test_messages_of_some_joints_at_other_times_are_interpolated(tmp_path, motion):
    for i in range(N):
        motion.names[i] = ["a", "b"]
        for field in (motion.position, motion.velocity, motion.effort):
            field[i] = field[i][:2]
        stamp = motion.stamps[i] + 700_000
        q, v = wave((stamp - START_NS) * 1e-9)
        data = joint_state(stamp, ["c"], q[2:], v[2:], [1.0])
        motion.extra.append(Message("/joint_states", STATE, motion.logs[i] + 700_000, data))
    recording = motion.read(tmp_path)
    true = np.array([wave(t + (recording.zero_ns - START_NS) * 1e-9)[0] for t in recording.time_s])
    # Between samples h apart a line is off by at most h^2 / 8 times the acceleration, pi^2.
    bound = (PERIOD_NS * 1e-9) ** 2 / 8 * math.pi**2
    assert np.abs(recording.position_rad - true).max() <= 1.01 * bound
    assert len(recording.time_s) == N - 1


def test_nothing_is_interpolated_across_a_gap_of_another_publisher(tmp_path, motion):
    for i in range(N):
        motion.names[i] = ["a", "b"]
        for field in (motion.position, motion.velocity, motion.effort):
            field[i] = field[i][:2]
        if not 100 <= i < 150:
            data = joint_state(motion.stamps[i], ["c"], wave(i * 2e-3)[0][2:])
            motion.extra.append(Message("/joint_states", STATE, motion.logs[i], data))
    # The joint with the fewest values gives the times, so take them from the others.
    data = [joint_state(s + 1, ["c"], [0.5]) for s in motion.stamps[:60]]
    motion.extra += [
        Message("/joint_states", STATE, log, d)
        for log, d in zip(motion.logs[:60], data, strict=True)
    ]
    recording = motion.read(tmp_path)
    assert recording.gaps
    stamps = recording.time_s + (recording.zero_ns - START_NS) * 1e-9
    assert not ((stamps > 0.1981) & (stamps < 0.2999)).any()


def test_missing_joints_are_named_with_those_that_are_there(tmp_path, motion):
    with pytest.raises(
        BagError, match=r"bag', /joint_states has no positions of d, e, it has a, b"
    ):
        motion.read(tmp_path, joints=("a", "d", "e"))


@pytest.mark.parametrize("joints", [(), ("a", "a")])
def test_joints_must_be_asked_for_once(tmp_path, motion, joints):
    with pytest.raises(BagError, match="give each joint once"):
        motion.read(tmp_path, joints=joints)


def test_a_wrong_topic_is_answered_with_a_suggestion(tmp_path, motion):
    with pytest.raises(BagError, match=r"has no /joint_state .* did you mean '/joint_states'\?"):
        motion.read(tmp_path, state_topic="joint_state")


def test_a_namespace_is_put_before_topics(tmp_path, motion):
    recording = motion.read(tmp_path, topic="/left/joint_states", namespace="/left/")
    assert len(recording.time_s) == N


def test_an_empty_bag_and_one_without_joint_states_are_refused(tmp_path):
    with pytest.raises(BagError, match="is empty: record again"):
        read_recording(write_bag(tmp_path / "empty", []), JOINTS)
    other = write_bag(tmp_path / "other", [Message("/x", STRING, 1, text("x"))])
    with pytest.raises(BagError, match=r"nor any other of its type: .* record the joint states"):
        read_recording(other, JOINTS)


def test_a_few_stamps_out_of_order_are_left_out_and_told(tmp_path, motion):
    motion.stamps[100], motion.stamps[101] = motion.stamps[101], motion.stamps[100]
    recording = motion.read(tmp_path)
    defect = kinds(recording)["stamp_backward"]
    assert defect.count == 1
    assert defect.first_ns == motion.logs[101]
    assert defect.topic == "/joint_states"
    assert len(recording.time_s) == N - 1
    assert (np.diff(recording.time_s) > 0).all()


def test_one_stamp_far_in_the_future_costs_one_sample(tmp_path, motion):
    motion.stamps[50] += 10**17
    recording = motion.read(tmp_path)
    assert len(recording.time_s) == N - 1
    assert kinds(recording)["stamp_backward"].count == 1


def test_a_clock_that_is_set_back_is_refused(tmp_path, motion):
    motion.stamps[200:] = [s - 400_000_000 for s in motion.stamps[200:]]
    with pytest.raises(BagError, match=r"stamps go back 1 times .* by up to 0\.398 s, .* one publ"):
        motion.read(tmp_path)


def test_repeated_states_are_left_out_whatever_their_number(tmp_path, motion):
    for field in ("stamps", "position", "velocity", "effort"):
        values = getattr(motion, field)
        setattr(motion, field, [values[i - i % 2] for i in range(N)])
    recording = motion.read(tmp_path)
    assert len(recording.time_s) == N // 2
    assert kinds(recording)["stamp_repeated"].count == N // 2


def test_stamps_shared_by_different_states_are_refused(tmp_path, motion):
    motion.stamps = [motion.stamps[i - i % 2] for i in range(N)]
    with pytest.raises(BagError, match="150 of 300 joint states repeat a stamp with other pos"):
        motion.read(tmp_path)


def test_stamps_that_were_never_set_are_refused(tmp_path, motion):
    motion.stamps = [0] * N
    with pytest.raises(
        BagError, match=r"300 of 300 joint states have the stamp 0, .*header\.stamp"
    ):
        motion.read(tmp_path)


def test_a_simulation_may_begin_at_zero(tmp_path, motion):
    motion.stamps = [i * PERIOD_NS for i in range(N)]
    recording = motion.read(tmp_path)
    assert len(recording.time_s) == N
    assert kinds(recording)["stamp_zero"].count == 1


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60))
def test_stamps_that_are_kept_increase_and_are_as_many_as_can_be(stamps):
    values = np.array(stamps, np.int64)
    try:
        keep = usable_stamps(values, values, np.zeros((values.size, 1)), "bag, /t", Findings())
    except BagError:
        assert len(set(stamps)) < len(stamps) or stamps != sorted(stamps)
        return
    assert (np.diff(values[keep]) > 0).all()
    best = [1] * values.size
    for i in range(values.size):
        best[i] = 1 + max((best[j] for j in range(i) if values[j] < values[i]), default=0)
    assert keep.sum() == max(best)


def test_gaps_are_where_samples_are_missing(tmp_path, motion):
    for field in ("stamps", "logs", "names", "position", "velocity", "effort"):
        del getattr(motion, field)[100:120]
    recording = motion.read(tmp_path)
    assert recording.gaps == (100,)
    assert recording.time_s[100] - recording.time_s[99] == pytest.approx(21 * 0.002)
    defect = kinds(recording)["gap"]
    assert (defect.count, defect.first_ns) == (1, motion.logs[100])
    assert "0.042 s between samples of 2 ms" in defect.text


def test_positions_that_are_no_numbers_are_left_out_and_told(tmp_path, motion):
    motion.position[10] = np.array([0.0, math.nan, 0.0])
    motion.position[20] = np.array([0.0, math.inf, 0.0])
    recording = motion.read(tmp_path)
    assert kinds(recording)["nan_position"].count == 2
    assert kinds(recording)["nan_position"].first_ns == motion.logs[10]
    assert np.isfinite(recording.position_rad).all()


def test_messages_without_positions_are_left_out_and_told(tmp_path, motion):
    motion.position[7] = np.array([])
    motion.position[8] = np.zeros(2)
    recording = motion.read(tmp_path)
    assert kinds(recording)["no_position"].count == 2
    assert len(recording.time_s) == N - 2


@pytest.mark.parametrize("which", ["velocity", "effort"])
@pytest.mark.parametrize("value", [[], [math.nan] * 3, [0.0] * 3])
def test_a_field_that_says_nothing_is_none(tmp_path, motion, which, value):
    setattr(motion, which, [np.array(value)] * N)
    recording = motion.read(tmp_path)
    found = {"velocity": recording.velocity_rad_s, "effort": recording.effort_nm}
    assert found.pop(which) is None
    assert next(iter(found.values())) is not None
    assert kinds(recording)[f"no_{which}"].count == N


@pytest.mark.parametrize("which", ["velocity", "effort"])
def test_single_values_that_are_missing_cost_their_samples(tmp_path, motion, which):
    getattr(motion, which)[30] = np.array([1.0, math.nan, 1.0])
    getattr(motion, which)[40] = np.array([])
    recording = motion.read(tmp_path)
    assert kinds(recording)[f"nan_{which}"].count == 2
    assert len(recording.time_s) == N - 2
    assert np.isfinite(recording.velocity_rad_s).all()
    assert np.isfinite(recording.effort_nm).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_sensor_that_jumps_once_costs_one_sample(tmp_path, motion, seed):
    at = 50 + seed
    motion.position[at] = motion.position[at] + np.array([0.0, 2.0, 0.0])
    recording = motion.read(tmp_path)
    assert kinds(recording)["position_spike"].count == 1
    assert len(recording.time_s) == N - 1


def test_two_publishers_in_turn_are_refused(tmp_path, motion):
    for i in range(N):
        data = joint_state(motion.stamps[i] + 900_000, JOINTS, [0.9, 0.9, 0.9])
        motion.extra.append(Message("/joint_states", STATE, motion.logs[i] + 900_000, data))
    with pytest.raises(BagError, match=r"positions jump to and fro in .* several publishers share"):
        motion.read(tmp_path)


def test_messages_that_the_metadata_claim_and_are_not_there_are_told(tmp_path):
    path = write_bag(
        tmp_path / "bag",
        [Message("/joint_states", STATE, i, joint_state(i + 1, ["a"], [0.0])) for i in range(9)],
        "sqlite3",
    )
    metadata = path / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("message_count: 9", "message_count: 12"))
    recording = read_recording(path, ["a"])
    assert kinds(recording)["lost_messages"].count == 3


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_recording_of_ours_is_read_and_one_that_was_cut_off_is_told(tmp_path, motion, storage):
    columns = (motion.logs, motion.stamps, motion.position)
    clock = itertools.count(step=1e-6).__next__
    options = {"split_s": 0.25, "flush_s": 1e-6, "clock": clock}
    writer = BagWriter(tmp_path / "bag", storage=storage, **options)
    for log, stamp, q in zip(*columns, strict=True):
        writer.write("/joint_states", STATE, joint_state(stamp, JOINTS, q), log)
    shutil.copytree(tmp_path / "bag", tmp_path / "cut")
    writer.close()
    whole = read_recording(tmp_path / "bag", JOINTS)
    np.testing.assert_array_equal(whole.position_rad, motion.position)
    assert len(list((tmp_path / "bag").glob("bag_*"))) == 3
    cut = read_recording(tmp_path / "cut", JOINTS)
    assert "unfinished" in kinds(cut)
    assert 0 < len(cut.time_s) < N
    recover_bag(tmp_path / "cut")
    recovered = read_recording(tmp_path / "cut", JOINTS)
    assert "unfinished" not in kinds(recovered)
    assert len(recovered.time_s) > len(cut.time_s)


def test_a_recording_that_was_cut_off_in_its_first_file_names_the_command(tmp_path):
    writer = BagWriter(tmp_path / "bag")
    writer.write("/joint_states", STATE, joint_state(1, JOINTS, [0.0] * 3), 1)
    with pytest.raises(
        BagError, match=r"cut off or still runs; complete it with `\./sinew bag rec"
    ):
        read_recording(tmp_path / "bag", JOINTS)
    writer.close()


def test_too_few_samples_are_refused_with_what_became_of_them(tmp_path):
    motion = Motion(4)
    for i in range(3):
        motion.position[i] = np.full(3, math.nan)
    with pytest.raises(BagError, match=r"1 joint states can be used \(nan_position.*record a mot"):
        motion.read(tmp_path)


def test_every_defect_says_what_to_do(tmp_path, motion):
    motion.position[10] = np.array([0.0, math.nan, 0.0])
    for defect in motion.read(tmp_path).defects:
        assert defect.text.endswith(f"({REMEDIES[defect.kind]})")
        assert "\n" not in defect.text


def test_every_kind_of_defect_is_documented():
    table = (
        (ROOT / "docs" / "bags.md")
        .read_text(encoding="utf-8")
        .partition("## Defects")[2]
        .partition("\n## ")[0]
    )
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(kind for row in rows for kind in re.findall(r"`(\w+)`", row)) == sorted(REMEDIES)
