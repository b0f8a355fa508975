import pytest
import yaml

from architecture.node_parameters import NODES, by_class
from architecture.source_files import ROOT

CONFIG = ROOT / "config"
PARAMETER_FILES = sorted(
    path for folder in ("", "emulated", "real") for path in (CONFIG / folder).glob("*.yaml")
)
SECTIONS = [
    pytest.param(path, section, id=f"{path.parent.name}-{path.stem}-{section}")
    for path in PARAMETER_FILES
    for section in yaml.safe_load(path.read_text())
]
# What a launch file gives a node beside the file: without it the node would not start.
REQUIRED = {
    "policy": {"bundle": "x"},
    "evaluator": {"bundle": "x"},
    "deployment": {"bundle": "x"},
    "record": {"output": "x"},
}


def test_the_files_are_found():
    assert {path.stem for path in PARAMETER_FILES} >= {"deploy_sim", "train_sim", "ur5e"}


@pytest.mark.parametrize(("path", "section"), SECTIONS)
def test_a_parameter_file_has_only_known_keys_with_allowed_values(path, section):
    node = section.rpartition("/")[2]
    assert node in NODES, f"{section} names no node"
    content = yaml.safe_load(path.read_text())[section]
    assert list(content) == ["ros__parameters"]
    values = {**REQUIRED.get(node, {}), **content["ros__parameters"]}
    for prefix, given in by_class(node, values):
        assert prefix in NODES[node], f"{node} has no parameters under '{prefix}'"
        NODES[node][prefix].from_mapping(given, f"{path.name}: {section}")


def test_a_section_of_a_file_is_split_by_prefix():
    values = {"pace": "realtime", "safety": {"jitter": 0.1}, "safety.noise_rad": 0.0}
    assert dict(by_class("safety_filter", values)) == {
        "": {"pace": "realtime"},
        "watchdog": {},
        "safety": {"jitter": 0.1, "noise_rad": 0.0},
    }
