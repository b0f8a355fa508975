"""The whole graph as real processes: driver, safety filter, policy and evaluator."""

from __future__ import annotations

import json

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_srvs.srv import Trigger

from nodes.whole_graph import EVALUATOR, PANDA, Graph, write_bundle
from push_samples import TASK as PUSH
from push_samples import write_push_bundle
from sinew_core.bundle.reader import load_bundle
from sinew_core.environments.arm import ArmEnv
from sinew_core.safety.make import FILTERED_MODES
from sinew_core.tasks.push import PushParameters
from sinew_core.tasks.reach import ReachParameters
from sinew_ros.qos import RELIABLE

pytestmark = pytest.mark.graph

# Short episodes, and a start that keeps a random policy clear of the floor and of itself.
TASK = {"episode_s": 0.6, "hold_s": 0.2}
TICKS = 15
KEYS = {
    "episodes",
    "successes",
    "success_rate",
    "success_ci95",
    "return_mean",
    "return_std",
    "length_mean",
    "jerk_rad_s3",
    "limit_violations",
    "states",
    "interventions",
    "faults",
    "fault_reasons",
    "messages_lost",
    "pace",
    "seed",
    "wall_s",
}


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "bundle", TASK)


@pytest.fixture
def long_bundle(tmp_path):
    return write_bundle(tmp_path / "bundle", {**TASK, "episode_s": 20.0})


@pytest.fixture
def graph(start_node, bundle, tmp_path):
    return Graph(start_node, bundle, tmp_path)


@pytest.mark.beside
def test_two_runs_with_the_same_seed_are_equal_to_the_last_bit(start_node, bundle, tmp_path):
    runs = []
    for name in ("first", "second"):
        graph = Graph(start_node, bundle, tmp_path)
        evaluator = graph.evaluate(name, episodes=3)
        assert evaluator.wait() == 0, evaluator.output
        graph.end()
        runs.append((graph.figures(), graph.traces()))
    (figures, traces), (again, traces_again) = runs
    assert set(figures) == KEYS
    assert (figures["episodes"], figures["faults"], figures["messages_lost"]) == (3, 0, 0)
    assert figures["states"] == 3 * (4 * TICKS + 1)
    assert {**figures, "wall_s": 0} == {**again, "wall_s": 0}
    assert traces.keys() == traces_again.keys()
    assert all(np.array_equal(traces[name], traces_again[name]) for name in traces)


@pytest.mark.beside
@pytest.mark.parametrize("engine", ["pybullet", "mujoco"])
@pytest.mark.parametrize("mode", FILTERED_MODES)
def test_the_graph_moves_as_the_environment_does(start_node, tmp_path, mode, engine):
    bundle = write_bundle(tmp_path / "bundle", TASK, mode)
    graph = Graph(start_node, bundle, tmp_path, engine=engine)
    evaluator = graph.evaluate(episodes=2)
    assert evaluator.wait() == 0, evaluator.output
    traces = graph.traces()
    parameters = ReachParameters(**TASK)
    environment = ArmEnv(PANDA, engine=engine, action_mode=mode, task_parameters=parameters)
    policy = load_bundle(bundle).policy
    for episode in range(2):
        position = traces[f"{episode}/position_rad"]
        velocity = traces[f"{episode}/velocity_rad_s"]
        start = {"start_rad": position[0], "target_m": traces[f"{episode}/target_m"]}
        observation, info = environment.reset(options=start)
        for tick in range(TICKS + 1):
            assert np.array_equal(velocity[4 * tick], info["joint_velocity"]), (episode, tick)
            tool = PANDA.chain.tool_position(position[4 * tick])
            assert np.array_equal(tool, info["tool_position"]), (episode, tick)
            observation, *_, info = environment.step(policy.act(observation))
        assert np.ptp(position, axis=0).max() > 0.01
    environment.close()


