"""What `./sinew bench arms` makes of the reports of deployments, without deploying."""

import sys

import pytest
import yaml

import benchmarks.__main__ as command_line
from architecture.node_parameters import NODES, by_class
from architecture.source_files import ROOT
from benchmarks.arms import ROBOTS, Outcome, lockstep_outcome, put, real_outcome, write_config
from benchmarks.options import Options
from benchmarks.report import Report
from sinew_core.robots.catalogue import load_robot

FIGURES = {
    "episodes": 20,
    "successes": 19,
    "success_ci95": [0.764, 0.991],
    "limit_violations": 0,
    "fault_reasons": {"filter fault observer_empty": 1},
}


def test_every_emulated_arm_is_judged():
    files = {path.stem for path in (ROOT / "config" / "emulated").glob("*.yaml")}
    assert files - {"none"} == set(ROBOTS)


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_is_deployed_as_its_file_says(name):
    content = yaml.safe_load((ROOT / "config" / "emulated" / f"{name}.yaml").read_text())
    driver = content["/**/sim_driver"]["ros__parameters"]
    robot = ROBOTS[name]
    assert driver["arm.robot"] == load_robot(name).name == name
    assert driver.get("joint_prefix", "") == robot.joint_prefix
    assert driver.get("arm.raw_topic", "joint_states") == robot.states
    for rate, value in robot.rates.items():
        assert driver[rate] == value


def test_a_deployment_says_success_with_its_interval_and_why_it_stopped():
    outcome = lockstep_outcome(FIGURES)
    assert outcome.sentence() == (
        "19 of 20 = 95% [76%, 99%]; 0 limit violations; filter fault observer_empty (1)"
    )


def test_a_deployment_that_preflight_refused_names_the_checks():
    targets = {"episodes": 0, "successes": 0, "success_ci95": None, "limit_violations": 0}
    refused = {"targets": targets, "failed": ["rate of joint_states"], "held": []}
    assert real_outcome(refused).sentence() == "refused: rate of joint_states"


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (Outcome(episodes=20, successes=18, interval=(0.7, 0.97), violations=0), False),
        (Outcome(episodes=20, successes=17, interval=(0.6, 0.95), violations=0), True),
        (Outcome(episodes=20, successes=20, interval=(0.8, 1.0), violations=1), True),
        (Outcome(episodes=0, successes=0, interval=None, violations=0, stops=("x",)), True),
    ],
)
def test_the_exit_status_says_whether_the_bars_are_met(outcome, failed, tmp_path, monkeypatch):
    class Judged:
        @staticmethod
        def run(report: Report, options: Options) -> None:
            put(report, "gen3", "in a test", outcome)

    monkeypatch.setitem(sys.modules, "judged", Judged)
    monkeypatch.setitem(command_line.BENCHMARKS, "arms", ("judged", "in a test"))
    assert command_line.main(["arms", "--output", str(tmp_path)]) == int(failed)


@pytest.mark.parametrize("name", ROBOTS)
def test_a_busy_machine_gets_watchdogs_that_the_nodes_accept(name, tmp_path):
    for patient in (False, True):
        path = write_config(name, tmp_path / "config.yaml", patient=patient)
        for section, content in yaml.safe_load(path.read_text()).items():
            node = section.rpartition("/")[2]
            given = {
                **content["ros__parameters"],
                **({} if node == "safety_filter" else {"bundle": "x"}),
            }
            for prefix, values in by_class(node, given):
                NODES[node][prefix].from_mapping(values, section)
