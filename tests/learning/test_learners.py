"""Learners between algorithm and episodes: their state holds all that their future depends on."""

import numpy as np
import pytest

from learning.small_learners import CHOICES, learn, learner
from sinew_core.algorithms.parameters import PARAMETERS
from sinew_core.errors import ConfigError
from sinew_core.training.learners import Problem, make_learner


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_a_learner_goes_on_from_its_state_as_if_nothing_had_happened(algorithm):
    whole = learn(learner(algorithm), 6)
    half = learn(learner(algorithm), 3)
    resumed = learner(algorithm, seed=9)
    resumed.load_state({name: values.copy() for name, values in half.state().items()})
    if half.replay is not None:
        resumed.replay.clear(0)
        resumed.replay.extend(half.replay.since(0))
    learn(resumed, 3, first=3)
    expected, found = whole.state(), resumed.state()
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert np.array_equal(found[name], values), name
    assert resumed.updates == whole.updates > 0
    assert resumed.figures() == whole.figures()
    assert all(isinstance(value, float) for value in whole.figures().values())


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_a_learner_tells_figures_of_its_latest_update(algorithm):
    agent = learner(algorithm)
    assert agent.figures() == {}
    assert learn(agent, 3).figures()


def test_an_algorithm_of_the_other_kind_of_actions_is_refused():
    sizes = {"observation_size": 4, "action_size": 2}
    with pytest.raises(ConfigError, match="dqn chooses among discrete actions"):
        make_learner(Problem(**sizes), PARAMETERS["dqn"](), 0)
    with pytest.raises(ConfigError, match="actions are discrete: take dqn"):
        make_learner(Problem(**sizes, choices=CHOICES), PARAMETERS["ddpg"](), 0)
