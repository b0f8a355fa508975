"""Training over a real graph: exact steps, an operator's stop, a killed trainer, a drive home."""

import contextlib
import json
import os

import numpy as np
import pytest
import safetensors.numpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from sinew_core.algorithms.parameters import DDPGParameters
from sinew_core.environments.arm import ArmEnv
from sinew_core.errors import ConfigError, RunError
from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.tasks.reach import ReachParameters
from sinew_core.training.learners import Problem, make_learner
from sinew_core.training.seeds import Seeds
from sinew_ros.qos import RELIABLE
from sinew_trainer.graph_parameters import GraphTrainParameters
from sinew_trainer.graph_run import prepare_run

TASK = {"episode_s": 0.8, "hold_s": 0.2}
WARMING = {"warmup_steps": 1_000_000}
"""The untrained actor explores to the end, so that every step can be computed again."""
SECTIONS = {f"reach.{k}": v for k, v in TASK.items()} | {f"ddpg.{k}": v for k, v in WARMING.items()}
FOUND = {
    "mode": "joint_velocity",
    "shadow": False,
    "rates": Rates().to_mapping(),
    "safety": {k: v for k, v in SafetyParameters().to_mapping().items() if v != []},
}
MOST_DRAWS = 20
STARTED_WITHIN_S = 150.0


def trainer_parameters(tmp_path, **more):
    file = tmp_path / "training.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": SECTIONS}}))
    run = {"run": "graph", "output": tmp_path, "training": file, "env_steps": 1_000_000}
    return {**run, "checkpoint_period_s": 0.001, **more}


def start_arm(start_node, pace):
    start_node("sinew_sim.sim_driver", {"pace": pace})
    start_node("sinew_safety.safety_filter", {"pace": pace})


class Told:
    """What the trainer's and the filter's diagnostics tell."""

    def __init__(self, probe, folder):
        self.folder = folder
        self._heard = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)

    def value(self, node, key):
        for array in reversed(self._heard):
            for status in array.status:
                values = {v.key: v.value for v in status.values}
                if status.name == node and key in values:
                    return values[key]
        return None

    def forget(self):
        """Take only what is told from now on."""
        self._heard.clear()

    def steps(self):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.folder / "progress.json").read_text())["env_steps"]
        return 0


def stop_in_an_episode(probe, told):
    """Stop until it was in an episode, not between two; leave the filter cleared.

    Return how often it was stopped.
    """
    heard, stops = probe.listen(JointTrajectory, "policy/command", RELIABLE), 0
    while told.value("graph_trainer", "interruptions") != "1":
        count = len(heard)
        probe.until(lambda count=count: len(heard) > count + 3, "commands")
        probe.call(Trigger, "safety_filter/stop")
        stops += 1
        probe.until(lambda: told.value("safety_filter", "state") == "latched", "the latch")
        told.forget()  # the trainer reports once a second: it may still tell of the stop before
        probe.until(lambda: told.value("graph_trainer", "paused") == "True", "the pause")
        if told.value("graph_trainer", "interruptions") != "1":
            # Between two episodes the world stands still, whatever speed the arm has there.
            assert probe.call(Trigger, "sim_driver/reset").success
        probe.until(lambda: probe.call(Trigger, "safety_filter/clear").success, "clearing")
        if told.value("graph_trainer", "interruptions") != "1":
            assert probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True)).success
    return stops


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def replay_of(folder):
    files = sorted((folder / "checkpoints" / "replay").glob("*.safetensors"))
    pieces = [safetensors.numpy.load(file.read_bytes()) for file in files]
    return {
        name.rpartition(".")[2]: np.concatenate([piece[name] for piece in pieces])
        for name in pieces[0]
    }


def lengths_of(replay):
    ends = np.flatnonzero(replay["steps_left"] == replay["steps_left"].min()) + 1
    return np.diff([0, *ends]).tolist()


def assert_steps_of_the_environment(replay, lengths):
    """Explore anew as the untrained learner does; each episode is one of these from its start."""
    env, starts = ArmEnv(task_parameters=ReachParameters(**TASK)), np.random.default_rng(0)
    parameters = DDPGParameters(**WARMING)
    explorer = make_learner(Problem.of(env.setup), parameters, 0).explorer(0)
    first = 0
    for seed, length in zip(Seeds(0).training(len(lengths)), lengths, strict=True):
        for _ in range(MOST_DRAWS):  # an episode that was begun again has taken some
            start = env.task.sample_start(starts)
            observation, _ = env.reset(seed=seed, options={"start_rad": start})
            if replay["observation"][first].tobytes() == observation.tobytes():
                break
        choose = explorer.begin(seed)
        for row in range(first, first + length):
            assert replay["observation"][row].tobytes() == observation.tobytes()
            observation, reward, *_ = env.step(choose(observation).command)
            assert replay["next_observation"][row].tobytes() == observation.tobytes()
            assert replay["reward"][row] == np.float32(reward)
            assert replay["terminated"][row] == 0.0
        first += length
    env.close()


