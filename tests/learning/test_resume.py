"""A training that is killed at any moment and resumed ends as one that was left alone."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from sinew_core.errors import ConfigError, RunError
from sinew_core.training.checkpoints.manifest import CheckpointManifest
from sinew_core.training.checkpoints.resume import (
    finished,
    locked,
    read_configuration,
    resumed_configuration,
)
from sinew_core.training.config import Resume
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.events import EVENT_FILE, EventFile

TINY = {
    "env_steps": 300,
    "evaluation_period_steps": 100,
    "confirm_episodes": 5,
    "eval_episodes": 5,
    "target_success_rate": 1.0,
    "checkpoint_period_s": 0.001,  # at every episode
    "reach": {"episode_s": 0.4, "hold_s": 0.1},
}
DDPG = {
    **TINY,
    "algorithm": "ddpg",
    "ddpg": {"warmup_steps": 20, "batch_size": 16, "replay_capacity": 100},
}
WITHIN_S = 120.0


class Training:
    """A training process in a run folder of its own."""

    def __init__(self, folder, values):
        self.folder = folder
        folder.mkdir()
        self.configure(values)

    def configure(self, values):
        text = RunConfiguration.from_mapping(values).to_yaml()
        (self.folder / "config.yaml").write_text(text)

    def start(self, *words):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.log = self.folder.parent / f"{self.folder.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sinew_core.training.process", str(self.folder), *words],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def until(self, reached):
        deadline = time.monotonic() + WITHIN_S
        while not reached() and self.process.poll() is None:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.001)

    def end(self, number):
        assert self.process.poll() is None, f"ended before it was to:\n{self.log.read_text()}"
        self.process.send_signal(number)
        return self.process.wait(WITHIN_S)

    def checkpoints(self):
        return {p.name for p in (self.folder / "checkpoints").glob("0*")}

    def writing(self):
        return [p for p in (self.folder / "checkpoints").glob(".0*") if not p.name.endswith(".old")]

    def told(self):
        return json.loads((self.folder / "training.json").read_text())

    def result(self):
        told = self.told()
        points = ("env_steps", "success_rate", "return_mean", "episodes")
        return {
            "curve": [[point[name] for name in points] for point in told["curve"]],
            "evaluation": told["eval_env"],
            "weights": (self.folder / "bundle" / "policy.safetensors").read_bytes(),
            "golden": (self.folder / "bundle" / "golden.npz").read_bytes(),
            "events": points_of(self.folder),
        }


def of_other_code(folder):
    """Let the checkpoints of a run say that other code wrote them; what they hold stays."""
    for path in (folder / "checkpoints").glob("0*/manifest.json"):
        manifest = CheckpointManifest.decode(path.read_bytes())
        provenance = {**manifest.provenance, "code": "other"}
        path.write_bytes(dataclasses.replace(manifest, provenance=provenance).encode())


def points_of(folder):
    """Read the curves with TensorBoard's own reader; speed, which is not the run's, apart."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    events = EventFileLoader(str(folder / "tensorboard" / EVENT_FILE)).Load()
    points = [(v.tag, e.step, v.tensor.float_val[0]) for e in events for v in e.summary.value]
    return [point for point in points if not point[0].endswith("per_s")]


def test_a_training_killed_again_and_again_ends_as_one_left_alone(tmp_path):
    whole = Training(tmp_path / "whole", DDPG)
    broken = Training(tmp_path / "broken", {**DDPG, "env_steps": 250})
    seed = time.time_ns()
    rng = random.Random(seed)
    whole.start()
    broken.start()
    broken.until(broken.checkpoints)
    if rng.random() < 0.5:
        time.sleep(rng.uniform(0.0, 0.2))
    else:
        broken.until(broken.writing)
    broken.end(signal.SIGKILL)

    before = broken.checkpoints()
    broken.start()
    broken.until(lambda: broken.checkpoints() - before)
    time.sleep(rng.uniform(0.0, 0.1))
    assert broken.end(signal.SIGINT) == 0, broken.log.read_text()

    broken.configure(DDPG)  # more steps are allowed now
    of_other_code(broken.folder)
    broken.start("--despite", "code")
    for training in (broken, whole):
        assert training.process.wait(WITHIN_S) == 0, training.log.read_text()
    assert "going on from checkpoint" in broken.log.read_text()
    assert broken.result() == whole.result(), f"killed as random.Random({seed}) said"
    (change,) = broken.told()["resumed_despite"]
    assert change["then"] == {"code": "other"}
    assert change["now"] == {"code": broken.told()["provenance"]["code"]}
    assert whole.told()["resumed_despite"] == []

    broken.start()
    assert broken.process.wait(WITHIN_S) == 1
    assert "is finished, there is nothing to resume" in broken.log.read_text()


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "config.yaml").write_text(RunConfiguration.from_mapping(DDPG).to_yaml())
    return folder


