import dataclasses
import json
import math

import pytest

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.bundle import load_bundle
from sinew_core.deployment.checks import failures, unknown
from sinew_core.deployment.connections import Connection
from sinew_core.deployment.partners import FilterSettings
from sinew_core.deployment.preflight import (
    Controller,
    Expected,
    Facts,
    Graph,
    intruders,
    preflight,
)
from sinew_core.deployment.states import StateContents, distances_rad
from sinew_core.deployment.summary import (
    check_output,
    measured_text,
    report_figures,
    write_report,
)
from sinew_core.deployment.targets import TargetRun
from sinew_core.deployment.timing import ArrivalMeter, Latency
from sinew_core.errors import ConfigError, RunError
from sinew_core.robots.catalogue import load_robot

PANDA = load_robot("panda")
HOME = PANDA.home_rad.tolist()
CONTROLLER = "forward_velocity_controller"
EXPECTED = Expected(
    joint_prefix="",
    authority=0.2,
    latency_ms=20.0,
    safety_filter="/safety_filter",
    policy="/policy",
    deployment="/deployment",
    moves=True,
    recorded=False,
    gives_targets=False,
)
GRAPH = Graph(
    states=Connection(topic="/joint_states", publishers=("/driver",)),
    command=Connection(topic="/policy/command", publishers=("/policy",)),
    output=Connection(
        topic=f"/{CONTROLLER}/commands",
        publishers=("/safety_filter",),
        subscribers=(f"/{CONTROLLER}",),
    ),
    target=Connection(topic="/target_pose", publishers=("/operator",)),
    description=Connection(topic="/robot_description", publishers=("/driver",)),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preflight") / "bundle"
    manifest = make_manifest(PANDA.joint_names, PANDA.limits, "panda")
    return load_bundle(write_sample(folder, make_network((24, 8, 7)), manifest))


@pytest.fixture
def facts(bundle):
    contents, meter = StateContents(PANDA.joint_names), ArrivalMeter()
    for i in range(200):
        stamp = 10**18 + i * 10_000_000
        contents.take(stamp, PANDA.joint_names, HOME, [0.0] * 7, [0.0] * 7)
        meter.take(0.01 * i, stamp, stamp + 1_000_000)
    latency = Latency(count=50, p50_ms=2.0, p99_ms=4.0, max_ms=5.0)
    return Facts(
        robot=PANDA,
        bundle=bundle,
        description=PANDA.urdf_text,
        settings=FilterSettings(guard_timeout_s=1.0),
        filter_report={"state": "disarmed"},
        senders=("/policy",),
        has_target=True,
        target_problem="",
        policy_report=("OK", "commanding", {"bundle_sha256": bundle.fingerprint}),
        contents=contents,
        arrivals=meter.measure(1.99, 10.0),
        commands=latency,
        outputs=latency,
        novelty=unknown("observation as in training", "", "", ""),
        graph=GRAPH,
        controller=Controller(name=CONTROLLER, states={CONTROLLER: "active"}, source="test"),
    )


def failed(checks):
    return [check.what for check in failures(checks)]


def test_a_graph_that_fits_passes(facts):
    checks = preflight(facts, EXPECTED)
    assert failed(checks) == []
    assert len({check.what for check in checks}) == len(checks) >= 25


def changed(**topics):
    return dataclasses.replace(
        GRAPH,
        **{k: dataclasses.replace(getattr(GRAPH, k), **v) for k, v in topics.items()},
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"description": None}, "robot_description"),
        ({"has_target": False}, "source of target_pose"),
        ({"senders": ("/policy", "/other")}, "senders of commands"),
        ({"filter_report": {"state": "latched", "reason": "x"}}, "latch of the filter"),
        ({"policy_report": ("ERROR", "no", {})}, "policy"),
        ({"policy_report": ("OK", "", {"bundle_sha256": "other"})}, "bundle of the policy"),
        (
            {"policy_report": ("WARN", "inactive: no command", {"lifecycle": "inactive"})},
            "policy",
        ),
        ({"graph": changed(output={"subscribers": ()})}, "controller"),
        (
            {"graph": changed(output={"publishers": ("/safety_filter", "/other")})},
            "sources of the controller",
        ),
        (
            {"graph": changed(command={"publishers": ("/policy", "/other")})},
            "source of commands",
        ),
        ({"graph": changed(states={"problems": ("does not fit",)})}, "QoS of every connection"),
        ({"controller": Controller(name=CONTROLLER, states={"b": "active"})}, "controller active"),
        (
            {"controller": Controller(name=CONTROLLER, interface="position")},
            "unit of the controller",
        ),
        (
            {"settings": FilterSettings(mode="joint_effort", guard_timeout_s=1.0)},
            "rates and command mode",
        ),
        ({"settings": FilterSettings()}, "guard of the filter"),
        ({"outputs": Latency(count=1, p50_ms=90.0, p99_ms=90.0)}, "latency of the loop"),
    ],
)
def test_each_fault_is_refused_by_the_check_that_names_it(facts, change, what):
    assert what in failed(preflight(dataclasses.replace(facts, **change), EXPECTED))


def test_in_shadow_the_filter_may_not_publish_to_the_controller(facts):
    shadow = dataclasses.replace(facts, settings=FilterSettings(shadow=True))
    assert failed(preflight(shadow, EXPECTED)) == ["sources of the controller"]
    away = dataclasses.replace(shadow, graph=changed(output={"publishers": ()}))
    assert failed(preflight(away, EXPECTED)) == []


