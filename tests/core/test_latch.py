"""The latch file: where it lies, that it lasts, and that it can be removed."""

from __future__ import annotations

import pytest

from sinew_core.errors import RunError
from sinew_core.safety.latch import LatchFile, latch_path


def test_a_latch_lasts_until_it_is_cleared(tmp_path):
    path = tmp_path / "sinew" / "panda.latch"
    latch = LatchFile(path)
    assert latch.reason is None
    latch.set("pressed")
    latch.flush()
    assert LatchFile(path).reason == "pressed"
    latch.clear()
    assert LatchFile(path).reason is None
    latch.clear()


def test_an_empty_file_is_a_latch_too(tmp_path):
    (tmp_path / "panda.latch").touch()
    assert LatchFile(tmp_path / "panda.latch").reason


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
