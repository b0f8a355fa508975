import dataclasses
import math
import struct

import pytest

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.bundle import load_bundle
from sinew_core.deployment.checks import Check, check_table, failures, unknown
from sinew_core.deployment.connections import (
    Connection,
    activity,
    check_active,
    check_controller,
    check_joint_order,
    check_source,
    check_unit,
)
from sinew_core.deployment.description import check_bundle, check_filter_limits
from sinew_core.deployment.interventions import InterventionCounter
from sinew_core.deployment.novelty import NoveltyMonitor
from sinew_core.deployment.partners import (
    FilterSettings,
    check_filter,
    check_latency,
    check_senders,
    read_filter_settings,
)
from sinew_core.deployment.playback import shift_stamp
from sinew_core.deployment.states import (
    StateContents,
    check_contents,
    check_position,
    check_rates,
    check_rest,
    check_stamps,
)
from sinew_core.deployment.timing import ArrivalMeter, Latency, LoopMeter
from sinew_core.robots.catalogue import load_robot

PANDA = load_robot("panda")
NAMES = PANDA.joint_names
HOME = PANDA.home_rad.tolist()
MS = 1_000_000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployment") / "bundle"
    manifest = make_manifest(NAMES, PANDA.limits, "panda")
    return load_bundle(write_sample(folder, make_network((24, 8, 7)), manifest))


def contents(position=HOME, velocity=(0.0,) * 7, effort=(0.0,) * 7, names=NAMES):
    made = StateContents(NAMES)
    for stamp in (1, 1 + 100 * MS):
        made.take(stamp, names, position, velocity, effort)
    return made


def failed(checks):
    return [check.what for check in failures(checks)]


def test_a_bundle_fits_the_robot_trained_on_and_not_slower_filters_or_other_modes(bundle):
    assert not failed(check_bundle(bundle, PANDA, filter_rate_hz=100, mode="joint_velocity"))
    slower = check_bundle(bundle, PANDA, filter_rate_hz=50, mode="joint_position")
    assert failed(slower) == ["rates and command mode"]
    other = check_bundle(bundle, load_robot("iiwa14"), filter_rate_hz=100, mode="joint_velocity")
    assert "joints of the bundle" in failed(other)


def test_a_filter_with_other_limits_is_refused_and_a_silent_one_unknown():
    own = {"joint_names": list(NAMES), "limits": PANDA.limits.to_mapping()}
    assert not failed(check_filter_limits(own, PANDA))
    wider = {**own, "limits": {**PANDA.limits.to_mapping(), "velocity_rad_s": [9.0] * 7}}
    assert check_filter_limits(wider, PANDA)[0].found == "other velocity_rad_s"
    assert not check_filter_limits(None, PANDA)[0].known


@pytest.mark.parametrize(
    ("velocity", "presence"),
    [((0.0,) * 7, "present"), ((), "missing"), ((math.nan,) * 7, "NaN")],
)
def test_velocities_that_are_not_there_are_told_of(velocity, presence):
    assert contents(velocity=velocity).presence("velocity") == presence


@pytest.mark.parametrize("lost", range(7))
def test_a_missing_joint_is_named(lost):
    kept = [i for i in range(7) if i != lost]
    zeros = [0.0] * 6
    seen = contents([HOME[i] for i in kept], zeros, zeros, [NAMES[i] for i in kept])
    check = failures(check_contents(seen, PANDA))[0]
    assert check.found == f"lack {NAMES[lost]}"


