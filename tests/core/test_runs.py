import contextlib
import json
import os

import pytest

from sinew_core.errors import ConfigError, RunError, SinewError
from sinew_core.files import write_atomically, write_json
from sinew_core.runs import check_run_folder, new_run_folder
from sinew_core.training.checkpoints.resume import locked


def run_in(output, name="first"):
    """Create a run with a file of its own."""
    with new_run_folder(output, name, overwrite=False) as folder:
        (folder / "config.yaml").write_text("seed: 1\n")
        (folder / "arm.yaml").write_text("{}")
        (folder / "training.lock").write_text("")
    return output / name


def replace(output, prepare=lambda folder: None, **inputs):
    with new_run_folder(output, "first", overwrite=True, inputs=inputs) as folder:
        prepare(folder)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_run_gets_an_empty_folder_that_appears_once_it_is_prepared(tmp_path):
    with new_run_folder(tmp_path / "runs", "first", overwrite=False) as folder:
        assert names(folder) == []
        assert not (tmp_path / "runs" / "first").exists()
        (folder / "config.yaml").write_text("seed: 1\n")
    assert names(tmp_path / "runs") == ["first"]
    assert names(tmp_path / "runs" / "first") == ["config.yaml"]


def test_an_existing_run_is_refused_and_kept(tmp_path):
    folder = run_in(tmp_path)
    with pytest.raises(RunError, match="overwrite:=true"):
        run_in(tmp_path)
    assert (folder / "config.yaml").read_text() == "seed: 1\n"


def test_overwrite_replaces_a_run_once_the_new_one_is_prepared(tmp_path):
    folder = run_in(tmp_path)

    def prepare(new):
        (new / "kept.yaml").write_bytes((folder / "arm.yaml").read_bytes())

    replace(tmp_path, prepare)
    assert names(folder) == ["kept.yaml"]
    assert names(tmp_path) == ["first"]


@pytest.mark.parametrize("error", [ConfigError("no such bundle"), OSError(28, "No space left")])
def test_a_run_stays_as_it_was_where_preparing_the_new_one_fails(tmp_path, error):
    folder = run_in(tmp_path)

    def prepare(new):
        raise error

    with pytest.raises(SinewError, match=r"no such bundle|cannot be written \(No space left\)"):
        replace(tmp_path, prepare)
    assert names(folder) == ["arm.yaml", "config.yaml", "training.lock"]
    assert names(tmp_path) == ["first"]


def test_a_run_that_the_new_one_reads_from_is_not_replaced(tmp_path, monkeypatch):
    folder = run_in(tmp_path)
    monkeypatch.chdir(tmp_path)
    for path in ("first/arm.yaml", f"{folder}/arm.yaml", "first/../first/arm.yaml"):
        with pytest.raises(RunError, match=r"sim_params is .*: copy it to another place"):
            replace(tmp_path, robot="panda", sim_params=path)
    assert names(folder) == ["arm.yaml", "config.yaml", "training.lock"]
    replace(tmp_path, robot="panda", urdf="", sim_params="mismatched")


def test_a_run_that_is_being_trained_is_not_replaced(tmp_path):
    folder = run_in(tmp_path)
    with locked(folder), pytest.raises(RunError, match=f"trained by process {os.getpid()}"):
        replace(tmp_path)
    assert "config.yaml" in names(folder)

    def begin_to_train_the_old_one(new):
        training.enter_context(locked(folder))

    with (
        contextlib.ExitStack() as training,
        pytest.raises(RunError, match=f"trained by process {os.getpid()}"),
    ):
        replace(tmp_path, begin_to_train_the_old_one)
    assert "config.yaml" in names(folder)
    replace(tmp_path)
    assert names(folder) == []


def test_overwrite_never_removes_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "cat.png").write_bytes(b"x")
    with pytest.raises(RunError, match=r"not a run \(it has no config\.yaml\)"):
        replace(tmp_path)
    assert (tmp_path / "first" / "cat.png").exists()


def test_overwrite_never_replaces_a_link(tmp_path):
    folder = run_in(tmp_path / "disk")
    (tmp_path / "first").symlink_to(folder)
    with pytest.raises(RunError, match="is a link"):
        replace(tmp_path)
    assert "config.yaml" in names(folder)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "-x", "a b", "x" * 101])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    with pytest.raises(RunError, match="run name"):
        check_run_folder(tmp_path, name, overwrite=True)


def test_a_place_that_cannot_be_written_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="output:=FOLDER"):
        check_run_folder(tmp_path / "file", "run", overwrite=False)


def test_a_failed_write_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    write_json(path, {"seed": 1})

    def no_space(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"seed": 2})
    assert json.loads(path.read_text()) == {"seed": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_json_without_a_meaning_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "report.json", {"value": float("nan")})


def test_text_is_written_as_utf8(tmp_path):
    write_atomically(tmp_path / "a.txt", "κ ≤ ½")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "κ ≤ ½"
