"""The latch file: where it lies, that it lasts, that it can be removed, and slow or full disks."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from sinew_core.errors import RunError
from sinew_core.files import write_atomically
from sinew_core.safety import latch as module
from sinew_core.safety.latch import LatchFile, latch_path


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
    """Return `open(path, ...)` that makes latches which are closed in the end."""
    latches = []

    def make(*args, **kwargs):
        latches.append(LatchFile(*args, **kwargs))
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


def test_each_robot_and_namespace_has_its_own_file(monkeypatch, tmp_path):
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    assert latch_path("panda", "/") == tmp_path / "sinew" / "panda.latch"
    assert latch_path("/x/my arm.yaml", "/left/a") == tmp_path / "sinew" / "left_a-my_arm.latch"
    monkeypatch.delenv("ROS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert latch_path("panda", "") == tmp_path / ".ros" / "sinew" / "panda.latch"


def test_a_folder_that_cannot_be_made_is_told_at_the_start(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="set ROS_HOME"):
        LatchFile(tmp_path / "file" / "sinew" / "panda.latch")


def test_a_full_disk_is_told_at_the_start(tmp_path, disk):
    disk.full = True
    with pytest.raises(RunError, match=r"\(No space left on device\): make room there"):
        LatchFile(tmp_path / "panda.latch")


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