@pytest.mark.parametrize("joint", range(7))
def test_a_moving_joint_is_named_by_its_velocity_and_by_its_way(joint):
    velocity = [0.0] * 7
    velocity[joint] = -0.3
    assert check_rest(contents(velocity=velocity), 0.02, needed=True).found.startswith(NAMES[joint])
    moved = contents(velocity=())
    position = list(HOME)
    position[joint] += 0.05  # 0.05 rad in 0.2 s are 0.25 rad/s
    moved.take(1 + 200 * MS, NAMES, position, (), ())
    speed, name = moved.peak_speed_rad_s()
    assert name == NAMES[joint]
    assert speed == pytest.approx(0.25)
    assert not check_rest(moved, 0.02, needed=True).passed
    assert check_rest(moved, 0.02, needed=False).verdict == "unknown"
    moved.take(1 + 400 * MS, NAMES, HOME, (), ())  # back where it was
    assert moved.peak_speed_rad_s() == (pytest.approx(0.125), NAMES[joint])


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("side", ["lower", "upper"])
def test_a_joint_at_a_limit_is_refused_with_its_distance(joint, side):
    position = list(HOME)
    limits = PANDA.limits
    position[joint] = (
        limits.position_lower_rad[joint] + 0.001
        if side == "lower"
        else limits.position_upper_rad[joint] - 0.001
    )
    check = check_position(contents(position), PANDA, 0.005)
    assert not check.passed
    assert f"{NAMES[joint]} 0.001" in check.found
    assert check_position(contents(), PANDA, 0.005).passed


def arrivals(rate_hz, age_s=0.001, n=200):
    meter = ArrivalMeter()
    for i in range(n):
        clock = 10**18 + round(i * 1e9 / rate_hz)
        meter.take(i / rate_hz, clock - round(age_s * 1e9), clock)
    return meter.measure((n - 1) / rate_hz, 100.0)


@pytest.mark.parametrize(
    ("rate_hz", "wanted_hz", "fails"), [(500, 500, False), (30, 100, True), (20, 20, True)]
)
def test_the_rate_of_states_has_to_be_the_filters_and_at_least_the_policys(
    rate_hz, wanted_hz, fails
):
    measured = arrivals(rate_hz)
    assert measured.rate_hz == pytest.approx(rate_hz)
    checks = check_rates(
        measured,
        state_rate_hz=wanted_hz,
        state_timeout_s=0.2,
        control_rate_hz=25,
        trained_rate_hz=100,
    )
    assert failed(checks) == (["rate of joint_states"] if fails else [])


@pytest.mark.parametrize(("part", "rate"), [(0.5, "50.0"), (0.0, "0.0")])
def test_the_rate_is_that_of_the_joint_told_least_often(part, rate):
    seen, n = StateContents(NAMES), 100
    seen.take(1, NAMES, HOME, [], [])
    seen.restart()  # what was heard before the window does not count
    for i in range(n):
        told = 7 if i < n * part else 4
        seen.take(10**18 + i * 10 * MS, NAMES[:told], HOME[:told], [], [])
    assert seen.slowest(n) == (NAMES[4], part)
    checks = check_rates(
        arrivals(100),
        state_rate_hz=100,
        state_timeout_s=0.2,
        control_rate_hz=25,
        trained_rate_hz=100,
        slowest=seen.slowest(n),
    )
    assert failed(checks) == ["rate of joint_states"]
    assert checks[0].found == f"{rate} Hz of {NAMES[4]}"


