"""What the deployment node makes of what it hears, in this process."""

import time
from types import SimpleNamespace

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import String

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.bundle import load_bundle
from sinew_core.deployment.checks import failures
from sinew_core.deployment.preflight import Expected, preflight
from sinew_core.robots.catalogue import load_robot
from sinew_policy import observed_graph
from sinew_policy.observed_graph import ObservedGraph
from sinew_ros.qos import LATCHED, RELIABLE

PANDA = load_robot("panda")
EXPECTED = Expected(
    joint_prefix="",
    authority=0.2,
    latency_ms=20.0,
    safety_filter="/safety_filter",
    policy="/policy",
    deployment="/probe",
    moves=True,
    recorded=False,
    gives_targets=False,
)
MANAGER = "controller_manager: Controllers Activity"
NODES = ("safety filter", "policy")


def report(name, **values):
    shown = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=DiagnosticStatus.OK, name=name, message="well", values=shown)


@pytest.fixture
def graph(probe, tmp_path):
    manifest = make_manifest(PANDA.joint_names, PANDA.limits, "panda")
    bundle = load_bundle(write_sample(tmp_path / "bundle", make_network((24, 8, 7)), manifest))
    return ObservedGraph(probe.node, EXPECTED, bundle, PANDA, ("",), 5.0)


def failing(graph):
    failed = {check.what for check in failures(preflight(graph.facts(3.0), EXPECTED))}
    return [what for what in NODES if what in failed]


def test_nodes_that_no_longer_report_are_not_there(probe, graph, monkeypatch):
    diagnostics = probe.publisher(DiagnosticArray, "/diagnostics", RELIABLE)
    assert failing(graph) == [*NODES]
    statuses = [report("safety_filter", state="disarmed"), report("policy", lifecycle="active")]
    diagnostics.publish(DiagnosticArray(status=statuses))
    probe.until(lambda: not failing(graph), "the reports of both")
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 4.0)
    monkeypatch.setattr(observed_graph, "time", later)
    assert failing(graph) == [*NODES]


def test_the_controller_manager_of_another_arm_says_nothing_of_this_one(probe, graph, monkeypatch):
    diagnostics = probe.publisher(DiagnosticArray, "/diagnostics", RELIABLE)
    configuration = probe.publisher(String, "safety_filter/configuration", LATCHED)
    configuration.publish(String(data="safety_filter: {ros__parameters: {controller: left}}"))
    probe.until(lambda: graph.controller == "left", "the filter's configuration")

    def tell(**states):
        diagnostics.publish(DiagnosticArray(status=[report(MANAGER, **states)]))

    def until(state):
        probe.until(lambda: graph.vitals(armed=True).controller_state == state, state)

    tell(left="active", broadcaster="active")
    until("active")
    tell(right="active", broadcaster="active")
    tell(left="inactive")
    until("inactive")
    heard = graph.facts(3.0).controller
    tell(right="active")
    diagnostics.publish(DiagnosticArray(status=[report("policy", lifecycle="active")]))
    probe.until(lambda: graph.facts(3.0).policy_report[0], "what came after")
    assert graph.facts(3.0).controller == heard
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 4.0)
    monkeypatch.setattr(observed_graph, "time", later)
    tell(right="active")
    until("not loaded")
