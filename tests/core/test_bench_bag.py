"""What `./sinew bench bag` measures, on small bags; and some hundreds of damaged ones."""

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.bag.benchmark import (
    CASES,
    GOAL,
    check_equal,
    compare,
    damage_lines,
    read_ours,
    read_peer,
    with_gripper,
)
from benchmarks.bag.damage import Outcome, read_damaged
from benchmarks.bag.mutations import JOINTS, Random, mutate, read, write_originals
from benchmarks.bag.samples import motion, write_bag
from sinew_core.bags.reader import read_recording


def test_it_is_registered():
    assert BENCHMARKS["bag"][0] == "benchmarks.bag.benchmark"


def test_both_sides_read_the_same_numbers_and_the_goal_is_for_their_ratio(tmp_path):
    path = write_bag(tmp_path / "bag", with_gripper(motion(20)))
    ours = read_ours(path)
    assert {len(names): values[1].shape for names, values in ours.items()} == {
        7: (20, 7),
        2: (20, 2),
    }
    check_equal(ours, read_peer(path))
    line = compare("x", path, 20, 2, GOAL)
    assert line.row()["goal"] == 8.0
    assert line.ratio() == pytest.approx(line.row()["ours"] / line.row()["peer"])


def test_the_goal_holds_for_both_storages():
    assert {storage for storage, _, goal in CASES if goal == GOAL} == {"mcap", "sqlite3"}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bags") / "originals"
    write_originals(folder)
    return folder


def test_the_originals_are_whole(originals):
    paths = sorted(originals.iterdir())
    assert len(paths) == 12
    for path in paths:
        recording = read_recording(
            path if (path / "metadata.yaml").exists() else path / "bag.mcap", JOINTS
        )
        assert recording.position_rad.shape == (60, 3)
        assert recording.commands.values.shape == (60, 3)


def test_hundreds_of_damaged_bags_are_read_or_refused_in_bounded_memory(originals):
    outcomes = list(read_damaged(originals, 400))
    assert [o.seed for o in outcomes] == list(range(400))
    assert [o for o in outcomes if not o.is_good] == []
    # Both happen, or the damage would be too small or too large to show anything.
    assert 20 <= sum(o.outcome == "read" for o in outcomes) <= 380


def test_a_seed_damages_the_same_way_again(originals, tmp_path):
    original = originals / "mcap-plain"
    first, second = (mutate(original, tmp_path / name, Random(7)) for name in ("a", "b"))
    for path in first.iterdir() if first.is_dir() else [first]:
        other = tmp_path / "b" / path.name
        assert path.read_bytes() == other.read_bytes()
    assert read(first) == read(second)


def test_a_process_that_ends_is_told_with_its_seed_and_the_next_goes_on(tmp_path):
    (tmp_path / "empty").mkdir()
    outcomes = list(read_damaged(tmp_path / "empty", 2))
    assert [o.seed for o in outcomes] == [0, 1]
    assert all("ended with status 1" in o.outcome for o in outcomes)


def test_one_bad_outcome_misses_the_goal_and_is_named():
    good = Outcome(seed=0, outcome="read", wall_s=0.5, peak_mib=100.0)
    refused = Outcome(seed=1, outcome="refused", wall_s=1.5, peak_mib=120.0)
    killed = Outcome(seed=2, outcome="ended by SIGKILL")
    harm, slowest, memory = damage_lines([good, refused])
    assert (harm.row()["ours"], slowest.row()["ours"], memory.row()["ours"]) == (0.0, 1.5, 120.0)
    assert all(line.met() for line in (harm, slowest, memory))
    harm, slowest, memory = damage_lines([good, killed])
    assert not any(line.met() for line in (harm, slowest, memory))
    assert "Seed 2: ended by SIGKILL." in harm.notes
