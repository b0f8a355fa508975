import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import ConfigError
from sinew_core.parameters import Parameters, describe, parameter, table
from sinew_core.training.config import TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm(Parameters):
    speed_m_s: float = parameter(0.5, "How fast.", unit="m/s", minimum=0.0, maximum=2.0)
    tries: int = parameter(3, "How often.", minimum=1)
    engine: str = parameter("pybullet", "Which physics.", choices=("pybullet", "mujoco"))
    gains: tuple[float, ...] = parameter((1.0, 2.0), "One per joint.", maximum=10.0)
    names: tuple[str, ...] = parameter(("a",), "The joints.")
    armed: bool = parameter(False, "Whether it may move.")

    def check(self):
        if self.armed and self.speed_m_s > 1.0:
            return [f"speed_m_s is {self.speed_m_s}: at most 1 when armed"]
        return []


def test_the_defaults_are_valid():
    assert Arm().to_mapping() == {
        "speed_m_s": 0.5,
        "tries": 3,
        "engine": "pybullet",
        "gains": [1.0, 2.0],
        "names": ["a"],
        "armed": False,
    }


@given(st.floats())
def test_a_number_is_accepted_exactly_inside_its_closed_range(value):
    if 0.0 <= value <= 2.0:
        assert Arm(speed_m_s=value).speed_m_s == value
    else:
        with pytest.raises(ConfigError, match=r"^speed_m_s is "):
            Arm(speed_m_s=value)


@given(st.integers())
def test_a_lower_bound_alone_leaves_the_top_open(value):
    if value >= 1:
        assert Arm(tries=value).tries == value
    else:
        with pytest.raises(ConfigError, match=f"tries is {value}: allowed ≥ 1"):
            Arm(tries=value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_refused(value):
    with pytest.raises(ConfigError, match="expected a finite number"):
        Arm(speed_m_s=value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tries": 3.0}, "tries is 3.0: expected int"),
        ({"tries": True}, "tries is True: expected int"),
        ({"tries": "3"}, "tries is '3': expected int"),
        ({"tries": None}, "tries is None: expected int"),
        ({"speed_m_s": True}, "speed_m_s is True: expected float"),
        ({"speed_m_s": 10**400}, f"speed_m_s is {10**400}: expected float"),
        ({"speed_m_s": "0.5"}, "speed_m_s is '0.5': expected float"),
        ({"armed": 1}, "armed is 1: expected bool"),
        ({"engine": 1}, "engine is 1: expected str"),
        ({"gains": 1.0}, "gains is 1.0: expected a list"),
        ({"gains": "12"}, "gains is '12': expected a list"),
        ({"gains": [1.0, "x"]}, "gains[1] is 'x': expected float"),
        ({"gains": [1.0, math.nan]}, "gains[1] is nan: expected a finite number"),
        ({"gains": [11.0]}, "gains[0] is 11.0: allowed ≤ 10"),
        ({"names": ["a", 1]}, "names[1] is 1: expected str"),
        ({"engine": "mujocco"}, "engine is 'mujocco': did you mean 'mujoco'?"),
        ({"sped_m_s": 1.0}, "unknown parameter 'sped_m_s': did you mean 'speed_m_s'?"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(values, message):
    with pytest.raises(ConfigError) as raised:
        Arm.from_mapping(values, "arm.yaml")
    assert str(raised.value) == f"arm.yaml: {message}"


def test_every_violation_is_reported_at_once():
    with pytest.raises(ConfigError) as raised:
        Arm(speed_m_s=3.0, tries=0, engine="x")
    assert str(raised.value) == (
        "speed_m_s is 3.0: allowed 0 to 2; tries is 0: allowed ≥ 1; "
        "engine is 'x': choose one of mujoco, pybullet"
    )


def test_a_rule_across_fields_is_checked():
    with pytest.raises(ConfigError, match=r"speed_m_s is 1\.5: at most 1 when armed"):
        Arm(speed_m_s=1.5, armed=True)


def test_rules_across_fields_are_not_tried_on_fields_that_are_wrong():
    with pytest.raises(ConfigError) as raised:
        Arm.from_mapping({"speed_m_s": "fast", "armed": True})
    assert str(raised.value) == "parameters: speed_m_s is 'fast': expected float"


def test_an_integer_stands_for_a_float_in_a_mapping():
    arm = Arm.from_mapping({"speed_m_s": 1, "gains": [1, 2]})
    assert arm.speed_m_s == 1.0
    assert type(arm.speed_m_s) is float
    assert arm.gains == (1.0, 2.0)
    assert all(type(gain) is float for gain in arm.gains)


ARMS = st.builds(
    Arm,
    speed_m_s=st.floats(0.0, 1.0),
    tries=st.integers(1, 10**6),
    engine=st.sampled_from(["pybullet", "mujoco"]),
    gains=st.lists(st.floats(-10.0, 10.0)).map(tuple),
    names=st.lists(st.text()).map(tuple),
    armed=st.booleans(),
)


@given(ARMS)
def test_a_mapping_holds_everything(arm):
    assert Arm.from_mapping(arm.to_mapping()) == arm


@given(
    st.dictionaries(
        st.text(max_size=3) | st.sampled_from(["tries", "gains"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=3)
        | st.lists(st.integers(), max_size=2),
        max_size=3,
    )
)
def test_no_mapping_causes_another_error(mapping):
    try:
        arm = Arm.from_mapping(mapping)
    except ConfigError:
        return
    assert arm.to_mapping() | mapping == arm.to_mapping()


def test_instances_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Arm().tries = 4


def test_fields_are_described_in_the_order_of_declaration():
    described = describe(Arm)
    assert [name for name, _, _ in described][:3] == ["speed_m_s", "tries", "engine"]
    _, info, kind = described[0]
    assert (info.unit, info.minimum, info.maximum, kind) == ("m/s", 0.0, 2.0, float)


def test_the_table_shows_default_unit_range_and_meaning():
    assert table(Arm).splitlines() == [
        "| parameter | default | unit | allowed | meaning |",
        "|---|---|---|---|---|",
        "| `speed_m_s` | `0.5` | m/s | 0 to 2 | How fast. |",
        "| `tries` | `3` |  | ≥ 1 | How often. |",
        "| `engine` | `pybullet` |  | pybullet, mujoco | Which physics. |",
        "| `gains` | [`1.0`, `2.0`] |  | ≤ 10 | One per joint. |",
        "| `names` | [`a`] |  |  | The joints. |",
        "| `armed` | false |  |  | Whether it may move. |",
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place(Parameters):
    output: str = parameter("runs", "Where it goes.", path=True)
    name: str = parameter("", "What it is called.")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("~", "{home}"), ("~/runs", "{home}/runs"), ("a/~", "a/~"), ("", ""), ("~nobody-here/x",) * 2],
)
def test_a_path_may_begin_with_the_home_folder(given, meant, monkeypatch, tmp_path):
    """A shell leaves ~ alone behind name:=, and a folder called ~ is what nobody wants."""
    monkeypatch.setenv("HOME", str(tmp_path))
    place = Place.from_mapping({"output": given, "name": given})
    assert place.output == meant.format(home=tmp_path)
    assert place.name == given


def test_every_file_and_folder_of_a_training_is_a_path():
    paths = {name for name, info, _ in describe(TrainConfig) if info.path}
    assert paths == {"output", "robot", "urdf", "sim_params", "randomisation"}
