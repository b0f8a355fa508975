"""Learners between algorithm and episodes: their state holds all that their future depends on."""

import numpy as np
import pytest

from learning import toy
from learning.small_learners import CHOICES, learn, learner
from sinew_core.algorithms.parameters import PARAMETERS
from sinew_core.errors import ConfigError, DivergedError
from sinew_core.training.learners import Problem, make_learner
from sinew_core.training.rollout import Episode


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


def learn_single_steps(agent, count, first=0):
    """Give the learner one step at a time, all after its warm-up; return its updates after each."""
    updates = []
    for index in range(first, first + count):
        rng = np.random.default_rng(index)
        steps, _ = toy.episode(lambda _: np.zeros(2), rng, length=1)
        episode = Episode(transitions=steps, total_reward=0.0, succeeded=False)
        agent.learn([episode], 100 + index)
        updates.append(agent.updates)
    return updates


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.5])
def test_fractions_of_an_update_add_up_over_single_steps(rate):
    updates = learn_single_steps(learner("ddpg", updates_per_step=rate), 40)
    assert updates[-1] == 40 * rate
    # Half an update is the most that is owed at any step.
    assert all(abs(made - (n + 1) * rate) <= 0.5 + 1e-9 for n, made in enumerate(updates))


def test_what_is_owed_of_an_update_outlives_a_resumed_run():
    whole = learner("ddpg", updates_per_step=0.4)
    expected = learn_single_steps(whole, 6)
    half = learner("ddpg", updates_per_step=0.4)
    learn_single_steps(half, 3)
    resumed = learner("ddpg", updates_per_step=0.4)
    resumed.load_state(half.state())
    resumed.replay.extend(half.replay.since(0))
    assert learn_single_steps(resumed, 3, first=3) == expected[3:]
    assert all(np.array_equal(values, resumed.state()[k]) for k, values in whole.state().items())


def test_a_state_from_before_fractions_were_carried_owes_nothing():
    state = learner("ddpg").state()
    del state["owed"]
    agent = learner("ddpg", updates_per_step=0.5)
    learn_single_steps(agent, 1)
    agent.load_state(state)
    assert agent.state()["owed"] == 0.0


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_a_training_that_has_diverged_says_so(algorithm):
    agent = learn(learner(algorithm), 3)
    state = {k: np.full_like(v, np.nan) if v.dtype == "f4" else v for k, v in agent.state().items()}
    agent.load_state(state)
    with pytest.raises(DivergedError, match=r"training has diverged .* lower the learning rates"):
        agent.network()


def test_networks_beyond_the_memory_are_the_users_error():
    problem = Problem(observation_size=4, action_size=2)
    with pytest.raises(ConfigError, match=r"do not fit into memory .* lower hidden_units"):
        make_learner(problem, PARAMETERS["ddpg"](hidden_units=10**8), 0)