def test_states_that_repeat_a_stamp_are_no_states_of_a_joint():
    seen = StateContents(NAMES)
    for i in range(100):
        seen.take(10**18 + i // 2, NAMES, HOME, [], [])
    assert seen.slowest(100) == (NAMES[0], 0.5)


def test_states_that_have_stopped_are_refused():
    meter = ArrivalMeter()
    for i in range(200):
        meter.take(0.01 * i, 10**18 + i * 10 * MS, 10**18 + i * 10 * MS)
    checks = check_rates(
        meter.measure(3.0, 3.0),
        state_rate_hz=100,
        state_timeout_s=0.03,
        control_rate_hz=25,
        trained_rate_hz=100,
    )
    assert failed(checks) == ["jitter of joint_states"]
    assert "silent for the last 1.0 s" in failures(checks)[0].found


@pytest.mark.parametrize(("age_s", "passes"), [(0.001, True), (-0.5, False), (30.0, False)])
def test_stamps_of_another_clock_are_refused(age_s, passes):
    checks = check_stamps(arrivals(100, age_s), future_s=0.02, old_s=1.0)
    assert failed(checks) == ([] if passes else ["stamps of joint_states"])


def test_stamps_that_repeat_are_counted():
    meter = ArrivalMeter()
    for i in range(4):
        meter.take(0.01 * i, 1, 1)
    assert meter.measure(0.03, 1.0).repeated == 3


def test_latency_runs_from_the_state_to_the_first_output_with_its_command():
    loop = LoopMeter()
    loop.state(5, 1.000)
    loop.command(5, 1.004)
    loop.output(lambda: 4, 1.005)
    loop.output(lambda: 5, 1.009)
    loop.output(lambda: 5, 1.019)
    assert loop.commands(1.02, 1.0).p50_ms == pytest.approx(4.0)
    assert loop.outputs(1.02, 1.0).max_ms == pytest.approx(9.0)
    assert loop.outputs(1.02, 1.0).count == 1


def test_a_latency_that_is_not_known_passes_and_a_long_one_does_not():
    long = Latency(count=9, p50_ms=1.0, p99_ms=50.0, max_ms=60.0)
    policy, output = check_latency(Latency(), long, 20.0, has_target=False)
    assert policy.verdict == "unknown"
    assert output.verdict == "FAIL"
    silent, _ = check_latency(Latency(), long, 20.0, has_target=True)
    assert silent.verdict == "FAIL"


def test_a_controllers_state_is_read_from_diagnostics():
    name = "controller_manager: Controllers Activity"
    values = {"a.state": "active", "b": "inactive", "a.periodicity.rate": "500"}
    states = activity(name, values)
    assert states == {"a": "active", "b": "inactive"}
    assert activity("other", values) == {}
    assert check_active("/arm/a", states, "diagnostics").passed
    assert not check_active("b", states, "diagnostics").passed
    assert not check_active("c", states, "diagnostics").passed
    assert not check_active("a", {}, "").known


def test_a_controller_that_nobody_runs_is_refused():
    assert not check_controller(Connection(topic="/c/commands"), "c").passed
    assert check_controller(Connection(topic="/c/commands", subscribers=("/c",)), "c").known


@pytest.mark.parametrize(
    ("publishers", "passes"),
    [(("/f",), True), ((), False), (("/f", "/g"), False), (("/g",), False)],
)
def test_one_source_is_asked_for(publishers, passes):
    connection = Connection(topic="/t", publishers=publishers)
    assert check_source(connection, "source", ours="/f").passed == passes


@pytest.mark.parametrize("end", ["publishers", "subscribers"])
def test_a_connection_settles_once_every_node_has_a_name(end):
    nameless = "_NODE_NAMESPACE_UNKNOWN_/_NODE_NAME_UNKNOWN_"
    assert Connection(topic="/t", **{end: ("/f", "/g")}).settled
    assert not Connection(topic="/t", **{end: ("/f", nameless)}).settled


@pytest.mark.parametrize("reads", [True, False])
def test_the_controllers_joint_order_has_to_be_known_or_equal(reads):
    turned = NAMES[::-1]
    assert check_joint_order("c", turned, NAMES, reads=reads).passed == reads
    assert not check_joint_order("c", NAMES[:6], NAMES, reads=reads).passed
    assert check_joint_order("c", None, NAMES, reads=reads).passed != reads


def test_a_latched_filter_and_a_second_sender_are_refused():
    latched = check_filter({"state": "latched", "reason": "stopped"})
    assert failed(latched) == ["latch of the filter"]
    assert failed(check_filter({"state": "armed"})) == ["safety filter"]
    assert failed([check_senders(("/policy", "/policy, publisher 2"))]) == ["senders of commands"]
    assert check_senders(()).passed
    assert failed(check_filter({})) == ["safety filter"]


def test_the_filters_settings_come_from_what_it_publishes():
    text = (
        "safety_filter:\n  ros__parameters:\n    mode: joint_position\n    state_rate_hz: 500\n"
        "    watchdog: {state_timeout_s: 0.5}\n    safety: {margin_rad: 0.02}\nrobot: {a: 1}\n"
    )
    settings = read_filter_settings(text)
    assert settings.mode == "joint_position"
    assert settings.rates.state_rate_hz == 500
    assert settings.state_timeout_s == 0.5
    assert settings.safety.margin_rad == 0.02
    assert settings.robot == {"a": 1}
    assert read_filter_settings(None) == FilterSettings()


def test_observations_far_from_training_are_named_by_field(bundle):
    near = NoveltyMonitor(bundle, PANDA.chain, unusual_std=1e6)
    far = NoveltyMonitor(bundle, PANDA.chain, unusual_std=5.0)
    for monitor in (near, far):
        assert not monitor.check().known
        assert monitor.observe(0.0, 1, HOME, [1e4] * 7, (0.5, 0.0, 0.4))
        assert not monitor.observe(0.01, 2, HOME, [1e4] * 7, (0.5, 0.0, 0.4))
    assert near.check().passed
    assert "joint_velocity" in far.outside
    assert not far.check().passed
    assert far.outside_for_s(2.0) == 2.0


def test_the_policys_own_ticks_are_observed_where_each_state_is_one(bundle):
    rates = dataclasses.replace(bundle.specification.rates, state_rate_hz=25, filter_rate_hz=25)
    specification = dataclasses.replace(bundle.specification, rates=rates)
    each = dataclasses.replace(bundle, specification=specification)
    monitor = NoveltyMonitor(each, PANDA.chain, unusual_std=5.0)
    for i in range(50):  # 40 ms apart, early and late by 2 ms in turn
        stamp = 10**18 + 40 * MS * i + (2 * MS if i % 2 else -2 * MS)
        assert monitor.observe(0.04 * i, stamp, HOME, [0.0] * 7, (0.5, 0.0, 0.4))


def test_interventions_of_an_armed_filter_count_from_the_first_report():
    counter = InterventionCounter()
    counter.take({"interventions: a jerk": "5", "state": "armed"})
    counter.take({"interventions: a jerk": "8", "interventions: b position": "2"})
    rows = counter.figures(100)["by_joint"]
    assert [(r["joint"], r["cause"], r["count"]) for r in rows] == [
        ("a", "jerk", 3),
        ("b", "position", 2),
    ]


def test_interventions_before_and_after_a_restart_of_the_filter_count():
    counter = InterventionCounter()
    for total in ("10", "15", "0", "3"):
        counter.take({"interventions: a jerk": total})
    assert [row["count"] for row in counter.figures(100)["by_joint"]] == [5 + 3]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("offset_ns", [0, 1, -2_500_000_000, 10**18])
def test_only_the_stamp_of_a_message_is_moved(order, offset_ns):
    head = b"\x00\x01\x00\x00" if order == "<" else b"\x00\x00\x00\x00"
    data = head + struct.pack(f"{order}iI", 100, 5) + b"rest"
    moved = shift_stamp(data, offset_ns)
    seconds, nanoseconds = struct.unpack_from(f"{order}iI", moved, 4)
    assert seconds * 10**9 + nanoseconds == 100 * 10**9 + 5 + offset_ns
    assert (moved[:4], moved[12:]) == (data[:4], data[12:])
    none = head + bytes(8)
    assert shift_stamp(none, offset_ns) == none


def test_the_table_gives_the_remedy_of_what_is_not_well():
    good = Check(what="a", found="b", expected="c", remedy="hidden", passed=True)
    bad = Check(what="d", found="e", expected="f", remedy="do this", passed=False)
    text = check_table([good, bad, unknown("g", "h", "i", "look there")])
    assert "hidden" not in text
    assert "remedy: do this" in text
    assert "remedy: look there" in text
    assert failures([good, bad]) == (bad,)


@pytest.mark.parametrize("sent", ["velocity", "position", "effort"])
@pytest.mark.parametrize("interface", ["velocity", "position", "effort", ""])
def test_a_forward_controller_has_to_take_the_unit_that_is_sent(sent, interface):
    check = check_unit("x", interface, adapter="forward", sent=sent)
    assert (check.passed, check.known) == (interface in (sent, ""), interface != "")


def test_a_trajectory_controller_takes_positions_whatever_it_commands():
    # The one of franka_*_moveit_config commands efforts.
    assert check_unit("x", "", adapter="trajectory", sent="position").verdict == "ok"