def test_a_resumed_run_has_its_own_configuration_with_what_may_change(run_folder):
    given = {"env_steps": 500, "eval_episodes": 7, "ddpg.batch_size": 16}
    configuration = resumed_configuration(run_folder, given)
    own = read_configuration(run_folder)
    assert configuration.algorithm == own.algorithm
    assert configuration.train.env_steps == 500
    assert configuration.train.eval_episodes == 7
    assert configuration.train.run == "first"
    assert configuration.train.output == str(run_folder.parent)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"seed": 1}, "seed is 0, not 1"),
        ({"device": "cuda"}, "device is cpu, not cuda, which resume_despite:=device accepts"),
        ({"ddpg.gamma": 0.5}, "ddpg.gamma is 0.93, not 0.5"),
        ({"env_steps": 100}, "env_steps may only grow, and 100 is less than 300"),
        ({"engine": "mujoco", "reach.hold_s": 0.2}, "engine is pybullet, not mujoco, reach.hold_s"),
    ],
)
def test_a_contradiction_is_refused_with_the_reason(run_folder, given, reason):
    with pytest.raises(RunError) as refused:
        resumed_configuration(run_folder, given)
    assert reason in str(refused.value)


def test_another_device_is_taken_where_the_user_accepts_it(run_folder):
    asked = resumed_configuration(run_folder, {"device": "cuda"}, ("device",))
    assert asked.train.device == "cuda"
    with pytest.raises(RunError, match="seed is 0, not 1"):
        resumed_configuration(run_folder, {"seed": 1}, ("device", "code", "versions"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"resume": "a", "resume_despite": "cod"}, "has 'cod': did you mean 'code'"),
        ({"resume": "a", "resume_despite": "code, device"}, "has ' device'"),
        ({"resume_despite": "code"}, "add resume:=runs/NAME"),
    ],
)
def test_what_a_run_is_resumed_despite_is_checked(values, reason):
    with pytest.raises(ConfigError, match=reason):
        Resume.from_mapping(values)


def test_several_kinds_of_differences_are_accepted_at_once():
    resume = Resume.from_mapping({"resume": "a", "resume_despite": "versions,code"})
    assert resume.despite == ("versions", "code")


def test_an_unknown_argument_or_run_is_refused(run_folder, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'env_steps'"):
        resumed_configuration(run_folder, {"env_step": 500})
    with pytest.raises(RunError, match=r"is not a run, it has no config\.yaml"):
        resumed_configuration(tmp_path, {})


@pytest.mark.parametrize(
    ("told", "ended"),
    [
        ({"stopped": True, "confirmed": False, "env_steps": 80}, False),
        ({"stopped": False, "confirmed": True, "env_steps": 80}, True),
        ({"stopped": False, "confirmed": False, "env_steps": 300}, True),
        ({"stopped": False, "confirmed": False, "env_steps": 80}, False),  # it may use more now
    ],
)
def test_a_run_is_finished_when_confirmed_or_without_steps_left(run_folder, told, ended):
    configuration = read_configuration(run_folder)
    assert finished(run_folder, configuration) is None
    (run_folder / "training.json").write_text(json.dumps(told))
    assert bool(finished(run_folder, configuration)) == ended


def test_a_run_that_is_being_trained_is_not_trained_twice(run_folder):
    with (
        locked(run_folder),
        pytest.raises(RunError, match=f"trained by process {os.getpid()}"),
        locked(run_folder),
    ):
        pass
    with locked(run_folder):
        pass


def test_curves_go_back_to_a_checkpoint_and_on_without_repeating_a_point(tmp_path):
    events = EventFile(tmp_path / "tensorboard", 0, clock=lambda: 5.0)
    events.add(10, {"training/return": -2.5, "training/speed_per_s": 3.0})
    length = events.length()
    events.add(20, {"training/return": -2.0})
    events.close()
    events = EventFile(tmp_path / "tensorboard", length, clock=lambda: 6.0)
    events.add(20, {"training/return": -1.5})
    events.close()
    assert points_of(tmp_path) == [("training/return", 10, -2.5), ("training/return", 20, -1.5)]
