"""A deployment that the evaluator judges while it runs, and its recording, judged afterwards."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nodes.whole_graph import PANDA, Graph, write_bundle
from sinew_core.bundle.reader import load_bundle
from sinew_core.environments.arm import ArmEnv
from sinew_core.evaluation import judge_episode
from sinew_core.tasks.reach import ReachParameters

pytestmark = [pytest.mark.graph, pytest.mark.slow]

RECORD, BAG_EVALUATOR = "sinew_sysid.record", "sinew_trainer.bag_evaluator"
# So wide that the made-up policy is at some of its targets, and in motion; power costs, too.
TASK = {
    "episode_s": 0.6,
    "hold_s": 0.2,
    "tolerance_m": 0.35,
    "rest_speed_rad_s": 100.0,
    "energy_weight": 0.01,
    "velocity_weight": 0.1,
}


def record(start_node, tmp_path, probe):
    """Return a recorder that has joined the graph, and where its bag is."""
    path = tmp_path / "bag"
    recorder = start_node(RECORD, {"output": path, "robot": "panda"})
    probe.until(
        lambda: probe.node.count_subscribers("target_pose") >= 1, "a recorder of the targets"
    )
    return recorder, path


def evaluate(start_node, tmp_path, path, bundle):
    """Return the figures of the bag, what was printed, and the motion."""
    output = tmp_path / "judged" / "recording.json"
    node = start_node(BAG_EVALUATOR, {"bag": path, "bundle": bundle, "output": output})
    assert node.wait() == 0, node.output
    with np.load(output.with_suffix(".npz")) as file:
        traces = {name: file[name] for name in file.files}
    return json.loads(output.read_text()), node.output, traces


@pytest.mark.beside
def test_a_recording_in_lockstep_is_judged_as_the_evaluator_judged_it(start_node, tmp_path, probe):
    bundle = write_bundle(tmp_path / "bundle", TASK)
    recorder, path = record(start_node, tmp_path, probe)
    graph = Graph(start_node, bundle, tmp_path)
    evaluator = graph.evaluate(episodes=6, recorded=True)
    assert evaluator.wait() == 0, evaluator.output
    assert recorder.interrupt() == 0, recorder.output
    graph.end()
    expected, (found, printed, traces) = (
        graph.figures(),
        evaluate(start_node, tmp_path, path, bundle),
    )
    assert found["notes"] == []
    assert 0 < expected["successes"] < 6
    assert {name: found[name] for name in expected if name not in ("seed", "wall_s")} == {
        name: value for name, value in expected.items() if name not in ("seed", "wall_s")
    }
    assert (found["cut"], set(found["unavailable"])) == (0, {"latency"})
    motion = graph.traces()
    assert all(np.array_equal(motion[name], traces[name]) for name in motion)
    assert "success  " in printed
    check_against_the_environment(bundle, traces, found)


def check_against_the_environment(bundle, traces, found):
    """Hold the return of the recording against that of the environment in the same episodes."""
    environment = ArmEnv(PANDA, engine="mujoco", task_parameters=ReachParameters(**TASK))
    act, outcomes = load_bundle(bundle).policy.act, []
    for i in range(found["episodes"]):
        start = {"start_rad": traces[f"{i}/position_rad"][0], "target_m": traces[f"{i}/target_m"]}
        outcomes.append(judge_episode(environment, act, 0, start))
    environment.close()
    assert sum(o.succeeded for o in outcomes) == found["successes"]
    assert np.mean([o.length for o in outcomes]) == pytest.approx(found["length_mean"])
    assert np.mean([o.total_reward for o in outcomes]) == pytest.approx(found["return_mean"])
    assert np.mean([o.jerk_rad_s3 for o in outcomes]) == pytest.approx(found["jerk_rad_s3"])


def test_a_recording_in_real_time_is_judged_within_a_control_period(start_node, tmp_path, probe):
    # Whatever it does is success once it is held, so that all agree on when; 0.2 s at 25 Hz are
    # five periods, and six good ticks.
    bundle = write_bundle(tmp_path / "bundle", {**TASK, "tolerance_m": 1.0})
    recorder, path = record(start_node, tmp_path, probe)
    graph = Graph(start_node, bundle, tmp_path, pace="realtime")
    evaluator = graph.evaluate(episodes=4, clear_latch=True, recorded=True)
    assert evaluator.wait() == 0, evaluator.output
    assert recorder.interrupt() == 0, recorder.output
    graph.end()
    expected = graph.figures()
    found, _, _ = evaluate(start_node, tmp_path, path, bundle)
    same = ("episodes", "successes", "success_ci95", "faults", "interventions", "pace")
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}
    assert found["length_mean"] == pytest.approx(expected["length_mean"], abs=1.0)
    # A tick of difference in phase or length of five: a reward, and a fifth of what changes.
    assert found["return_mean"] == pytest.approx(expected["return_mean"], rel=0.4)
    assert 0.0 < found["latency_ms_p50"] <= found["latency_ms_p99"]
    assert (found["cut"], found["unavailable"]) == (0, {})


def test_what_is_no_bag_ends_the_node_with_one_line(start_node, tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "bag_0.mcap").write_bytes(bytes(range(256)))
    node = start_node(BAG_EVALUATOR, {"bag": tmp_path / "bag", "robot": "panda"})
    node.supervised = False
    assert node.wait() == 1
    (line,) = node.output.splitlines()
    assert line.startswith("bag_evaluator: no complete bag at")
