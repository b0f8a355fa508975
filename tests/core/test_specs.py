import dataclasses
import json

import pytest

from sinew_core.errors import BundleError
from sinew_core.specs import ActionSpec, FieldSpec, ObservationSpec, ToolMotion


def field(name="joint_position", size=2, **changes):
    values = {
        "name": name,
        "size": size,
        "unit": "rad",
        "frame": "joint",
        "scale": (0.5,) * size,
        "description": "measured",
    }
    return FieldSpec(**{**values, **changes})


def test_slices_follow_the_order_of_the_fields():
    spec = ObservationSpec((field("a", 2), field("b", 3)))
    assert spec.size == 5
    assert spec.slice("b") == slice(2, 5)


def test_an_unknown_field_is_refused_with_a_suggestion():
    with pytest.raises(BundleError, match="no field 'joint_positon': did you mean 'joint_positi"):
        ObservationSpec((field(),)).slice("joint_positon")


def test_two_fields_of_one_name_are_refused():
    with pytest.raises(BundleError, match="repeats joint_position"):
        ObservationSpec((field(), field()))


@pytest.mark.parametrize("scale", [(1.0,), (1.0, 0.0), (1.0, float("nan")), (1.0, -2.0)])
def test_a_scale_that_is_short_zero_or_not_finite_is_refused(scale):
    with pytest.raises(BundleError, match="joint_position"):
        field(scale=scale)


def test_observation_spec_survives_json():
    spec = ObservationSpec((field("a", 2, scale=(1 / 3, 2.5)), field("b", 3)))
    assert ObservationSpec.from_mapping(json.loads(json.dumps(spec.to_mapping()))) == spec


def test_action_spec_survives_json():
    spec = ActionSpec(mode="joint_velocity", joint_names=("a", "b"), scale=(0.1, 1 / 3))
    assert ActionSpec.from_mapping(json.loads(json.dumps(spec.to_mapping()))) == spec


TOOL = ToolMotion(
    damping_m=0.05,
    rotation_weight_m=0.1,
    return_per_m=5.0,
    home_rad=(0.3, -1 / 3),
    joint_speed_rad_s=(1.0, 2.0),
)
OF_TOOL = ActionSpec(
    mode="tool_velocity", joint_names=("a", "b"), scale=(0.1, 0.2, 1 / 3), tool=TOOL
)


def test_the_spec_of_a_tool_velocity_survives_json():
    mapping = json.loads(json.dumps(OF_TOOL.to_mapping()))
    assert ActionSpec.from_mapping(mapping) == OF_TOOL


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": [0.1, 0.2]}, "2 scales for size 3"),
        ({"joint_names": ["a"]}, "home_rad of tool has 2 values: expected 1"),
        ({"tool": 3}, "tool is 3: expected a mapping"),
        ({"tool": {**TOOL.to_mapping(), "damping_m": 0.0}}, "damping_m: scale"),
        ({"tool": {**TOOL.to_mapping(), "return_per_m": -1.0}}, "not negative"),
        ({"tool": {**TOOL.to_mapping(), "home_rad": [0.0]}}, "2 scales for size 1"),
        ({"mode": "joint_velocity"}, "unknown 'tool'"),
    ],
)
def test_a_damaged_mapping_of_a_tool_velocity_names_the_entry(change, message):
    with pytest.raises(BundleError, match=message):
        ActionSpec.from_mapping({**OF_TOOL.to_mapping(), **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 7}, "size is 7: its fields add up to 2"),
        ({"fields": "joint_position"}, "expected a list of fields"),
        ({"extra": 1}, "unknown 'extra'"),
    ],
)
def test_a_damaged_observation_mapping_names_the_entry(change, message):
    mapping = {**ObservationSpec((field(),)).to_mapping(), **change}
    with pytest.raises(BundleError, match=message):
        ObservationSpec.from_mapping(mapping)


def test_a_missing_entry_of_a_field_is_named_with_its_place():
    mapping = ObservationSpec((field(),)).to_mapping()
    del mapping["fields"][0]["unit"]
    with pytest.raises(BundleError, match=r"manifest: fields\[0\]: missing unit"):
        ObservationSpec.from_mapping(mapping, source="manifest")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "joint_velocty"}, "did you mean 'joint_velocity'"),
        ({"unit": "N m"}, "mode joint_velocity has 'rad/s'"),
        ({"scale": [1.0]}, "1 scales for size 2"),
        ({"scale": [1.0, True]}, "expected a list of numbers"),
        ({"scale": [1.0, 10**400]}, "expected a list of numbers"),
        ({"joint_names": "ab"}, "expected a list of names"),
    ],
)
def test_a_damaged_action_mapping_names_the_entry(change, message):
    spec = ActionSpec(mode="joint_velocity", joint_names=("a", "b"), scale=(1.0, 1.0))
    with pytest.raises(BundleError, match=message):
        ActionSpec.from_mapping({**spec.to_mapping(), **change})


def test_an_action_spec_with_nudges_survives_json_and_one_without_names_none():
    plain = ActionSpec(mode="joint_velocity", joint_names=("a", "b"), scale=(1.0, 1.0))
    assert "nudges" not in plain.to_mapping()
    spec = dataclasses.replace(plain, nudges=((0.0, 0.0), (0.1, 0.0), (-1 / 3, 1.0)))
    assert ActionSpec.from_mapping(json.loads(json.dumps(spec.to_mapping()))) == spec


@pytest.mark.parametrize(
    ("nudges", "message"),
    [
        ([[0.0]], r"nudges\[0\] is .*give 2 values"),
        ([[0.0, 0.0], [0.0, 1.5]], r"nudges\[1\] is .*in \[-1, 1\]"),
        ([[0.0, float("nan")]], r"nudges\[0\]"),
        ([0.0, 1.0], "expected a list of numbers"),
        ("many", "expected a list of lists"),
    ],
)
def test_a_damaged_table_of_nudges_names_the_row(nudges, message):
    spec = ActionSpec(mode="joint_velocity", joint_names=("a", "b"), scale=(1.0, 1.0))
    with pytest.raises(BundleError, match=message):
        ActionSpec.from_mapping({**spec.to_mapping(), "nudges": nudges})
