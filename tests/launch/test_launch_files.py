import os
import re
import subprocess
import sys

import pytest
from stand_ins import LAUNCH_FILES, ROOT, make_prefix, what_was_given

from sinew_bringup.launch_file import LaunchFile

# Values that differ from every default, to see that each argument arrives.
GIVEN = {
    "deploy_real": {
        "bundle": "007",
        "robot": "iiwa14",
        "mode": "shadow",
        "authority": "0.5",
        "targets": "3",
        "seed": "5",
        "duration_s": "6.5",
        "bag": "1e3",
        "output": "1.5",
        "joint_prefix": "left_",
        "target_frame": "left_base_link",
        "controller": "008",
        "command_mode": "joint_position",
        "urdf": "an arm.urdf",
        "use_sim_time": "true",
    },
    "deploy_sim": {
        "bundle": "007",
        "robot": "iiwa14",
        "urdf": "an arm.urdf",
        "engine": "mujoco",
        "sim_params": "some arm.yaml",
        "mode": "joint_position",
        "pace": "realtime",
        "episodes": "3",
        "seed": "5",
        "output": "1e3",
    },
    "emulated_arm": {
        "robot": "iiwa14",
        "engine": "mujoco",
        "sim_params": "some arm.yaml",
        "pace": "lockstep",
        "seed": "5",
    },
    "evaluate_bag": {
        "bag": "1e3",
        "bundle": "007",
        "robot": "iiwa14",
        "urdf": "an arm.urdf",
        "task": "reach",
        "pace": "lockstep",
        "episode_s": "6.5",
        "namespace": "left",
        "joint_prefix": "left_",
        "state_topic": "states",
        "target_topic": "goal",
        "target": "0.4 0.0 0.5",
        "object_topic": "cube",
        "command_topic": "008",
        "output_topic": "out",
        "safety_filter": "other",
        "output": "1.5",
        "page": "a page.html",
    },
    "excite_and_record": {
        "robot": "iiwa14",
        "urdf": "an arm.urdf",
        "mode": "joint_position",
        "arm": "false",
        "joint_prefix": "left_",
        "controller": "008",
        "engine": "mujoco",
        "sim_params": "some arm.yaml",
        "pace": "lockstep",
        "output": "007",
        "storage": "sqlite3",
        "kind": "both",
        "duration_s": "6.5",
        "seed": "5",
        "plan": "1e3",
        "plan_only": "true",
    },
    "gap": {
        "bag": "1e3",
        "robot": "iiwa14",
        "urdf": "an arm.urdf",
        "controller": "some where.yaml",
        "sim_params": "007",
        "output": "1.5",
        "overwrite": "true",
        "horizon_s": "0.25",
        "namespace": "left",
        "joint_prefix": "left_",
        "state_topic": "states",
        "command_topic": "008",
        "engine": "mujoco",
        "physics_rate_hz": "2000",
    },
    "record": {
        "output": "007",
        "storage": "sqlite3",
        "split_s": "2.5",
        "duration_s": "60.5",
        "robot": "iiwa14",
        "urdf": "an arm.urdf",
        "mode": "joint_position",
        "controller": "1e3",
        "namespace": "left",
        "joint_prefix": "left_",
        "state_topic": "states",
        "topics": "ft:std_msgs/msg/String /x:std_msgs/msg/String",
        "state_timeout_s": "3.5",
        "use_sim_time": "true",
    },
    "replay_safety": {
        "bag": "1e3",
        "robot": "iiwa14",
        "urdf": "an arm.urdf",
        "config": "some where.yaml",
        "namespace": "left",
        "node": "other",
        "state_topic": "states",
        "command_topic": "007",
        "output_topic": "out",
        "rows": "3",
    },
    "system_id": {
        "bag": "1e3",
        "robot": "iiwa14",
        "urdf": "an arm.urdf",
        "controller": "some where.yaml",
        "output": "1.5",
        "overwrite": "true",
        "held_out": "007",
        "fit": "mass/* delay_s",
        "namespace": "left",
        "joint_prefix": "left_",
        "state_topic": "states",
        "command_topic": "008",
        "engine": "mujoco",
        "physics_rate_hz": "2000",
        "seed": "5",
        "workers": "2",
    },
    "train_graph": {
        "bundle": "007",
        "critic": "new",
        "training": "1e3",
        "run": "1.5",
        "resume": "runs/007",
        "output": "some where",
        "overwrite": "true",
        "algorithm": "td3",
        "env_steps": "7",
        "reset": "home",
        "arm": "true",
        "robot": "iiwa14",
        "joint_prefix": "left_",
        "controller": "008",
        "urdf": "an arm.urdf",
        "engine": "mujoco",
        "sim_params": "0012",
        "mode": "joint_position",
        "action_mode": "joint_position",
        "pace": "realtime",
        "seed": "7",
    },
    "train_sim": {
        "run": "1.5",
        "resume": "runs/007",
        "output": "some where",
        "overwrite": "true",
        "robot": "iiwa14",
        "urdf": "an arm.urdf",
        "engine": "mujoco",
        "algorithm": "ppo",
        "action_mode": "joint_effort",
        "sim_params": "some arm.yaml",
        "randomisation": "ranges.yaml",
        "seed": "5",
    },
}
INTEGERS = ("seed", "env_steps", "episodes", "rows", "physics_rate_hz", "workers", "targets")
# Of deploy_real, where other parameters have these names, too.
BY_NODE = {
    "mode": ("deployment", "mode"),
    "command_mode": ("policy", "mode"),
    "output": ("deployment", "output"),
}
REAL = "import sys; from ros2cli.cli import main; sys.exit(main())"


