"""What `./sinew train` does to runs that are there: replace them, or go on with them."""

import errno
import json
import os

import pytest

from sinew_core.errors import RunError
from sinew_core.training.checkpoints.resume import locked, read_configuration
from sinew_core.training.configuration import RunConfiguration
from sinew_trainer.main_job import MainJob, main, make_job


@pytest.fixture
def stopped_run(tmp_path):
    """Return the folder of a run that was stopped."""
    folder = tmp_path / "first"
    folder.mkdir()
    given = {"robot": "iiwa14", "seed": 5, "output": "elsewhere", "env_steps": 1000}
    (folder / "config.yaml").write_text(RunConfiguration.from_mapping(given).to_yaml())
    return folder


def test_an_existing_run_is_refused(capsys, tmp_path):
    (tmp_path / "first").mkdir()
    assert main(["run:=first", f"output:={tmp_path}"]) == 2
    assert "overwrite:=true" in capsys.readouterr().err


def test_a_file_never_says_that_a_run_is_replaced(capsys, tmp_path):
    values = {"run": "first", "output": str(tmp_path), "overwrite": True}
    text = RunConfiguration.from_mapping(values).to_yaml()
    assert "overwrite: false" in text
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "config.yaml").write_text(
        text.replace("overwrite: false", "overwrite: true")
    )
    assert main([f"config:={tmp_path / 'first' / 'config.yaml'}", "seed:=1"]) == 2
    assert "overwrite:=true" in capsys.readouterr().err
    job = make_job([f"config:={tmp_path / 'first' / 'config.yaml'}", "overwrite:=true"])
    assert job.configuration.train.overwrite is True


class Steps:
    """Stands in for what `train_sim` does: what `act` does, then an end by this error."""

    def __init__(self, monkeypatch, act, error):
        self.given = {}

        def launch(name, arguments, log, *_, **__):
            self.given = arguments
            log.write_text("what the nodes said\n")
            act()
            return self

        self.error = error
        monkeypatch.setattr("sinew_trainer.main_job.Launch", launch)

    def wait(self, _):
        raise self.error

    def stop(self):
        pass


@pytest.mark.parametrize("error", [RunError("no such arm"), KeyboardInterrupt()])
def test_a_run_that_was_to_be_replaced_is_left_alone_until_it_is(
    stopped_run, error, capsys, monkeypatch
):
    (stopped_run / "checkpoints").mkdir()
    (stopped_run / "report.json").write_text("{}")
    Steps(monkeypatch, lambda: None, error)
    words = [f"run:={stopped_run.name}", f"output:={stopped_run.parent}", "overwrite:=true"]
    assert main(words) == (1 if isinstance(error, RunError) else 130)
    assert {p.name for p in stopped_run.iterdir()} == {
        "checkpoints", "config.yaml", "report.json", "training.lock"
    }  # fmt: skip
    assert "go on with" not in capsys.readouterr().err

    def replace():
        stopped_run.rename(stopped_run.parent / "old")
        stopped_run.mkdir()

    Steps(monkeypatch, replace, error)
    main(words)
    assert (stopped_run / "train.log").read_text() == "what the nodes said\n"


@pytest.mark.parametrize(
    "asked", [{"env_steps": 200_000}, {"eval_episodes": 200}, {"device": "cpu"}]
)
def test_what_a_run_goes_on_with_is_in_its_configuration_even_if_it_is_the_default(
    stopped_run, asked, monkeypatch
):
    others = {"robot": "iiwa14", "env_steps": 1000, "eval_episodes": 7, "device": "cuda"}
    accepted = {**asked, "resume_despite": "device"}
    (stopped_run / "config.yaml").write_text(RunConfiguration.from_mapping(others).to_yaml())
    monkeypatch.setattr("sinew_core.algorithms.device.open_device", lambda name: None)
    steps = Steps(monkeypatch, lambda: None, KeyboardInterrupt())
    assert main([f"resume:={stopped_run}", *(f"{k}:={v}" for k, v in accepted.items())]) == 130
    assert steps.given["resume"] == stopped_run
    train = read_configuration(stopped_run).train
    assert {name: getattr(train, name) for name in others} == {**others, **asked}


def test_a_run_that_is_refused_keeps_its_report_and_configuration(stopped_run, capsys):
    (stopped_run / "report.json").write_text("{}")
    before = (stopped_run / "config.yaml").read_text()
    with locked(stopped_run):
        assert main([f"resume:={stopped_run}", "env_steps:=2000"]) == 1
    assert "is being trained by process" in capsys.readouterr().err
    assert (stopped_run / "report.json").is_file()
    assert (stopped_run / "config.yaml").read_text() == before


def test_a_run_goes_on_as_it_was_configured(stopped_run, capsys):
    words = [f"resume:={stopped_run}", "env_steps:=2000", "graph_episodes:=7"]
    job = make_job(words)
    assert job.folder == stopped_run
    assert job.configuration.train.robot == "iiwa14"
    assert job.configuration.train.env_steps == 2000
    job.say_what_is_kept()
    assert f"go on with ./sinew train resume:={stopped_run} graph_episodes:=7\n" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["seed:=6"], "seed is 5, not 6"),
        (["env_steps:=500"], "env_steps may only grow"),
        (["config:=x.yaml"], "remove config:="),
        (["sead:=5"], "did you mean 'seed'"),
        (["resume_despite:=cod"], "did you mean 'code'"),
        (["device:=cuda"], "resume_despite:=device"),
    ],
)
def test_what_contradicts_a_run_is_refused_before_it_goes_on(stopped_run, words, reason, capsys):
    assert main([f"resume:={stopped_run}", *words]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_a_finished_run_has_nothing_to_resume_but_a_missing_report(stopped_run, capsys):
    told = {"stopped": False, "confirmed": False, "env_steps": 1000}
    (stopped_run / "training.json").write_text(json.dumps(told))
    assert isinstance(make_job([f"resume:={stopped_run}"]), MainJob)
    (stopped_run / "report.json").write_text("{}")
    assert main([f"resume:={stopped_run}"]) == 2
    assert "is finished" in capsys.readouterr().err
    assert isinstance(make_job([f"resume:={stopped_run}", "env_steps:=1001"]), MainJob)


def test_a_disk_that_is_full_is_told_in_one_line(stopped_run, capsys, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = (stopped_run / "config.yaml").read_text()
    monkeypatch.setattr(os, "fsync", full)
    assert main([f"resume:={stopped_run}", "env_steps:=2000"]) == 1
    error = capsys.readouterr().err
    assert f"{stopped_run} cannot be written (No space left on device): free the disk" in error
    assert error.count("\n") == 1
    assert (stopped_run / "config.yaml").read_text() == before
    assert {p.name for p in stopped_run.iterdir()} == {"config.yaml", "training.lock"}


def test_who_cannot_wait_for_the_end_of_a_training_is_told_how_to_go_on(
    stopped_run, capsys, monkeypatch
):
    def impatient(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Steps, "stop", impatient)
    Steps(monkeypatch, lambda: None, KeyboardInterrupt())
    assert main([f"resume:={stopped_run}"]) == 130
    assert "go on with ./sinew train resume:=" in capsys.readouterr().err


def test_a_run_is_resumed_from_within_its_folder_too(stopped_run, monkeypatch):
    monkeypatch.chdir(stopped_run)
    assert make_job(["resume:=."]).folder == stopped_run
    (stopped_run / "bundle").mkdir()
    monkeypatch.chdir(stopped_run / "bundle")
    assert make_job(["resume:=.."]).folder == stopped_run