def test_a_live_arm_needs_a_filter_that_is_not_in_shadow(facts):
    live = dataclasses.replace(EXPECTED, live=True)
    assert failed(preflight(facts, live)) == []
    away = changed(output={"publishers": ()})
    shadow = dataclasses.replace(facts, settings=FilterSettings(shadow=True), graph=away)
    assert failed(preflight(shadow, live)) == ["outputs of the filter"]


def test_a_bag_is_not_asked_for_a_controller_but_refuses_a_live_arm_beside_it(facts):
    recorded = dataclasses.replace(EXPECTED, recorded=True, moves=False)
    alone = dataclasses.replace(
        facts,
        description=None,
        graph=changed(states={"publishers": ("/deployment",)}, output={"subscribers": ()}),
    )
    assert failed(preflight(alone, recorded)) == []
    assert failed(preflight(facts, recorded)) == ["source of joint_states"]


def test_intruders_are_whoever_else_publishes_to_the_arm():
    assert intruders(GRAPH, EXPECTED, shadow=False) == ()
    other = changed(output={"publishers": ("/safety_filter", "/x")})
    assert intruders(other, EXPECTED, shadow=False) == (f"/x on /{CONTROLLER}/commands",)


def test_the_report_holds_checks_and_figures(facts, tmp_path):
    checks = preflight(dataclasses.replace(facts, description=None), EXPECTED)
    measured = {
        "joint_states": facts.arrivals.to_mapping(),
        "latency_output": facts.outputs.to_mapping(),
        "positions": distances_rad(facts.contents, PANDA),
        "held": [{"after_s": 1.0, "reason": "joint_states: silent"}],
    }
    head = {"mode": "live", "robot": "panda", "bundle": "b", "duration_s": 2.0}
    figures = report_figures(head, checks, measured)
    folder = tmp_path / "new" / "report"
    check_output(str(folder))
    write_report(str(folder), figures, checks)
    read = json.loads((folder / "report.json").read_text())
    assert (read["passed"], read["failed"]) == (False, ["robot_description"])
    assert len(read["checks"]) == len(checks)
    assert "start robot_state_publisher" in (folder / "report.html").read_text()
    assert "held after 1.0 s" in measured_text(figures)


def test_a_report_with_figures_that_are_not_finite_is_written(tmp_path):
    row = {"field": "joint_velocity", "largest_std": math.inf, "share": 1.0}
    figures = report_figures({}, (), {"observation": [row], "n": math.nan})
    write_report(str(tmp_path), figures, ())
    read = json.loads((tmp_path / "report.json").read_text())
    assert (read["observation"], read["n"]) == ([{**row, "largest_std": None}], None)


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="choose another folder"):
        check_output(str(tmp_path / "file"))


def test_targets_follow_one_another_and_a_hold_counts_as_a_miss(bundle):
    run = TargetRun(bundle, PANDA, count=2, seed=1, authority=0.5)
    first = run.target
    assert PANDA.reach_box.contains(first)
    stamp = 10**18
    while not run.observe(stamp, HOME, [0.0] * 7):
        stamp += 40_000_000
    assert run.target != first
    run.abort()
    assert run.complete
    assert run.figures()["successes"] == 0
    assert run.figures()["episodes"] == 2


def test_the_next_target_has_the_time_of_the_authority_that_was_changed(bundle):
    def control_steps():
        stamp = 10**18
        while not run.observe(stamp, HOME, [0.0] * 7):
            stamp += 40_000_000
        return run.episodes[-1].control_steps

    run = TargetRun(bundle, PANDA, count=3, seed=1, authority=1.0)
    whole = control_steps()
    run.authority = 0.5
    assert (control_steps(), control_steps()) == (whole, 2 * whole)


def test_a_target_that_no_arm_went_for_is_not_missed(bundle):
    run = TargetRun(bundle, PANDA, count=3, seed=1, authority=0.5)
    first = run.target
    run.abort()  # arming was refused
    assert (run.target, run.episodes) == (first, [])
    run.observe(10**18, HOME, [0.0] * 7)
    run.abort()  # on its way there
    run.abort()  # the checks failed once more
    assert len(run.episodes) == 1
    assert run.target != first


def test_the_time_of_a_target_begins_with_the_authority_but_limits_count_before(bundle):
    run = TargetRun(bundle, PANDA, count=1, seed=1, authority=1.0)
    beyond = PANDA.limits.position_upper_rad + 0.01
    stamp = 10**18
    for _ in range(1000):
        assert not run.observe(stamp, beyond.tolist(), [0.0] * 7, slowed=True)
        stamp += 10_000_000
    began = stamp
    while not run.observe(stamp, HOME, [0.0] * 7):
        stamp += 10_000_000
    assert stamp - began > 2 * 10**9
    assert run.figures()["limit_violations"] == 1000


def test_targets_of_a_task_with_an_object_are_refused(bundle):
    manifest = dataclasses.replace(bundle.manifest, task={"name": "push"})
    with pytest.raises(ConfigError, match="publish target_pose and object_pose"):
        TargetRun(
            dataclasses.replace(bundle, manifest=manifest), PANDA, count=1, seed=0, authority=1.0
        )