def short_name(path):
    return path.name.partition(".")[0]


each_file = pytest.mark.parametrize("path", LAUNCH_FILES, ids=short_name)


def words(path):
    return [f"{name}:={value}" for name, value in GIVEN[short_name(path)].items()]


def run(command, prefix, tmp_path):
    prefixes = [str(prefix), *os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)]
    environment = {
        **os.environ,
        "AMENT_PREFIX_PATH": os.pathsep.join(prefixes).rstrip(os.pathsep),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ROS_LOG_DIR": str(tmp_path / "log"),
    }
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def test_the_files_are_found():
    assert {short_name(path) for path in LAUNCH_FILES} == set(GIVEN)


@each_file
def test_every_argument_reaches_a_node_with_its_type(path, tmp_path):
    optional = {"record": "true"} if path.name.startswith("deploy_sim") else {}
    prefix = make_prefix(tmp_path / "prefix", path, **optional)
    recorder = ["record:=true", "recording:=a bag"] if optional else []
    status, output = run(
        ["-m", "sinew_bringup.launcher", str(path), *words(path), *recorder], prefix, tmp_path
    )
    assert status == 0, output
    given = what_was_given(output)
    if path.name.startswith("excite_and_record"):
        # The bag goes into a folder of its own in that of the plan.
        assert given["record"][4].pop("output") == "007/bag"
    if path.name.startswith("deploy_sim"):
        assert given["record"][4].pop("output") == "a bag"
        assert given["evaluator"][4].pop("recorded") is True
    values = [node[4] for node in given.values()]
    for name, text in GIVEN[short_name(path)].items():
        expected = int(text) if name in INTEGERS else text
        switches = ("overwrite", "use_sim_time", "arm", "plan_only")
        expected = text == "true" if name in switches else expected
        expected = float(text) if name.endswith("_s") or name == "authority" else expected
        if path.name.startswith("deploy_real") and name in BY_NODE:
            node, parameter = BY_NODE[name]
            assert given[node][4][parameter] == expected
            continue
        arrived = [node[name] for node in values if name in node]
        arrived += [v for node in values for key, v in node.items() if key.endswith(f".{name}")]
        assert arrived, f"{name} reaches no node"
        assert all(value == expected and type(value) is type(expected) for value in arrived)


@pytest.mark.parametrize("name", ["simulated", "record"])
def test_a_real_arm_or_another_recorder_takes_the_place_of_a_node(name, tmp_path):
    path = ROOT / "launch" / "excite_and_record.launch.yaml"
    nodes = {node.name for node in LaunchFile(path).nodes({name: "false", "config": "x"})}
    left_out = {"simulated": "sim_driver", "record": "record"}[name]
    assert nodes == {"sim_driver", "safety_filter", "record", "excite"} - {left_out}


def test_a_deployment_is_recorded_only_if_asked_for():
    file = LaunchFile(ROOT / "launch" / "deploy_sim.launch.yaml")
    nodes = [node.name for node in file.nodes({"bundle": "x"})]
    assert nodes == ["sim_driver", "safety_filter", "policy", "evaluator"]


def test_only_a_simulated_arm_is_armed_by_itself():
    file = LaunchFile(ROOT / "launch" / "excite_and_record.launch.yaml")
    for value in ("true", "false"):
        excite = file.nodes({"simulated": value, "config": "x"})[-1]
        assert ("arm", value == "true") in excite.parameters


@each_file
def test_every_node_is_required(path):
    nodes = path.read_text().count("- node:")
    assert path.read_text().count("on_exit: shutdown") == nodes > 0


@each_file
def test_show_args_shows_every_argument(path, tmp_path):
    _, output = run(["-m", "sinew_bringup.launcher", str(path), "--show-args"], tmp_path, tmp_path)
    declared = re.findall(r"- arg:\n\s+name: (\w+)", path.read_text())
    assert re.findall(r"^    '(\w+)':", output, re.MULTILINE) == declared


@each_file
def test_ros2_launch_gives_the_nodes_the_same(path, tmp_path):
    pytest.importorskip("launch_ros")
    pytest.importorskip("ros2launch")
    ours, theirs = (
        run([*command, str(path), *words(path)], make_prefix(tmp_path / folder, path), tmp_path)
        for folder, command in (
            ("ours", ["-m", "sinew_bringup.launcher"]),
            ("theirs", ["-c", REAL, "launch"]),
        )
    )
    assert theirs[0] == ours[0] == 0, theirs[1]
    assert what_was_given(theirs[1]) == what_was_given(ours[1])


@each_file
def test_a_launch_file_is_found_by_its_name_alone(path, tmp_path):
    status, output = run(
        ["-m", "sinew_bringup.launcher", short_name(path), "--show-args"], tmp_path, tmp_path
    )
    assert status == 0
    assert output.startswith("Arguments")


def test_a_checkout_has_all_that_the_launch_files_name():
    # The files name what is beside them, in the checkout as in an installation.
    for path in LAUNCH_FILES:
        text = re.sub(r"\$\(var \w+\)", "*", path.read_text())
        for name in re.findall(r"\$\(dirname\)/\.\./([^\s}]+)", text):
            assert list(ROOT.glob(name)), name
