import pytest
import yaml

from sinew_core.errors import ConfigError
from sinew_core.training.configuration import RunConfiguration, read_parameter_file


def test_sections_may_be_written_with_dots():
    made = RunConfiguration.from_mapping(
        {"seed": 3, "ddpg.gamma": 0.8, "rates.control_rate_hz": 50}
    )
    assert made.train.seed == 3
    assert made.algorithm.to_mapping()["gamma"] == 0.8
    assert made.rates.control_rate_hz == 50


def test_a_dotted_value_wins_over_a_nested_one():
    made = RunConfiguration.from_mapping(
        {"ddpg": {"gamma": 0.7, "batch_size": 64}, "ddpg.gamma": 0.8}
    )
    assert made.algorithm.to_mapping()["gamma"] == 0.8
    assert made.algorithm.to_mapping()["batch_size"] == 64


def test_what_is_written_reads_back_equal(tmp_path):
    made = RunConfiguration.from_mapping({"algorithm": "ppo", "ppo.epochs": 3, "reach.hold_s": 0.2})
    (tmp_path / "config.yaml").write_text(made.to_yaml())
    assert RunConfiguration.from_mapping(read_parameter_file(tmp_path / "config.yaml")) == made


def test_a_replay_memory_that_cannot_hold_an_episode_is_refused():
    # Reach has 4 s at 25 Hz.
    with pytest.raises(ConfigError, match="replay_capacity is 99: an episode of 100 steps"):
        RunConfiguration.from_mapping({"ddpg.replay_capacity": 99})
    RunConfiguration.from_mapping({"ddpg.replay_capacity": 100})
    RunConfiguration.from_mapping({"ddpg.replay_capacity": 20, "reach.episode_s": 0.8})
    with pytest.raises(ConfigError, match="an episode of 150 steps does not fit"):
        RunConfiguration.from_mapping({"task": "push", "ddpg.replay_capacity": 149})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sed": 1}, "did you mean 'seed'"),
        ({"ddpg.gama": 0.9}, "did you mean 'gamma'"),
        ({"ppo.epochs": 3}, "algorithm:=ppo"),
        ({"ddpg": 3}, "is a section"),
        ({"ddpg.gamma": 2.0}, "allowed 0 to 1"),
        ({"seed": "many"}, "expected int"),
        ({"robot": 7}, "expected str"),
        ({"algorithm": "trpo"}, "algorithm is 'trpo'"),
        ({"rates.control_rate_hz": 30}, "does not divide filter_rate_hz"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(values, message):
    with pytest.raises(ConfigError, match=message) as raised:
        RunConfiguration.from_mapping(values)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content", ["", "a: 1", "[1, 2]", "/**: 3", "{", "/**: {ros__parameters: 3}"]
)
def test_a_file_of_another_form_is_refused(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match="parameter file"):
        read_parameter_file(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        read_parameter_file(tmp_path / "nothing.yaml")


def test_empty_lists_are_left_out_because_ros_cannot_type_them():
    content = yaml.safe_load(RunConfiguration.from_mapping({}).to_yaml())
    reach = content["/**"]["ros__parameters"]["reach"]
    assert "start_rad" not in reach