PUSHED = {"task_name": "push", **{f"task.{name}": v for name, v in PUSH.items()}}
PUSH_TICKS = 40


def objects_of_the_driver(task):
    """Yield where a driver with seed 3 places the cube, reset by reset."""
    rng = np.random.default_rng(3)
    task.sample_object(rng, task.sample_target(rng))
    while True:
        task.sample_start(rng)
        place, heading = task.sample_object(rng, task.sample_target(rng))
        yield [*place, heading]


@pytest.mark.beside
@pytest.mark.parametrize("engine", ["pybullet", "mujoco"])
def test_the_graph_pushes_as_the_environment_does(start_node, tmp_path, engine):
    bundle = write_push_bundle(tmp_path / "bundle")
    graph = Graph(start_node, bundle, tmp_path, engine=engine, **PUSHED)
    evaluator = graph.evaluate(episodes=2)
    assert evaluator.wait() == 0, evaluator.output
    traces = graph.traces()
    assert (graph.figures()["faults"], graph.figures()["messages_lost"]) == (0, 0)
    environment = ArmEnv(
        PANDA,
        engine=engine,
        task="push",
        action_mode="tool_velocity",
        task_parameters=PushParameters.from_mapping(PUSH),
    )
    policy, moved = load_bundle(bundle).policy, 0.0
    for episode, place in zip(range(2), objects_of_the_driver(environment.task), strict=False):
        position, velocity, thing, target, distance = (
            traces[f"{episode}/{name}"]
            for name in ("position_rad", "velocity_rad_s", "object_m", "target_m", "distance_m")
        )
        assert np.linalg.norm(thing[0] - target) >= PUSH["apart_m"]
        start = {"start_rad": position[0], "target_m": target, "object_place": place}
        observation, info = environment.reset(options=start)
        assert len(position) == 4 * PUSH_TICKS + 1
        for tick in range(PUSH_TICKS + 1):
            assert np.array_equal(velocity[4 * tick], info["joint_velocity"]), (episode, tick)
            assert np.array_equal(thing[4 * tick], info["achieved_goal"]), (episode, tick)
            assert distance[4 * tick] == pytest.approx(info["distance_m"])
            observation, *_, info = environment.step(policy.act(observation))
        moved = max(moved, np.linalg.norm(thing[-1] - thing[0]))
    environment.close()
    assert moved > 0.002


def until_it_runs(probe):
    """Wait for an armed filter."""
    reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)

    def armed():
        pairs = [(v.key, v.value) for r in reports for s in r.status for v in s.values]
        return ("state", "armed") in pairs

    probe.until(armed, "an armed filter")


def stop_an_episode(probe):
    """Call the filter's stop as soon as it is armed, which it stays for seconds."""
    until_it_runs(probe)
    assert probe.call(Trigger, "safety_filter/stop").success


@pytest.mark.beside
def test_an_episode_that_the_filter_stops_is_a_failure_with_its_reason(
    start_node, long_bundle, tmp_path, probe
):
    graph = Graph(start_node, long_bundle, tmp_path)
    evaluator = graph.evaluate(episodes=2, clear_latch=True)
    stop_an_episode(probe)
    assert evaluator.wait(60.0) == 0, evaluator.output
    figures = graph.figures()
    assert figures["fault_reasons"] == {"~/stop was called": 1}
    assert (figures["faults"], figures["episodes"], figures["successes"]) == (1, 2, 0)


def test_a_latch_ends_the_evaluation_where_it_may_not_be_cleared(
    start_node, long_bundle, tmp_path, probe
):
    evaluator = Graph(start_node, long_bundle, tmp_path).evaluate()
    evaluator.supervised = False
    stop_an_episode(probe)
    assert evaluator.wait() == 1
    last = evaluator.output.splitlines()[-1]
    assert last.startswith("evaluator: safety_filter is latched: call its clear service")
    assert "~/stop was called" in last


