import dataclasses
import io
import json

import pytest
import yaml

from sinew_core.errors import ConfigError, RunError
from sinew_core.tasks import TASKS
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.progress import Progress
from sinew_trainer.deployment import deployment
from sinew_trainer.launching import Launch, last_words
from sinew_trainer.main_job import (
    core_groups,
    main,
    make_job,
    read_configuration,
    realtime_weight,
    shares,
)
from sinew_trainer.progress import ProgressDisplay, describe, read_progress
from sinew_trainer.report import join_figures, join_graph, summary_table

PART = {
    "episodes": 50,
    "successes": 49,
    "limit_violations": 0,
    "interventions": 10,
    "messages_lost": 1,
    "faults": 0,
}


@pytest.mark.parametrize(
    ("total", "parts", "ahead", "sizes"),
    [
        (200, 2, 0, [100, 100]),
        (5, 2, 0, [3, 2]),
        (7, 3, 0, [3, 2, 2]),
        (7, 1, 0, [7]),
        (0, 2, 0, [0, 0]),
        (200, 2, 45, [78, 122]),  # 78 + 45 against 122
        (20, 2, 45, [0, 20]),
        (7, 1, 45, [7]),
    ],
)
def test_episodes_are_shared_evenly_with_what_the_first_part_did_before(total, parts, ahead, sizes):
    assert shares(total, parts, ahead) == sizes


def test_real_time_weighs_more_the_faster_the_machine():
    def weight(episodes, episode_wall_s):
        training = {"eval_env": {"length_mean": 60.0}, "episode_wall_s": episode_wall_s}
        return realtime_weight(episodes, training, 0.04)

    assert weight(0, 0.05) == 0
    assert 40 < weight(5, 0.05) < weight(5, 0.02)


def test_real_time_weighs_nothing_where_training_was_stopped_before_its_evaluation():
    assert realtime_weight(5, {"stopped": True}, 0.04) == 0


@pytest.mark.parametrize(
    ("cores", "parts", "groups"),
    [([0, 1], 2, [[0], [1]]), ([0, 2, 5], 2, [[0, 5], [2]]), ([3], 2, [(), ()]), ([3], 1, [[3]])],
)
def test_every_graph_has_cores_of_its_own_where_there_are_enough(cores, parts, groups):
    assert core_groups(cores, parts) == groups


def test_the_section_of_another_task_is_refused():
    with pytest.raises(ConfigError, match="another task than task:=push: remove it, or choose tas"):
        read_configuration(["task:=push", "reach.hold_s:=1.0"])


def test_push_has_its_own_section_and_a_task_out_of_the_graph_says_so(tmp_path, monkeypatch):
    configuration, _ = read_configuration(["task:=push", "push.object_mass_kg:=0.5"])
    assert configuration.task.object_mass_kg == 0.5
    assert RunConfiguration.from_mapping(configuration.to_mapping()) == configuration
    (tmp_path / "training.json").write_text(json.dumps({"task": "push"}))
    assert "graph_episodes" in join_figures(tmp_path)["graph_note"]
    monkeypatch.setattr(TASKS["push"], "in_graph", False)
    assert "no node publishes what push" in join_figures(tmp_path)["graph_note"]


@pytest.mark.parametrize(
    ("mode", "commands"),
    [("tool_velocity", "joint_velocity"), ("joint_acceleration", "joint_effort")],
)
def test_filter_and_driver_take_what_the_policy_s_action_commands(mode, commands):
    configuration, _ = read_configuration([f"action_mode:={mode}"])
    modes = {v["ros__parameters"]["mode"] for v in deployment(configuration).values()}
    assert modes == {commands}


def test_arguments_reach_the_run_and_the_graph():
    configuration, graph = read_configuration(["seed:=3", "graph_episodes:=10", "ddpg.gamma:=0.8"])
    assert configuration.train.seed == 3
    assert graph.graph_episodes == 10
    assert configuration.algorithm.to_mapping()["gamma"] == 0.8