@pytest.mark.slow
@pytest.mark.graph
@pytest.mark.beside
def test_a_stop_and_a_killed_trainer_leave_steps_of_the_environment_alone(
    start_node, probe, tmp_path
):
    folder = tmp_path / "graph"
    told = Told(probe, folder)
    start_arm(start_node, "lockstep")
    trainer = start_node("sinew_trainer.graph_trainer", trainer_parameters(tmp_path))
    probe.until(lambda: told.steps() > 0, "an episode", STARTED_WITHIN_S)
    stops = stop_in_an_episode(probe, told)
    before = told.steps()
    assert probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True)).success
    probe.until(lambda: told.steps() > before + 20, "training after the stop", 60.0)
    checkpoints = folder / "checkpoints"
    kept = max(int(p.name) for p in checkpoints.iterdir() if p.name.isdigit())
    learner = int((folder / "training.lock").read_text())
    trainer.kill()
    probe.until(lambda: gone(learner), "the end of the learner")
    again = start_node("sinew_trainer.graph_trainer", {"resume": folder})
    probe.until(lambda: (checkpoints / f"{kept + 3:06d}").is_dir(), "going on", STARTED_WITHIN_S)
    assert again.interrupt() == 0
    replay = replay_of(folder)
    lengths = lengths_of(replay)
    whole = ReachParameters(**TASK).episode_s * Rates().control_rate_hz
    short = [length for length in lengths if length != whole]
    # A stop in the last ticks may come to the trainer when the episode is over, or leave it whole.
    assert len(short) <= stops
    assert all(0 < length < whole for length in short)
    assert_steps_of_the_environment(replay, lengths)


@pytest.mark.slow
@pytest.mark.graph
def test_an_operator_arms_once_and_the_arm_drives_home_between_episodes(
    start_node, probe, tmp_path
):
    folder = tmp_path / "graph"
    told = Told(probe, folder)
    start_arm(start_node, "realtime")
    real = {"pace": "realtime", "reset": "home", "arm": False}
    start_node("sinew_trainer.graph_trainer", trainer_parameters(tmp_path, **real))
    probe.until(lambda: (folder / "progress.json").is_file(), "the learner", STARTED_WITHIN_S)
    states = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
    assert told.steps() == 0  # nothing moves before the operator arms
    probe.until(
        lambda: probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True)).success,
        "arming",
    )
    states.clear()
    probe.until(lambda: told.steps() >= 40, "two episodes", 30.0)
    reported = {
        v.value
        for array in states
        for status in array.status
        for v in status.values
        if status.name == "safety_filter" and v.key == "state"
    }
    assert reported == {"armed"}
    latency_ms = told.value("graph_trainer", "latency_ms_p50")
    assert latency_ms is not None
    assert float(latency_ms) > 0.0


def test_an_existing_run_is_refused_unless_overwritten(tmp_path):
    prepare_run(GraphTrainParameters(run="a", output=str(tmp_path)), FOUND)
    with pytest.raises(RunError, match="overwrite:=true"):
        prepare_run(GraphTrainParameters(run="a", output=str(tmp_path)), FOUND)
    prepare_run(GraphTrainParameters(run="a", output=str(tmp_path), overwrite=True), FOUND)


def test_a_run_is_trained_under_what_the_filter_allows(tmp_path):
    found = {**FOUND, "safety": {**FOUND["safety"], "noise_rad": 0.02}}
    run = prepare_run(GraphTrainParameters(run="a", output=str(tmp_path)), found)
    assert run.configuration.safety.noise_rad == 0.02
    with pytest.raises(RunError, match=r"safety\.noise_rad is 0\.02, not 0\.001"):
        prepare_run(GraphTrainParameters(resume=str(run.folder)), FOUND)


def test_a_filter_in_shadow_is_refused(tmp_path):
    with pytest.raises(RunError, match="shadow:=false"):
        prepare_run(GraphTrainParameters(output=str(tmp_path)), {**FOUND, "shadow": True})


def test_a_filter_of_another_mode_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="the safety filter takes joint_velocity"):
        prepare_run(GraphTrainParameters(mode="joint_effort", output=str(tmp_path)), FOUND)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"algorithm": "ppo"}, "ppo"),
        ({"arm": False}, "take home or none"),
        ({"arm": False, "reset": "none", "mode": "joint_effort"}, "no effort holds the arm"),
        ({"action_mode": "tool_velocity", "mode": "joint_effort"}, "mode:=joint_velocity"),
        ({"resume": "runs/a", "bundle": "b"}, "bundle beside resume: .* remove bundle:="),
        ({"resume": "runs/a", "training": "c.yaml"}, "training beside resume: .* remove training"),
        ({"resume_despite": "code"}, "resume_despite without resume"),
        ({"resume": "runs/a", "resume_despite": "cod"}, "resume_despite has 'cod'"),
    ],
)
def test_what_cannot_be_together_is_refused(values, problem):
    with pytest.raises(ConfigError, match=problem):
        GraphTrainParameters(**values)
