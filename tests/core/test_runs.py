import json
import os

import pytest

from sinew_core.errors import RunError
from sinew_core.files import write_atomically, write_json
from sinew_core.runs import create_run_folder


def test_a_new_run_gets_an_empty_folder(tmp_path):
    folder = create_run_folder(tmp_path / "runs", "first", overwrite=False)
    assert folder == tmp_path / "runs" / "first"
    assert list(folder.iterdir()) == []


def test_an_existing_run_is_refused_and_kept(tmp_path):
    folder = create_run_folder(tmp_path, "first", overwrite=False)
    (folder / "config.yaml").write_text("seed: 1\n")
    with pytest.raises(RunError, match="overwrite:=true"):
        create_run_folder(tmp_path, "first", overwrite=False)
    assert (folder / "config.yaml").read_text() == "seed: 1\n"


def test_overwrite_replaces_a_run(tmp_path):
    folder = create_run_folder(tmp_path, "first", overwrite=False)
    (folder / "config.yaml").write_text("seed: 1\n")
    assert list(create_run_folder(tmp_path, "first", overwrite=True).iterdir()) == []


def test_overwrite_never_removes_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"x")
    with pytest.raises(RunError, match="not a run"):
        create_run_folder(tmp_path, "photos", overwrite=True)
    assert (tmp_path / "photos" / "cat.png").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "-x", "a b", "x" * 101])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    with pytest.raises(RunError, match="run name"):
        create_run_folder(tmp_path, name, overwrite=True)


def test_a_place_that_cannot_be_written_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="output:=FOLDER"):
        create_run_folder(tmp_path / "file", "run", overwrite=False)


def test_a_failed_write_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    write_json(path, {"seed": 1})

    def no_space(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"seed": 2})
    assert json.loads(path.read_text()) == {"seed": 1}


def test_json_without_a_meaning_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "report.json", {"value": float("nan")})


def test_text_is_written_as_utf8(tmp_path):
    write_atomically(tmp_path / "a.txt", "κ ≤ ½")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "κ ≤ ½"