@pytest.mark.parametrize("name", ["2024", "007", "1e5", "true"])
def test_a_run_may_have_any_name_that_is_a_folder_s(name, tmp_path):
    job = make_job([f"run:={name}", f"output:={tmp_path}", "seed:=7"])
    assert job.folder == tmp_path / name
    assert job.configuration.train.seed == 7


def test_a_configuration_file_comes_first_and_arguments_win(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(RunConfiguration.from_mapping({"seed": 5, "robot": "iiwa14"}).to_yaml())
    configuration, _ = read_configuration([f"config:={path}", "seed:=6"])
    assert configuration.train.robot == "iiwa14"
    assert configuration.train.seed == 6


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["sead:=1"], "did you mean 'seed'"),
        (["graph_episode:=1"], "did you mean 'graph_episodes'"),
        (["robot:=pandaa"], "did you mean 'panda'"),
        (["algorithm:=ddgp"], "did you mean 'ddpg'"),
        (["seed:=-1"], "allowed"),
        (["seed"], "name:=value"),
        (["graph_copies:=0"], "allowed 1 to 16"),
        (["run:=../../etc"], "not a folder name"),
        (["urdf:=/nowhere.urdf"], "/nowhere.urdf"),
        (["device:=gpu"], "device is 'gpu'"),
        (["device:=cuda"], "device is cuda, but torch"),
    ],
)
def test_a_mistake_ends_with_one_line_before_anything_starts(
    words, remedy, capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([*words, f"output:={tmp_path}"]) == 2
    error = capsys.readouterr().err
    assert remedy in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_loops_that_need_finer_physics_are_refused_before_anything_starts(capsys, tmp_path):
    safety = ["safety.noise_rad:=0.0075", "safety.max_latency_periods:=3", "safety.jitter:=0.1"]
    arm = ["sim_params:=mismatched", "engine:=mujoco", "rates.physics_rate_hz:=200"]
    assert main([*arm, *safety, f"output:={tmp_path}"]) == 2
    assert "physics_rate_hz 200 is too low for the controller" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_launch_that_fails_says_where_its_log_will_be(tmp_path):
    kept = tmp_path / "runs" / "train.log"
    arguments = {"no_such_argument": 1}
    for folder in ("", str(kept.parent)):
        if folder:
            kept.parent.mkdir()
        launch = Launch("train_sim", arguments, tmp_path / "now.log", 99, kept=kept)
        with pytest.raises(RunError, match="no_such_argument") as error:
            launch.wait()
        assert (f"(see {kept})" in str(error.value)) == bool(folder)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            "[trainer-1] training: there is no cuda\n[trainer-1] ended with exit status 1\n"
            "[launch] trainer-1 has ended\n",
            "[trainer-1] training: there is no cuda",
        ),
        ("[a-1] ConfigError: one\n[a-1] bye\n", "[a-1] ConfigError: one"),
        ("[launch] nothing to start\n\n", "[launch] nothing to start"),
        ("", "it said nothing"),
    ],
)
def test_a_step_that_failed_is_explained_by_what_its_node_said(log, words):
    assert last_words(log) == words


def test_a_summary_says_despite_what_the_run_was_resumed(tmp_path):
    change = {
        "env_steps": 1200,
        "revision_then": "a" * 40,
        "revision_now": "b" * 40,
        "then": {"code": "1", "numpy": "2.0"},
        "now": {"code": "2", "numpy": "2.1"},
    }
    told = {"env_steps": 2000, "train_wall_s": 10.0, "env_steps_per_s": 200.0}
    report = {**told, "resumed_despite": [change]}
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert (
        "Resumed from 1,200 environment steps on with code of git revision bbbbbbbbbbbb instead of "
        "aaaaaaaaaaaa, numpy 2.1 instead of 2.0: the result is not that of an uninterrupted run."
    ) in summary_table(tmp_path)


def test_help_lists_every_argument(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("seed", "robot", "graph_episodes", "config"))


