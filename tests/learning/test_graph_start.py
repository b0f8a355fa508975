"""What a training over the graph begins with: a deployed actor, and known critics."""

import numpy as np
import pytest

from learning.small_learners import learn, learner
from sinew_core.algorithms.actor import Start
from sinew_core.algorithms.state import part
from sinew_core.bundle.runtime import NumpyPolicy, PolicyNetwork
from sinew_core.errors import ConfigError

ALGORITHMS = ("ddpg", "td3", "sac")
CRITICS = {"ddpg": ("critic", "target_critic"), "td3": ("critics", "target_critics")}
CRITICS["sac"] = CRITICS["td3"]
SEEN = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)


def start(trained, *, critic=False, frozen_updates=0):
    state = part(trained.state(), "agent") if critic else {}
    network = trained.network()
    return Start(network=network, critic=state, frozen_updates=frozen_updates, exploration=0.1)


def actions(network):
    policy = NumpyPolicy(network)
    return np.stack([policy.act(observation) for observation in SEEN])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_it_begins_with_the_deployed_actor_and_waits_for_the_critic(algorithm):
    trained = learn(learner(algorithm), 3)
    ours = learner(algorithm, seed=7)
    ours.adopt(start(trained, frozen_updates=50))
    assert np.array_equal(actions(ours.network()), actions(trained.network()))
    before = ours.state()
    learn(ours, 2)
    assert 0 < ours.updates <= 50
    assert np.array_equal(actions(ours.network()), actions(trained.network()))
    name = f"agent.{CRITICS[algorithm][0]}."
    assert any(not np.array_equal(v, before[k]) for k, v in ours.state().items() if name in k)
    learn(ours, 3, first=2)
    assert ours.updates > 50
    assert not np.array_equal(actions(ours.network()), actions(trained.network()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_kept_critic_is_that_of_the_run(algorithm):
    trained = learn(learner(algorithm), 3)
    new, kept = learner(algorithm, seed=7), learner(algorithm, seed=7)
    new.adopt(start(trained))
    kept.adopt(start(trained, critic=True))
    for name in CRITICS[algorithm]:
        theirs = part(trained.state(), f"agent.{name}")
        for key, values in part(kept.state(), f"agent.{name}").items():
            assert np.array_equal(values, theirs[key])
            assert not np.array_equal(part(new.state(), f"agent.{name}")[key], theirs[key])


def test_sac_explores_around_the_deployed_actor_with_the_deviation_asked_for():
    trained = learn(learner("sac"), 3)
    ours = learner("sac", seed=7)
    ours.adopt(start(trained))
    choose = ours.explorer(1000).begin(0)
    mean = NumpyPolicy(trained.network()).act(SEEN[0])
    drawn = np.array([np.arctanh(choose(SEEN[0]).action) for _ in range(4000)])
    assert drawn.mean(0) == pytest.approx(np.arctanh(mean), abs=0.01)
    assert drawn.std(0) == pytest.approx(0.1, rel=0.05)


def test_a_normaliser_is_folded_into_the_actor():
    trained = learn(learner("ddpg"), 3).network()
    rng = np.random.default_rng(1)
    mean, std = rng.normal(size=4), rng.uniform(0.5, 2.0, size=4)
    values = {**vars(trained), "observation_mean": mean, "observation_std": std}
    floats = ("observation_mean", "observation_std")
    normalised = PolicyNetwork(**{**values, **{n: values[n].astype(np.float32) for n in floats}})
    ours = learner("ddpg", seed=7)
    ours.adopt(Start(network=normalised, critic={}, frozen_updates=0, exploration=0.1))
    assert actions(ours.network()) == pytest.approx(actions(normalised), abs=1e-5)


def test_an_actor_of_another_form_is_refused():
    other = learn(learner("ddpg"), 1).network()
    with pytest.raises(ConfigError, match="take the algorithm and hidden_units"):
        learner("ddpg").adopt(start_of(learn(learner("ppo"), 1).network()))
    with pytest.raises(ConfigError, match="critic:=new"):
        learner("ddpg").adopt(
            Start(network=other, critic={"x": SEEN}, frozen_updates=0, exploration=0.1)
        )
    with pytest.raises(ConfigError, match="dqn has no actor"):
        learner("dqn").adopt(start_of(other))


def start_of(network):
    return Start(network=network, critic={}, frozen_updates=0, exploration=0.1)
