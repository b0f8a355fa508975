"""Training over a real graph: exact steps, an operator's stop, and what is kept at the end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from sinew_core.algorithms.parameters import DDPGParameters
from sinew_core.environments.arm import ArmEnv
from sinew_core.errors import ConfigError, RunError
from sinew_core.training.learners import Problem, make_learner
from sinew_core.training.seeds import Seeds
from sinew_trainer.graph_parameters import GraphTrainParameters
from sinew_trainer.graph_run import prepare_run

ROOT = Path(__file__).parents[2]
LAUNCH = [sys.executable, "-m", "sinew_bringup.launcher", "launch/train_graph.launch.yaml"]


def replay_of(folder):
    files = sorted((folder / "checkpoints" / "replay").glob("*.safetensors"))
    pieces = [safetensors.numpy.load(file.read_bytes()) for file in files]
    return {
        name.rpartition(".")[2]: np.concatenate([piece[name] for piece in pieces])
        for name in pieces[0]
    }


def assert_steps_of_the_environment(replay, *, episodes):
    """Explore anew as the untrained learner does, before which no update has come."""
    env, starts = ArmEnv(), np.random.default_rng(0)
    explorer = make_learner(Problem.of(env.setup), DDPGParameters(), 0).explorer(0)
    seeds = Seeds(0).training(episodes)
    length = env.task.episode_ticks
    for number, seed in enumerate(seeds):
        rows = slice(number * length, (number + 1) * length)
        start = env.task.sample_start(starts)
        observation, _ = env.reset(seed=seed, options={"start_rad": start})
        choose = explorer.begin(seed)
        for row in range(rows.start, rows.stop):
            assert replay["observation"][row].tobytes() == observation.tobytes()
            command = choose(observation).command
            observation, reward, _, _, _ = env.step(command)
            assert replay["next_observation"][row].tobytes() == observation.tobytes()
            assert replay["reward"][row] == np.float32(reward)


@pytest.mark.slow
@pytest.mark.graph
def test_lockstep_steps_equal_those_of_the_environment_and_survive_ctrl_c(tmp_path):
    """The run is interrupted in the middle of an episode: only whole ones are remembered."""
    process = subprocess.Popen(
        [*LAUNCH, f"output:={tmp_path}", "run:=exact"],
        cwd=ROOT,
        env={**os.environ, "ROS_HOME": str(tmp_path)},
        start_new_session=True,
    )
    folder, deadline = tmp_path / "exact", time.monotonic() + 60
    try:
        progress = folder / "progress.json"
        while not (progress.is_file() and '"env_steps": 0,' not in progress.read_text()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(30)
    finally:
        process.kill()
    replay = replay_of(folder)
    length = ArmEnv().task.episode_ticks
    count = len(replay["reward"])
    assert count >= length
    assert count % length == 0
    assert count <= DDPGParameters().warmup_steps
    assert_steps_of_the_environment(replay, episodes=count // length)


def test_an_existing_run_is_refused_unless_overwritten(tmp_path):
    prepare_run(GraphTrainParameters(run="a", output=str(tmp_path)))
    with pytest.raises(RunError, match="overwrite:=true"):
        prepare_run(GraphTrainParameters(run="a", output=str(tmp_path)))
    prepare_run(GraphTrainParameters(run="a", output=str(tmp_path), overwrite=True))


def test_on_policy_algorithms_are_refused_by_name():
    with pytest.raises(ConfigError, match="ppo"):
        GraphTrainParameters(algorithm="ppo")