def test_a_policy_is_deployed_with_the_mode_rates_and_limits_it_was_trained_under():
    trained = {
        "action_mode": "joint_position",
        "rates.control_rate_hz": 20,
        "safety.margin_rad": 0.01,
        "reach.start_noise_rad": 0.05,
    }
    files = deployment(RunConfiguration.from_mapping(trained))
    driver = files["/**/sim_driver"]["ros__parameters"]
    safety_filter = files["/**/safety_filter"]["ros__parameters"]
    assert driver["control_rate_hz"] == 20
    assert [node["ros__parameters"]["mode"] for node in files.values()] == ["joint_position"] * 3
    assert driver["task"]["start_noise_rad"] == 0.05
    assert safety_filter["safety"]["margin_rad"] == 0.01
    # 2.5 control periods of 0.05 s
    assert safety_filter["watchdog"]["command_timeout_s"] == 0.125
    assert yaml.safe_load(yaml.safe_dump(files)) == files


def test_graphs_side_by_side_are_one_evaluation():
    joined = join_graph([PART, PART], [{**PART, "latency_ms_p50": 1.5, "latency_ms_p99": 4.0}])
    assert joined["episodes"] == 100
    assert joined["successes"] == 98
    assert joined["success_rate"] == 0.98
    assert joined["messages_lost"] == 3
    assert joined["latency_ms_p99"] == 4.0


def test_without_a_graph_the_report_says_why(tmp_path):
    training = {"action_mode": "joint_effort", "env_steps": 10, "train_wall_s": 1.0}
    (tmp_path / "training.json").write_text(json.dumps({**training, "env_steps_per_s": 10.0}))
    figures = join_figures(tmp_path)
    assert figures["eval_graph"] is None
    (tmp_path / "report.json").write_text(json.dumps(figures))
    assert "graph_episodes" in summary_table(tmp_path)


PROGRESS = Progress(
    state="training",
    env_steps=500,
    wall_s=2.0,
    env_steps_per_s=250.0,
    success_rate=0.9,
    return_mean=-3.25,
    remaining_s=3725.0,
)


def test_progress_tells_success_return_speed_and_time_left():
    told = "success 90%, return -3.25, 250 steps/s, at most 1:02:05 left"
    assert describe(PROGRESS) == told
    assert describe(dataclasses.replace(PROGRESS, state="paused")) == f"paused, {told}"
    begun = dataclasses.replace(PROGRESS, env_steps_per_s=0.0, remaining_s=0.0)
    assert describe(begun).endswith("0 steps/s")
    assert describe(dataclasses.replace(PROGRESS, remaining_s=65.2)).endswith("1:05 left")


def test_progress_is_a_bar_on_a_terminal_and_lines_now_and_then_elsewhere():
    log, terminal, now = io.StringIO(), io.StringIO(), [0.0]
    terminal.isatty = lambda: True
    bar = ProgressDisplay(1000, terminal)
    bar.update(PROGRESS)
    bar.close()
    assert "50%" in terminal.getvalue()
    assert "1:02:05 left" in terminal.getvalue()
    lines = ProgressDisplay(1000, log, clock=lambda: now[0])
    for now[0] in (0.0, 1.0, 6.0):
        lines.update(PROGRESS)
    lines.update(None)
    assert log.getvalue().count("training: 500 steps, success 90%") == 2


def test_what_is_no_progress_is_none(tmp_path):
    assert read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text('{"env_steps": 3}')
    assert read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text(json.dumps(dataclasses.asdict(PROGRESS)))
    assert read_progress(tmp_path) == PROGRESS


def test_a_configuration_file_of_another_form_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 1")
    with pytest.raises(ConfigError, match="ros__parameters"):
        read_configuration([f"config:={tmp_path / 'config.yaml'}"])


@pytest.mark.parametrize("name", ["1: 2", "on: 2", "ddpg: {1: 2}"])
def test_a_name_that_yaml_takes_for_something_else_is_refused(name, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"/**:\n  ros__parameters:\n    {name}\n")
    with pytest.raises(ConfigError, match="is no name: write it in quotes"):
        read_configuration([f"config:={path}"])
