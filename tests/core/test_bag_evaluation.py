"""A recorded deployment, judged: what counts, what is tolerated, what is missing and why."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.bag.samples import START_NS, TRAJECTORY
from deployment_bag import AT_HOME, HOME, PANDA, PERIOD_NS, Deployment, command, pose
from nodes.whole_graph import write_bundle
from sinew_core.bags.messages import decode_pose
from sinew_core.deployment.bag_evaluation import evaluate_bag
from sinew_core.deployment.bag_parameters import BagEvaluationParameters
from sinew_core.deployment.bag_segments import BEGAN_BEFORE, CLOCK, DISARMED, END, NEXT_TARGET
from sinew_core.deployment.bag_table import Simulated, report_lines, side_by_side
from sinew_core.deployment.bag_topics import parse_setting
from sinew_core.errors import BagError, RunError, SinewError
from sinew_core.report.recording import recording_page

AWAY = (AT_HOME[0] + 0.1, *AT_HOME[1:])
# To hold for 0.5 s at 25 Hz takes 14 good ticks, 13 periods apart: 0.52 s.
HOLD_STEPS = 13
# 0.1 m away, see `ReachTask`: e = sqrt(0.01 + 0.0004) - 0.02 = 0.0819804, -5 e - e / (e + 0.05).
AWAY_REWARD = -1.031058


def reached(deployment=None, **changes):
    """An armed arm that is at its target from 0.2 s on."""
    made = deployment or Deployment(**changes)
    made.report(0.1)
    made.target(0.6)
    return made


def test_an_arm_at_rest_at_its_target_succeeds_after_the_hold(tmp_path):
    figures = reached().evaluate(tmp_path).figures
    assert (figures["episodes"], figures["successes"]) == (1, 1)
    assert figures["length_mean"] == HOLD_STEPS
    assert figures["return_mean"] == pytest.approx(0.0)
    assert figures["jerk_rad_s3"] == 0.0
    assert (figures["robot"], figures["task"], figures["pace"]) == ("panda", "reach", "realtime")
    assert figures["messages_lost"] == figures["cut"] == figures["limit_violations"] == 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_state_with_an_absurd_velocity_does_not_keep_the_figures_back(tmp_path):
    made = Deployment(6.0)
    made.velocity[100][0] = 1e300
    evaluation = reached(made).evaluate(tmp_path)
    assert not np.isfinite(evaluation.figures["jerk_rad_s3"])
    output, tool_xyz = tmp_path / "figures.json", PANDA.chain.tool_xyz
    evaluation.record.write(output, dict(evaluation.figures), traced=1, tool_xyz=tool_xyz)
    read = json.loads(output.read_text())
    assert (read["jerk_rad_s3"], read["limit_violations"]) == (None, 1)


def test_a_target_that_is_missed_is_a_failure_with_its_return(tmp_path):
    made = Deployment(3.5)
    made.report(0.1)
    made.target(0.6, AWAY)
    made.target(2.0)
    figures = made.evaluate(tmp_path, episode_s=1.0).figures
    assert (figures["episodes"], figures["successes"]) == (2, 1)
    assert figures["length_mean"] == (25 + HOLD_STEPS) / 2
    assert figures["return_mean"] == pytest.approx(25 * AWAY_REWARD / 2, abs=1e-4)
    assert figures["cut"] == 0


def test_an_episode_whose_end_was_not_seen_is_left_out(tmp_path):
    made = Deployment(3.0)
    made.report(0.1)
    made.target(0.6, AWAY)
    made.target(1.2)
    made.target(2.2, AWAY)
    figures = made.evaluate(tmp_path).figures
    assert (figures["episodes"], figures["successes"]) == (1, 1)
    assert figures["cut_reasons"] == {NEXT_TARGET: 1, END: 1}


def test_a_target_is_in_force_from_arming_on(tmp_path):
    made = Deployment()
    made.report(0.0, "disarmed")
    made.target(0.1)
    made.report(1.0)
    (episode,) = made.evaluate(tmp_path).record.episodes
    assert episode.success
    # States come 0.2 ms after multiples of 10 ms: the first after 1 s is that of 1 s.
    assert len(episode.time_s) == 4 * HOLD_STEPS + 1


def test_a_fault_ends_an_episode_as_a_failure(tmp_path):
    made = reached()
    made.report(0.8, "braking", "command is stale")
    made.report(1.0, "latched", "command is stale")
    figures = made.evaluate(tmp_path).figures
    assert (figures["episodes"], figures["successes"]) == (1, 0)
    assert figures["fault_reasons"] == {"command is stale": 1}


def test_a_disarming_by_the_operator_cuts_an_episode(tmp_path):
    made = reached()
    made.report(0.8, "braking", "disarmed")
    made.report(1.0, "disarmed", "disarmed")
    figures = made.evaluate(tmp_path).figures
    assert (figures["episodes"], figures["faults"]) == (0, 0)
    assert figures["cut_reasons"] == {DISARMED: 1}
    assert figures["success_rate"] is None
    assert "no episode was seen to its end" in figures["unavailable"]["success"]


def test_an_episode_that_began_before_the_recording_is_left_out(tmp_path):
    made = Deployment()
    made.report(0.0)
    made.target(0.1)
    figures = made.evaluate(tmp_path).figures
    assert (figures["episodes"], figures["cut_reasons"]) == (0, {BEGAN_BEFORE: 1})


def test_a_target_may_be_given_for_a_bag_without_any(tmp_path):
    made = Deployment()
    made.report(0.0)
    figures = made.evaluate(tmp_path, target=" ".join(map(str, AT_HOME))).figures
    assert (figures["episodes"], figures["successes"]) == (1, 1)


@pytest.mark.parametrize("velocity", [np.full(7, np.nan), np.empty(0)])
def test_missing_velocities_are_differences_of_positions(tmp_path, velocity):
    made = reached()
    n = len(made.stamps)
    made.velocity, made.effort = [velocity] * n, [np.empty(0)] * n
    # 1 mrad in 10 ms is 0.1 rad/s, twice the speed of rest, until 0.7 s.
    for i in range(60, 70):
        made.position[i] = HOME - 1e-3 * (70 - i)
    evaluation = made.evaluate(tmp_path)
    (episode,) = evaluation.record.episodes
    assert episode.velocity_rad_s[5] == pytest.approx(np.full(7, 0.1))
    # Ticks at 0.6, 0.64 and 0.68 s are not at rest.
    assert (episode.success, episode.control_steps) == (True, 3 + HOLD_STEPS)
    assert any("velocities that are differences" in note for note in evaluation.figures["notes"])


def test_extra_joints_other_order_names_and_topics_change_nothing(tmp_path):
    plain = reached().evaluate(tmp_path / "plain").figures
    made = reached(prefix="left_", space="/cell/left")
    order = np.random.default_rng(3).permutation(7)
    for i, names in enumerate(made.names):
        made.names[i] = ["gripper", *(names[k] for k in order), "rail"]
        for column in (made.position, made.velocity, made.effort):
            column[i] = np.array([9.0, *column[i][order], -9.0])
    figures = made.evaluate(
        tmp_path / "other",
        "arm_states",
        namespace="cell/left",
        state_topic="arm_states",
        joint_prefix="left_",
    ).figures
    different = {name for name in plain if plain[name] != figures[name]}
    assert different == {"bag"}


def test_lost_states_are_counted_and_late_ones_left_out(tmp_path):
    made = reached()
    made.left_out = {65, 66, 80}
    made.logs[90] = made.logs[91] + 1
    figures = made.evaluate(tmp_path).figures
    assert (figures["successes"], figures["messages_lost"]) == (1, 4)
    assert any("1 joint states came later" in note for note in figures["notes"])


@pytest.mark.parametrize("step_s", [-3.0, 2.0])
def test_a_jump_of_the_clock_cuts_the_episode(tmp_path, step_s):
    made = reached()
    for i in range(80, len(made.stamps)):
        made.stamps[i] += round(step_s * 1e9)
    figures = made.evaluate(tmp_path).figures
    assert (figures["episodes"], figures["cut_reasons"]) == (0, {CLOCK: 1})
    assert any("the clock jumps 1 times" in note for note in figures["notes"])


def test_states_without_stamps_are_taken_at_their_log_times(tmp_path):
    made = reached()
    made.stamps = [0] * len(made.stamps)
    figures = made.evaluate(tmp_path).figures
    assert figures["successes"] == 1
    assert any("no stamps" in note for note in figures["notes"])


def test_targets_in_another_frame_are_left_out_unless_it_is_named(tmp_path):
    made = Deployment()
    made.report(0.1)
    made.target(0.6, frame="camera")
    figures = made.evaluate(tmp_path / "a").figures
    assert figures["episodes"] == 0
    assert any("'camera' are left out" in note for note in figures["notes"])
    assert made.evaluate(tmp_path / "b", target_frame="camera").figures["successes"] == 1


def test_what_is_not_recorded_is_named_with_the_reason(tmp_path):
    figures = Deployment().evaluate(tmp_path).figures
    why = figures["unavailable"]
    assert set(why) == {
        "success", "return", "length", "smoothness", "latency", "faults", "interventions",
    }  # fmt: skip
    assert "record target_pose" in why["success"]
    assert "/diagnostics is not there" in why["faults"]
    assert figures["recorded_states"] == 200
    names = ("success_rate", "return_mean", "interventions", "faults", "latency_ms_p50")
    assert [figures[name] for name in names] == [None] * 5


def test_a_task_with_an_object_needs_its_poses(tmp_path):
    figures = reached().evaluate(tmp_path, task="push").figures
    assert "record object_pose" in figures["unavailable"]["success"]


def test_violations_are_counted_in_the_whole_bag(tmp_path):
    made = reached()
    made.velocity[3] = 2.0 * PANDA.limits.velocity_rad_s
    made.velocity[70] = -2.0 * PANDA.limits.velocity_rad_s
    figures = made.evaluate(tmp_path).figures
    assert (figures["limit_violations"], figures["recorded_limit_violations"]) == (1, 2)


def test_interventions_are_those_between_first_and_last_report(tmp_path):
    made = reached()
    for at_s, total in ((0.3, 0), (1.0, 5), (1.2, 2), (1.4, 3)):  # restarted between the last two
        made.report(at_s, interventions=total)
    assert made.evaluate(tmp_path).figures["interventions"] == 5 + 2 + 1


def test_latency_runs_from_a_state_to_the_first_output_of_its_command(tmp_path):
    made = reached()
    # A decision each 40 ms, on which outputs follow 3 ms and 13 ms after the state was recorded.
    for i in range(60, 120, 4):
        for late_ms in (3, 13):
            made.output(i * 0.01 + 2e-4 + 1e-3 * late_ms, made.stamps[i])
    figures = made.evaluate(tmp_path).figures
    assert figures["latency_ms_p50"] == pytest.approx(3.0, abs=1e-6)
    assert figures["latency_ms_p99"] == pytest.approx(3.0, abs=1e-6)


WEIGHTS = {"distance_weight": 0.0, "precision_weight": 0.0, "smoothness_weight": 2.0}


def with_commands(tmp_path, *, send=True):
    """A bag of actions 0.1, 0.2, … of all joints from the first control tick on."""
    bundle = write_bundle(tmp_path / "bundle", WEIGHTS)
    made = reached()
    scale = 0.4 * PANDA.limits.velocity_rad_s
    for k in range(20 if send else 0):
        i = 60 + 4 * k
        data = command(made.stamps[i], PANDA.joint_names[::-1], (0.1 * (k + 1) * scale)[::-1])
        made.add("policy/command", TRAJECTORY, made.logs[i] + 1, data)
    return made.evaluate(tmp_path, bundle=str(bundle)).figures


def test_the_return_counts_the_actions_that_commands_stand_for(tmp_path):
    # Each of 13 actions is 0.1 from the one before, the first from 0: 13 * 2 * 0.01.
    assert with_commands(tmp_path)["return_mean"] == pytest.approx(-0.26)


def test_without_commands_a_return_that_needs_them_is_not_there(tmp_path):
    figures = with_commands(tmp_path, send=False)
    assert (figures["successes"], figures["return_mean"]) == (1, None)
    assert "policy/command" in figures["unavailable"]["return"]


def test_without_efforts_a_return_that_needs_them_is_not_there(tmp_path):
    bundle = write_bundle(tmp_path / "bundle", {"energy_weight": 0.1})
    made = reached()
    made.effort = [np.empty(0)] * len(made.stamps)
    figures = made.evaluate(tmp_path, bundle=str(bundle)).figures
    assert (figures["successes"], figures["return_mean"]) == (1, None)
    assert "have no efforts" in figures["unavailable"]["return"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"robot": "iiwa14"}, "has no .*give robot:="),
        ({"state_topic": "other"}, "has no /other .*it has /joint_states"),
        ({"namespace": "left"}, "neither bundle nor bag name the robot"),
        ({"bundle": "nowhere"}, "bundle nowhere"),
        ({"task": "rech"}, "did you mean 'reach'"),
    ],
)
def test_what_does_not_fit_the_bag_is_refused_in_one_line(tmp_path, parameters, message):
    with pytest.raises(SinewError, match=message) as caught:
        reached().evaluate(tmp_path, **parameters)
    assert "\n" not in str(caught.value)


def test_a_damaged_message_is_named(tmp_path):
    made = reached()
    made.add("target_pose", "geometry_msgs/msg/PoseStamped", START_NS + 10**9, b"\0\1\0\0abc")
    with pytest.raises(BagError, match=r"cannot be decoded .*: the bag is damaged"):
        made.evaluate(tmp_path)


@settings(max_examples=40)
@given(st.text(max_size=80) | st.recursive(st.text() | st.integers(), st.lists).map(str))
@example("safety_filter: {ros__parameters: 3}")
@example("safety_filter: [&a [*a]]")
@example("2001-99-99")
def test_any_text_is_a_configuration_or_none(words):
    setting = parse_setting(words, "safety_filter")
    assert all(isinstance(value, str) for value in (setting.pace, setting.mode, setting.robot))


@pytest.mark.parametrize(
    ("words", "outputs"),
    [
        ("mode: joint_velocity", "forward_velocity_controller/commands"),
        ("mode: joint_velocity, output: positions", "forward_position_controller/commands"),
        ("mode: joint_effort, controller: torque", "torque/commands"),
        ("adapter: trajectory", "joint_trajectory_controller/joint_trajectory"),
        (
            "adapter: trajectory, controller: '', trajectory_controller: fr3_arm_controller",
            "fr3_arm_controller/joint_trajectory",
        ),
        (
            "mode: joint_velocity, adapter: forward, trajectory_controller: fr3_arm_controller",
            "forward_velocity_controller/commands",
        ),
    ],
)
def test_the_configuration_says_where_the_outputs_are(words, outputs):
    text_ = f"safety_filter: {{ros__parameters: {{{words}}}}}"
    assert outputs in parse_setting(text_, "safety_filter").outputs


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_bag_with_bytes_changed_is_judged_or_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("garbage")
    made = reached(seconds=0.8)
    path = made.write(folder / "bag")
    (file,) = path.glob("*.mcap")
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    told = ""
    try:
        states = evaluate_bag(BagEvaluationParameters(bag=str(path))).figures["recorded_states"]
    except SinewError as error:
        states, told = 0, str(error)
    assert states <= len(made.stamps)
    assert "\n" not in told


def test_simulation_and_recording_stand_in_one_table(tmp_path):
    bundle = write_bundle(tmp_path / "run" / "bundle", {})
    env = {
        "episodes": 200, "successes": 198, "success_rate": 0.99, "success_ci95": [0.964, 0.997],
        "return_mean": -3.25, "return_std": 0.5, "length_mean": 33.0, "jerk_rad_s3": 12.0,
        "interventions": 400,
    }  # fmt: skip
    graph = {**env, "limit_violations": 0, "messages_lost": 0, "latency_ms_p50": 1.0}
    report = {"eval_env": env, "eval_graph": {**graph, "latency_ms_p99": 2.0}}
    (tmp_path / "run" / "report.json").write_text(json.dumps(report))
    evaluation = reached().evaluate(tmp_path, bundle=str(bundle))
    simulated = Simulated.read(str(bundle))
    rows = {name: cells for name, *cells in side_by_side(simulated, evaluation)}
    assert rows[""] == ["environment", "ROS 2 graph", "recording"]
    assert rows["success"][2].startswith("1 of 1 = 100.0% [20.7%")
    assert rows["mean length"] == ["33.0 steps", "33.0 steps", "13.0 steps"]
    assert rows["interventions per episode"] == ["2.0", "2.0", "0.0"]
    assert rows["latency p50 / p99"] == ["-", "1.00 / 2.00 ms", "-"]
    lines = report_lines(simulated, evaluation)
    assert any(line.startswith("no latency: no output of the safety filter") for line in lines)
    page = recording_page(simulated, evaluation)
    assert "198 of 200" in page
    assert page.count("data:image/png;base64,") == 2
    (tmp_path / "run" / "report.json").write_text("{")
    with pytest.raises(RunError, match=r"report.json cannot be read"):
        Simulated.read(str(bundle))
    (tmp_path / "run" / "report.json").unlink()
    assert Simulated.read(str(bundle)).graph is None


def test_poses_are_read_as_they_are_written():
    found = decode_pose(pose(START_NS + PERIOD_NS, (1.0, -2.0, 3.0), "base"))
    assert found == (START_NS + PERIOD_NS, "base", (1.0, -2.0, 3.0))
