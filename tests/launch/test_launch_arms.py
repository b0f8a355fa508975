"""What launch files give the nodes of an arm: what they share, and what its kind needs."""

import dataclasses

import pytest
import yaml
from stand_ins import LAUNCH_FILES, ROOT

from architecture.node_parameters import NODES
from sinew_bringup.launch_file import LaunchFile
from sinew_core.errors import ConfigError

# A name that means something else to each node, and what planner and filter are not to know.
OWN = {"output"}
UNKNOWN = {("excite_and_record", "safety_filter", "sim_params")}


def described(path):
    """The nodes of a file as they are written there, with their parameters."""
    nodes = [
        entry["node"] for entry in yaml.safe_load(path.read_text())["launch"] if "node" in entry
    ]
    return [(node, {p["name"]: p["value"] for p in node["param"] if "name" in p}) for node in nodes]


SYSTEMS = [path for path in LAUNCH_FILES if len(described(path)) > 1]
each_system = pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.name.partition(".")[0])


@each_system
def test_all_nodes_are_in_the_namespace_and_have_the_parameter_file(path):
    for node, _ in described(path):
        assert node["namespace"] == "$(var namespace)", node["name"]
        assert {"from": "$(var config)"} in node["param"], node["name"]


@each_system
def test_a_node_is_told_what_its_neighbours_are_told(path):
    nodes = described(path)
    told = {name for _, parameters in nodes for name in parameters} - OWN
    for node, parameters in nodes:
        declared = {field.name for field in dataclasses.fields(NODES[node["name"]][""])}
        lacking = {
            name
            for name in told & declared - parameters.keys()
            if (path.name.partition(".")[0], node["name"], name) not in UNKNOWN
        }
        assert not lacking, node["name"]


@each_system
def test_all_but_the_driver_hear_the_same_joint_states(path):
    heard = {
        parameters.get(
            "state_topic", {r["from"]: r["to"] for r in node.get("remap", ())}.get("joint_states")
        )
        for node, parameters in described(path)
        if node["name"] != "sim_driver"
    }
    assert len(heard) == 1
    assert None not in heard


def real_arm(name, **given):
    file = LaunchFile(ROOT / "launch" / f"{name}.launch.yaml")
    return {node.name: node for node in file.nodes({"simulated": "false", **given})}


def last_values(node):
    """What parameter files say in the end."""
    values = {}
    for path in (p for p in node.parameters if not isinstance(p, tuple)):
        for section, content in yaml.safe_load(path.read_text()).items():
            if section.rpartition("/")[2] == node.name:
                values |= content["ros__parameters"]
    return values


@pytest.mark.parametrize("robot", ["ur5e", "fr3", "iiwa7", "xarm7"])
def test_training_on_a_real_arm_takes_its_file_its_clock_and_an_operator(robot):
    nodes = real_arm("train_graph", robot=robot)
    assert set(nodes) == {"safety_filter", "graph_trainer"}
    content = yaml.safe_load((ROOT / "config" / "real" / f"{robot}.yaml").read_text())
    assert last_values(nodes["safety_filter"]) == content["/**/safety_filter"]["ros__parameters"]
    trainer = dict(p for p in nodes["graph_trainer"].parameters if isinstance(p, tuple))
    assert (trainer["pace"], trainer["reset"], trainer["arm"]) == ("realtime", "home", False)


@pytest.mark.parametrize("name", ["train_graph", "excite_and_record"])
def test_a_real_arm_is_never_sent_commands_in_an_order_that_was_not_read(name, tmp_path):
    config = tmp_path / "own.yaml"
    own = {"controller_joints": "robot", "safety.noise_rad": 0.002}
    config.write_text(yaml.safe_dump({"/**/safety_filter": {"ros__parameters": own}}))
    found = last_values(real_arm(name, config=str(config))["safety_filter"])
    assert found == {"controller_joints": "read", "safety.noise_rad": 0.002}


def test_a_simulated_arm_is_told_the_adapter_of_its_filter():
    file = LaunchFile(ROOT / "launch" / "train_graph.launch.yaml")
    nodes = {node.name: node for node in file.nodes({"adapter": "positions"})}
    for name in ("sim_driver", "safety_filter"):
        assert last_values(nodes[name])["output"] == "positions"
        assert "controller_joints" not in last_values(nodes[name])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("train_graph", {"pace": "lockstep"}),
        ("train_graph", {"reset": "teleport"}),
        ("excite_and_record", {"pace": "lockstep"}),
    ],
)
def test_a_real_arm_neither_waits_nor_jumps(name, given):
    ((argument, value),) = given.items()
    with pytest.raises(ConfigError, match=f"argument {argument} is '{value}': choose one of"):
        real_arm(name, config="x", **given)
