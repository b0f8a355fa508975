"""The trainer node with its real training process: requests, a stop, and going on."""

from __future__ import annotations

import contextlib
import json
import os

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import Trigger

from sinew_ros.qos import RELIABLE

pytestmark = [pytest.mark.graph, pytest.mark.beside]

TRAINER = "sinew_trainer.trainer"
TINY = {
    "run": "first",
    "env_steps": 1_000_000,
    "evaluation_period_steps": 50,
    "confirm_episodes": 3,
    "target_success_rate": 1.0,
    "reach.episode_s": 0.4,
    "reach.hold_s": 0.1,
    "ddpg.warmup_steps": 20,
    "ddpg.batch_size": 16,
}
STARTED_WITHIN_S = 90.0


def state_in(heard):
    """Return the state that the trainer's latest diagnostics tell."""
    for array in reversed(heard):
        for status in array.status:
            if status.name == "trainer":
                return {v.key: v.value for v in status.values}["state"]
    return None


def alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def progress(folder):
    return json.loads((folder / "progress.json").read_text())


def test_a_training_takes_requests_stops_with_a_checkpoint_and_goes_on(start_node, probe, tmp_path):
    node = start_node(TRAINER, {**TINY, "output": tmp_path})
    folder = tmp_path / "first"
    requests_are_answered(probe, folder)
    node.supervised = False
    assert node.wait(STARTED_WITHIN_S) == 0, node.output
    told = json.loads((folder / "training.json").read_text())
    assert told["stopped"]

    refused = start_node(TRAINER, {"resume": folder, "seed": 7})
    refused.supervised = False
    assert refused.wait(STARTED_WITHIN_S) == 1
    assert "seed is 0, not 7" in refused.output

    later = start_node(TRAINER, {"resume": folder})
    going_on = f"at {told['env_steps']:,} environment steps"
    probe.until(lambda: going_on in later.output, "going on", STARTED_WITHIN_S)
    assert "going on from checkpoint" in later.output
    process = int((folder / "training.lock").read_text())
    later.kill()  # the training ends by itself, and another may go on
    probe.until(lambda: not alive(process), "the end of the training", STARTED_WITHIN_S)


def requests_are_answered(probe, folder):
    heard = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)

    def ask(request):
        answer = probe.call(Trigger, f"trainer/{request}", timeout_s=STARTED_WITHIN_S)
        return answer.success, answer.message

    refused, reason = ask("resume")
    assert not refused
    assert "not paused" in reason
    begun = ("training", "evaluating")
    probe.until(lambda: state_in(heard) in begun, "training", STARTED_WITHIN_S)
    assert ask("pause")[0]
    probe.until(lambda: state_in(heard) == "paused", "the pause")
    assert list((folder / "checkpoints").glob("0*"))
    held = progress(folder)["env_steps"]
    assert ask("pause") == (False, "nothing to pause: training is paused")

    evaluated, result = ask("evaluate")
    assert evaluated
    assert f"over 3 episodes at {held:,} environment steps" in result
    assert json.loads((folder / "evaluation.json").read_text())["episodes"] == 3
    assert progress(folder)["env_steps"] == held

    assert ask("resume")[0]
    probe.until(lambda: progress(folder)["env_steps"] > held, "more steps")
    stopped, how_to_go_on = ask("stop")
    assert stopped
    assert f"./sinew train resume:={folder}" in how_to_go_on
