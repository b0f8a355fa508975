"""The latch file: where it lies, that it lasts, that it can be removed, and slow or full disks."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import RunError
from sinew_core.files import write_atomically
from sinew_core.safety import latch as module
from sinew_core.safety.latch import LatchFile, LatchPlace, latch_place


class Disk:
    """A disk that can be held up, or be full."""

    def __init__(self, monkeypatch):
        self.free = threading.Event()
        self.free.set()
        self.full = False
        monkeypatch.setattr(module, "write_atomically", self.write)

    def write(self, path, content):
        assert self.free.wait(60.0)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_atomically(path, content)


@pytest.fixture
def disk(monkeypatch):
    made = Disk(monkeypatch)
    yield made
    made.free.set()


@pytest.fixture
def opened():
    """Return `open(path or place, ...)` that makes latches which are closed in the end."""
    latches = []

    def make(at, *args, **kwargs):
        place = at if isinstance(at, LatchPlace) else LatchPlace(at)
        latches.append(LatchFile(place, *args, **kwargs))
        return latches[-1]

    yield make
    for latch in latches:
        latch.close()


def test_a_latch_lasts_until_it_is_cleared(tmp_path, opened):
    path = tmp_path / "sinew" / "panda.latch"
    latch = opened(path)
    assert latch.reason is None
    latch.set("pressed")
    latch.flush()
    assert opened(path).reason == "pressed"
    latch.clear()
    latch.flush()
    assert opened(path).reason is None
    latch.clear()
    latch.flush()
    assert not latch.problem
    assert not list(path.parent.iterdir())


def test_an_empty_file_is_a_latch_too(tmp_path, opened):
    (tmp_path / "panda.latch").touch()
    assert opened(tmp_path / "panda.latch").reason


def test_a_file_of_any_bytes_is_a_latch_and_what_cannot_be_read_an_error(tmp_path, opened):
    (tmp_path / "panda.latch").write_bytes(b"\xff\xfe pressed")
    assert "pressed" in opened(tmp_path / "panda.latch").reason
    (tmp_path / "ur5e.latch").mkdir()
    with pytest.raises(RunError, match=r"cannot be read .*: make it a readable file"):
        _ = opened(tmp_path / "ur5e.latch").reason


@pytest.fixture
def home(monkeypatch, tmp_path):
    """Return the folder of the latches."""
    monkeypatch.setenv("ROS_HOME", str(tmp_path / "ros"))
    return tmp_path / "ros" / "sinew"


def test_a_robot_of_the_catalogue_has_a_name_that_tells_it(monkeypatch, tmp_path, home):
    assert latch_place("panda", "/").path == home / "panda.latch"
    assert latch_place("ur5e", "/left").path == home / "left-ur5e.latch"
    monkeypatch.delenv("ROS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert latch_place("panda", "").path == tmp_path / ".ros" / "sinew" / "panda.latch"


SHARED = [
    (("c", "a-b"), ("b-c", "a")),
    (("panda", "/a/b"), ("panda", "/a_b")),
    (("/x/arm.yaml", ""), ("/y/arm.yaml", "")),
    (("/x/panda.yaml", ""), ("panda", "")),
    (("my arm.yaml", ""), ("my_arm.yaml", "")),
]


@pytest.mark.parametrize(("one", "other"), SHARED)
def test_arms_that_once_shared_a_file_have_one_each_and_find_what_was_set_in_it(
    home, opened, one, other
):
    places = [latch_place(*one), latch_place(*other)]
    shared = next(place.shared for place in places if place.shared)
    assert places[0].path != places[1].path
    # One that an earlier version has set may be that of either.
    home.mkdir(parents=True)
    shared.write_text("pressed yesterday\n")
    assert [opened(place).reason for place in places] == ["pressed yesterday"] * 2
    clearing = opened(places[0])
    clearing.clear()
    clearing.flush()
    assert [opened(place).reason for place in places] == [None] * 2
    # What is set now is of one arm only, and only that one clears it.
    for mine, others in (places, places[::-1]):
        latch, not_it = opened(mine), opened(others)
        latch.set("pressed")
        latch.flush()
        assert not_it.reason is None
        not_it.clear()
        not_it.flush()
        assert opened(mine).reason == "pressed"
        latch.clear()
        latch.flush()
    assert not list(home.iterdir())


names = st.text(st.sampled_from("ab_-./ "), min_size=1, max_size=6)
namespaces = st.text(st.sampled_from("ab_-/"), max_size=6)


@given(first=st.tuples(names, namespaces), second=st.tuples(names, namespaces))
def test_no_two_arms_have_the_same_file(first, second):
    def arm(robot, namespace):
        where = robot if Path(robot).stem == robot else os.path.realpath(robot)
        return where, namespace.strip("/")

    places = [latch_place(*given) for given in (first, second)]
    assert (arm(*first) == arm(*second)) is (places[0].path == places[1].path)
    assert all("/" not in place.path.name for place in places)


def test_a_robot_file_is_the_same_by_whatever_path(monkeypatch, tmp_path):
    (tmp_path / "arm.yaml").touch()
    (tmp_path / "link.yaml").symlink_to(tmp_path / "arm.yaml")
    monkeypatch.chdir(tmp_path)
    whose = {latch_place(n, "").whose for n in ("arm.yaml", f"{tmp_path}/arm.yaml", "link.yaml")}
    assert len(whose) == 1


def test_a_very_long_path_has_a_latch(home, opened):
    latch = opened(latch_place(f"/{'x' * 300}/{'y' * 200}.yaml", "/a/b"))
    latch.set("pressed")
    latch.flush()
    assert latch.reason == "pressed"
    assert not latch.problem


def test_a_folder_that_cannot_be_made_is_told_at_the_start(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="set ROS_HOME"):
        LatchFile(LatchPlace(tmp_path / "file" / "sinew" / "panda.latch"))


def test_a_full_disk_is_told_at_the_start(tmp_path, disk):
    disk.full = True
    with pytest.raises(RunError, match=r"\(No space left on device\): make room there"):
        LatchFile(LatchPlace(tmp_path / "panda.latch"))


def test_nothing_but_flush_waits_for_the_disk_and_what_was_asked_last_is_what_it_holds(
    tmp_path, disk, opened
):
    latch = opened(tmp_path / "panda.latch")
    disk.free.clear()
    for reason in ("pressed", "pressed again"):
        latch.set(reason)
        assert latch.busy
        assert not latch.problem
    latch.clear()
    latch.set("pressed at last")
    assert latch.busy
    assert latch.reason is None
    disk.free.set()
    latch.flush()
    assert not latch.busy
    assert latch.reason == "pressed at last"


def test_a_disk_that_does_not_answer_is_a_problem_until_it_does(
    tmp_path, disk, opened, monkeypatch
):
    latch = opened(tmp_path / "panda.latch")
    disk.free.clear()
    monkeypatch.setattr(module, "_PATIENCE_S", -1.0)
    latch.set("pressed")
    assert not latch.busy
    assert "has not answered" in latch.problem
    disk.free.set()
    latch.flush()
    assert not latch.problem


def test_a_latch_that_cannot_be_written_is_told_and_tried_again_until_it_is(tmp_path, disk, opened):
    settled = threading.Semaphore(0)
    latch = opened(tmp_path / "panda.latch", settled.release, retry_s=0.001)
    disk.full = True
    latch.set("pressed")
    for _ in range(3):
        assert settled.acquire(timeout=60.0)
        assert not latch.busy
        assert "cannot be written (No space left on device)" in latch.problem
    disk.full = False
    while latch.problem:
        assert settled.acquire(timeout=60.0)
    assert latch.reason == "pressed"


def test_flush_tries_once_more_at_once(tmp_path, disk, opened):
    latch = opened(tmp_path / "panda.latch", retry_s=1e6)
    disk.full = True
    latch.set("pressed")
    latch.flush()
    assert latch.problem
    disk.full = False
    latch.flush()
    assert not latch.problem
    assert latch.reason == "pressed"


def test_a_latch_that_cannot_be_removed_is_told_and_tried_again(tmp_path, opened):
    latch = opened(tmp_path / "panda.latch", retry_s=1e6)
    latch.path.mkdir()
    latch.clear()
    latch.flush()
    assert "cannot be removed" in latch.problem
    latch.path.rmdir()
    latch.flush()
    assert not latch.problem


def test_closing_waits_for_a_slow_disk(tmp_path, disk):
    latch = LatchFile(LatchPlace(tmp_path / "panda.latch"))
    disk.free.clear()
    latch.set("pressed")
    threading.Timer(0.05, disk.free.set).start()
    latch.close()
    assert not latch.problem
    assert latch.reason == "pressed"


@pytest.mark.parametrize("fails_first", [False, True])
def test_closing_leaves_a_disk_that_hangs(tmp_path, disk, monkeypatch, fails_first):
    told = threading.Semaphore(0)
    latch = LatchFile(LatchPlace(tmp_path / "panda.latch"), told.release, retry_s=1e-3)
    disk.full = fails_first
    if fails_first:
        latch.set("pressed")
        assert told.acquire(timeout=60.0)
    disk.free.clear()
    latch.set("pressed again")
    monkeypatch.setattr(module, "_PATIENCE_S", 0.2)
    began_s = time.monotonic()
    latch.close()
    assert 0.2 <= time.monotonic() - began_s < 30.0
    assert "has not answered" in latch.problem
    while told.acquire(blocking=False):
        pass
    disk.free.set()
    latch._thread.join(60.0)
    # Nobody listens any more.
    assert not told.acquire(blocking=False)
