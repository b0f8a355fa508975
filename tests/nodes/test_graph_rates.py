"""Rates whose periods are no whole number of nanoseconds, in lockstep."""

import json

import pytest
from whole_graph import EVALUATOR

from reach_samples import write_reaching_bundle
from sinew_core.rates import Rates

pytestmark = [pytest.mark.graph, pytest.mark.slow, pytest.mark.beside]

RATES = Rates(physics_rate_hz=600, state_rate_hz=60, filter_rate_hz=60, control_rate_hz=30)


def test_a_policy_of_30_decisions_a_second_is_evaluated(start_node, probe, tmp_path):
    bundle = write_reaching_bundle(tmp_path / "bundle", rates=RATES)
    common = {"pace": "lockstep", **RATES.to_mapping()}
    start_node("sinew_sim.sim_driver", {**common, "engine": "mujoco", "seed": 3})
    start_node("sinew_safety.safety_filter", {**common, "watchdog.state_timeout_s": 0.06})
    start_node("sinew_policy.policy", {"pace": "lockstep", "bundle": bundle})
    output = tmp_path / "figures.json"
    given = {"pace": "lockstep", "bundle": bundle, "episodes": 2, "seed": 5, "output": output}
    evaluator = start_node(EVALUATOR, given)
    evaluator.supervised = False
    probe.until(lambda: not evaluator.running(), "the end of the evaluation", 60.0)
    figures = json.loads(output.read_text())
    assert (figures["episodes"], figures["successes"], figures["faults"]) == (2, 2, 0)