@pytest.mark.beside
def test_a_report_of_before_this_episode_that_comes_late_is_no_fault(
    start_node, long_bundle, tmp_path, probe
):
    graph = Graph(start_node, long_bundle, tmp_path)
    evaluator = graph.evaluate(episodes=1)
    late = DiagnosticStatus(
        name="safety_filter",
        values=[KeyValue(key="state", value="disarmed"), KeyValue(key="armed_until_ns", value="1")],
    )
    publisher = probe.publisher(DiagnosticArray, "diagnostics", RELIABLE)

    def ended():
        publisher.publish(DiagnosticArray(status=[late]))
        return not evaluator.running()

    probe.until(ended, "the end of the episode", 60.0)
    assert evaluator.wait() == 0, evaluator.output
    assert (graph.figures()["episodes"], graph.figures()["faults"]) == (1, 0)


@pytest.mark.beside
@pytest.mark.parametrize(("clear_latch", "status"), [(True, 0), (False, 1)])
def test_a_latch_of_an_earlier_run_is_cleared_only_if_asked_for(
    start_node, bundle, tmp_path, clear_latch, status
):
    latch = tmp_path / "ros_home" / "sinew" / "panda.latch"
    latch.parent.mkdir(parents=True)
    latch.write_text("an earlier fault\n")
    evaluator = Graph(start_node, bundle, tmp_path).evaluate(clear_latch=clear_latch)
    assert evaluator.wait() == status, evaluator.output
    assert latch.exists() is not clear_latch
    if not clear_latch:
        assert "is latched: call its clear service" in evaluator.output.splitlines()[-1]


@pytest.mark.beside
def test_a_missing_partner_is_named_in_one_line(start_node, bundle):
    evaluator = start_node(EVALUATOR, {"bundle": bundle, "patience_s": 1.0})
    evaluator.supervised = False
    assert evaluator.wait() == 1
    (line,) = evaluator.output.splitlines()
    assert line.startswith("evaluator: no service safety_filter/arm after 1 s")
    assert line.endswith("is its node running, and in namespace /?")


@pytest.mark.beside
def test_joint_states_do_not_make_a_missing_recorder_waited_for_for_ever(
    start_node, bundle, tmp_path
):
    evaluator = Graph(start_node, bundle, tmp_path, pace="realtime").evaluate(
        recorded=True, patience_s=8.0
    )
    evaluator.supervised = False
    assert evaluator.wait(60.0) == 1
    last = evaluator.output.splitlines()[-1]
    assert last.startswith("evaluator: no recorder of /target_pose and /joint_states after 8 s")


@pytest.mark.beside
def test_a_partner_that_ends_is_noticed(graph, probe):
    evaluator = graph.evaluate(episodes=100_000, patience_s=4.0)
    evaluator.supervised = False
    until_it_runs(probe)
    graph.partners[2].kill()
    assert evaluator.wait(30.0) == 1
    (line,) = evaluator.output.splitlines()
    assert line.startswith("evaluator: silence for 4 s while waiting for a joint state")


@pytest.mark.beside
def test_ctrl_c_ends_an_evaluation_with_status_0(graph, probe):
    evaluator = graph.evaluate(episodes=100_000)
    until_it_runs(probe)
    assert evaluator.interrupt() == 0


@pytest.mark.parametrize("mode", FILTERED_MODES)
def test_real_time_reports_latency(start_node, tmp_path, mode):
    bundle = write_bundle(tmp_path / "bundle", TASK, mode)
    evaluator = Graph(start_node, bundle, tmp_path, pace="realtime").evaluate(
        episodes=2, clear_latch=True
    )
    assert evaluator.wait(40.0) == 0, evaluator.output
    figures = json.loads((tmp_path / "graph" / "figures.json").read_text())
    assert set(figures) == KEYS | {"latency_ms_p50", "latency_ms_p99"}
    assert 0.0 < figures["latency_ms_p50"] <= figures["latency_ms_p99"] < 1000.0
