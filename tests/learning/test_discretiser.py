import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.algorithms.discretiser import Discretiser
from sinew_core.errors import ConfigError


def test_states_number_the_bins_of_the_chosen_components():
    discretiser = Discretiser([0.0, -1.0], [1.0, 1.0], [4, 2], components=[2, 0])
    assert discretiser.shape == (4, 2)
    assert discretiser.n_states == 8
    # 0.6 of [0, 1] is bin 2 of 4, -0.5 of [-1, 1] bin 0 of 2: state 2 * 2 + 0.
    assert discretiser(np.array([-0.5, 9.0, 0.6])) == 4


def test_beyond_an_edge_counts_to_the_outermost_bin():
    discretiser = Discretiser([0.0], [1.0], [4])
    values = [-5.0, -np.inf, 0.0, 0.25, 1.0, 5.0, np.inf]
    assert [discretiser(np.array([v])) for v in values] == [0, 0, 0, 1, 3, 3, 3]


@given(
    bins=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    low=st.floats(-10, 10),
    width=st.floats(0.1, 10),
)
def test_the_centre_of_a_state_is_in_it(bins, low, width):
    discretiser = Discretiser([low] * len(bins), [low + width] * len(bins), bins)
    states = [discretiser(discretiser.centre(s)) for s in range(discretiser.n_states)]
    assert states == list(range(discretiser.n_states))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0], [1.0, 2.0], [2]), "as many of each"),
        (([], [], []), "at least one"),
        (([1.0], [1.0], [2]), "finite edges in order"),
        (([0.0], [np.inf], [2]), "finite edges"),
        (([0.0], [1.0], [0]), r"bins\[0\] is 0: allowed 1 or more"),
        (([0.0, 0.0], [1.0, 1.0], [2, 2], [1, 1]), "name each once"),
    ],
)
def test_a_table_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Discretiser(*arguments)


def test_an_observation_that_does_not_fit_is_refused():
    discretiser = Discretiser([0.0], [1.0], [2], components=[3])
    with pytest.raises(ConfigError, match="no component 3"):
        discretiser(np.zeros(3))
    with pytest.raises(ConfigError, match="NaN"):
        discretiser(np.full(4, np.nan))
    with pytest.raises(ConfigError, match="allowed 0 to 1"):
        discretiser.centre(2)
