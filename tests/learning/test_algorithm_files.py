"""The hyper-parameter files and search spaces of the checkout."""

import pytest

from architecture.source_files import ROOT
from sinew_core.errors import ConfigError
from sinew_core.training.configuration import RunConfiguration, read_parameter_file
from sinew_core.training.gym import GymConfiguration
from sinew_core.training.sweep import Space

FILES = sorted((ROOT / "config" / "algorithms").glob("*.yaml"))
SPACES = sorted((ROOT / "config" / "sweeps").glob("*.yaml"))


def names(paths):
    return [path.stem for path in paths]


def read(path):
    """The configuration of a file: of an arm, unless it names a Gymnasium environment."""
    values = read_parameter_file(path)
    kind = GymConfiguration if "environment" in values else RunConfiguration
    return kind.from_mapping(values, path.name)


def test_the_files_are_found():
    assert {"ppo_pendulum", "ddpg_touch"} <= set(names(FILES))
    assert {"ppo", "ddpg"} <= set(names(SPACES))


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_a_file_has_only_known_keys_and_is_named_after_its_algorithm(path):
    assert path.stem.startswith(f"{read(path).train.algorithm}_")


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_an_unknown_key_of_a_file_is_refused(path):
    values = read_parameter_file(path)
    algorithm = read(path).train.algorithm
    kind = GymConfiguration if "environment" in values else RunConfiguration
    with pytest.raises(ConfigError, match="unknown parameter 'no_such'"):
        kind.from_mapping({**values, algorithm: {**values[algorithm], "no_such": 1}}, path.name)


@pytest.mark.parametrize("path", SPACES, ids=names(SPACES))
def test_a_search_space_suits_its_algorithm(path):
    space = Space.read(path, RunConfiguration.from_mapping({"algorithm": path.stem}))
    assert all(name.startswith(f"{path.stem}.") for name in space.domains)
