"""How the training process ends where what it needs gives out: with one line."""

import dataclasses
import errno
import os

import pytest

from sinew_core.training import process
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.progress import Progress

PROGRESS = Progress(
    state="training",
    env_steps=100,
    wall_s=2.0,
    env_steps_per_s=50.0,
    success_rate=0.5,
    return_mean=-1.0,
    remaining_s=3.0,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of a run; signals stay as they are."""
    text = RunConfiguration.from_mapping({"seed": 5}).to_yaml()
    (tmp_path / "config.yaml").write_text(text)
    monkeypatch.setattr(process, "StopOnSignal", lambda: lambda: False)
    return tmp_path


def test_a_disk_that_fills_up_while_training_tells_its_progress_is_the_users_error(
    folder, monkeypatch, capsys
):
    def train(configuration, *, on_progress, **_):
        on_progress(PROGRESS)
        monkeypatch.setattr(os, "fsync", full)
        on_progress(dataclasses.replace(PROGRESS, env_steps=200))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(process, "train", train)
    assert process.main([str(folder)]) == 1
    error = capsys.readouterr().err
    assert f"{folder} cannot be written (No space left on device): free the disk" in error
    assert error.count("\n") == 1
    assert '"env_steps": 100' in (folder / "progress.json").read_text()
    assert not list(folder.glob(".*"))


def test_a_replay_beyond_the_memory_is_the_users_error(folder, monkeypatch, capsys):
    def train(configuration, **_):
        raise MemoryError("Unable to allocate 3.55 PiB")

    monkeypatch.setattr(process, "train", train)
    assert process.main([str(folder)]) == 1
    error = capsys.readouterr().err
    assert "Unable to allocate 3.55 PiB): lower replay_capacity" in error
    assert error.count("\n") == 1


def test_an_error_that_is_not_the_disks_is_not_called_so(folder, monkeypatch):
    def train(configuration, **_):
        raise OSError(errno.ECHILD, os.strerror(errno.ECHILD))

    monkeypatch.setattr(process, "train", train)
    with pytest.raises(OSError, match="No child processes"):
        process.main([str(folder)])
