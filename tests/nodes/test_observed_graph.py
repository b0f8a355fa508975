"""What the deployment node makes of what it hears, in this process."""

import time
from types import SimpleNamespace

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.bundle import load_bundle
from sinew_core.deployment.checks import failures
from sinew_core.deployment.preflight import Expected, preflight
from sinew_core.robots.catalogue import load_robot
from sinew_policy import observed_graph
from sinew_policy.observed_graph import ObservedGraph
from sinew_ros.qos import RELIABLE

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
