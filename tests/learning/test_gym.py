"""Training on Gymnasium environments, here on small ones made for the purpose."""

import dataclasses
import functools

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Discrete, MultiBinary

from architecture.source_files import ROOT
from sinew_core.algorithms.exploration import Choice
from sinew_core.errors import ConfigError
from sinew_core.training.gym import GymConfiguration, GymTraining, TabularTraining
from sinew_core.training.gym.collector import Collector
from sinew_core.training.gym.spaces import Spaces


class Line(gymnasium.Env):
    """The observation counts the steps; the episode ends after some, by its end or by its limit."""

    def __init__(self, length=5, terminates=False):
        self.observation_space = Box(0.0, 100.0, (1,), np.float32)
        self.action_space = Box(np.array([-2.0, 0.0]), np.array([2.0, 10.0]), dtype=np.float64)
        self.length, self.terminates = length, terminates
        self.seeds, self.actions = [], []

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        self.steps = 0
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        self.steps += 1
        self.actions.append(action)
        ended = self.steps == self.length
        observation = np.full(1, self.steps, dtype=np.float32)
        return observation, 1.0, ended and self.terminates, ended and not self.terminates, {}


class Aim(gymnasium.Env):
    """One step: the reward is highest where the action is half of the observation."""

    observation_space = Box(-1.0, 1.0, (1,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seen = self.np_random.uniform(-1.0, 1.0, 1).astype(np.float32)
        return self.seen, {}

    def step(self, action):
        error = float(action[0] - 0.5 * self.seen[0])
        return self.seen, -error * error, True, False, {}


class Corridor(gymnasium.Env):
    """Five places in a row; each step to the left or right costs 1, and the last place ends it."""

    observation_space = Discrete(5)
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.place = 0
        return self.place, {}

    def step(self, action):
        self.place = max(self.place + (1 if action else -1), 0)
        return self.place, -1.0, self.place == 4, False, {}


class Constant:
    """Explores by one command; remembers the seeds that it began with."""

    def __init__(self, command=(0.0, 0.0)):
        self.command = np.array(command)
        self.seeds = []

    def begin(self, seed):
        self.seeds.append(seed)
        return lambda observation: Choice(action=self.command, command=self.command)


def collector(env):
    seeds = iter(range(100))
    return Collector(env, Spaces(env), lambda: next(seeds))


def aim(seed=0, **values):
    mapping = {"algorithm": "ppo", "env_steps": 800, "steps_per_iteration": 50, "seed": seed}
    ppo = {
        "epochs": 5,
        "learning_rate": 0.02,
        "minibatch_size": 50,
        "gamma": 0.0,
        "action_friction": 0.0,
    }
    return GymConfiguration.from_mapping({**mapping, "ppo": ppo, **values})


def test_an_episode_cut_by_the_number_of_steps_goes_on_at_the_next_call():
    env = Line(length=5)
    steps = collector(env)
    first, second = steps.steps(Constant(), 3), steps.steps(Constant(), 4)
    assert [piece.transitions.observation[:, 0].tolist() for piece in first] == [[0, 1, 2]]
    assert [piece.transitions.observation[:, 0].tolist() for piece in second] == [[3, 4], [0, 1]]
    assert second[0].transitions.next_observation[-1, 0] == 5
    assert len(env.seeds) == 2


def test_the_return_of_a_cut_episode_is_that_of_all_its_steps():
    steps = collector(Line(length=5))
    for _ in range(4):
        steps.steps(Constant(), 3)
    assert steps.returns == [5.0, 5.0]


@pytest.mark.parametrize(("terminates", "flag"), [(True, 1.0), (False, 0.0)])
def test_only_an_end_by_the_environment_terminates(terminates, flag):
    episode = collector(Line(length=3, terminates=terminates)).episode(Constant())
    assert episode.transitions.terminated.tolist() == [0.0, 0.0, flag]
    cut = collector(Line(length=3, terminates=terminates)).steps(Constant(), 2)
    assert cut[0].transitions.terminated.tolist() == [0.0, 0.0]


def test_commands_are_clipped_and_scaled_to_the_bounds():
    env = Line()
    collector(env).steps(Constant((-1.0, 3.0)), 1)
    collector(env).steps(Constant((0.0, -0.5)), 1)
    # [-1, 1] to [-2, 2] and to [0, 10], 3 being clipped to 1.
    assert env.actions[0].tolist() == [-2.0, 10.0]
    assert env.actions[1].tolist() == [0.0, 2.5]


def test_discrete_observations_are_one_hot():
    env = Line()
    env.observation_space = Discrete(3, start=5)
    spaces = Spaces(env)
    assert spaces.problem.observation_size == 3
    assert spaces.observe(np.int64(6)).tolist() == [0.0, 1.0, 0.0]


def test_an_observation_is_a_flat_copy():
    env = Line()
    env.observation_space = Box(0.0, 1.0, (2, 2), np.float64)
    seen = np.ones((2, 2))
    observation = Spaces(env).observe(seen)
    seen[:] = 0.0
    assert (observation.shape, observation.dtype) == ((4,), np.float32)
    assert observation.all()


@pytest.mark.parametrize(
    ("space", "value", "message"),
    [
        ("observation_space", MultiBinary(2), "expected a Box or Discrete"),
        ("action_space", MultiBinary(2), "expected a Box or Discrete"),
        ("action_space", Box(-np.inf, np.inf, (1,)), "finite bounds"),
    ],
)
def test_other_spaces_are_refused(space, value, message):
    env = Line()
    setattr(env, space, value)
    with pytest.raises(ConfigError, match=message):
        Spaces(env)


def test_training_learns_and_equal_seeds_give_equal_policies():
    trained = []
    for seed in (0, 0, 1):
        training = GymTraining(aim(seed, environments=2), Aim)
        before = training.evaluate(50).return_mean
        training.run()
        assert training.env_steps == 800
        # Untrained, the policy rests: the mean of (0.5 s)^2 over [-1, 1] is 1/12.
        assert before == pytest.approx(-1 / 12, rel=0.3)
        assert training.evaluate(50).return_mean > 0.25 * before
        trained.append(training.learner.state())
    same = [np.array_equal(trained[0][k], trained[1][k]) for k in trained[0]]
    assert all(same)
    assert not all(np.array_equal(trained[0][k], trained[2][k]) for k in trained[0])


@pytest.mark.parametrize("algorithm", ["dqn", "ppo", "a2c", "reinforce"])
def test_discrete_actions_are_numbered_from_the_start_of_their_space(algorithm):
    env = Line()
    env.action_space = Discrete(3, start=5)
    mapping = {"algorithm": algorithm, "env_steps": 60}
    training = GymTraining(GymConfiguration.from_mapping(mapping), lambda: env)
    training.run()
    assert set(env.actions) == {5, 6, 7}
    assert training.policy()(np.zeros(1, dtype=np.float32)) in (5, 6, 7)


def test_an_algorithm_of_other_actions_is_refused():
    with pytest.raises(ConfigError, match="discrete"):
        GymTraining(GymConfiguration.from_mapping({"algorithm": "dqn"}), Line)


def test_a_table_learns_the_way_through_a_corridor():
    gymnasium.register("sinew/Corridor-v0", Corridor, max_episode_steps=50)
    configuration = GymConfiguration.from_mapping(
        {
            "environment": "sinew/Corridor-v0",
            "algorithm": "q_learning",
            "env_steps": 2000,
            "q_learning": {"learning_rate": 0.5, "schedule_steps": 1000},
        }
    )
    training = TabularTraining(configuration)
    training.run()
    # Four steps of -1 lead from the first of five places to the last.
    assert training.evaluate(1).return_mean == -4.0
    assert training.returns[-1] <= -4.0
    training.close()


def test_a_table_needs_numbered_spaces_and_its_own_algorithm():
    values = {"environment": "Pendulum-v1", "algorithm": "q_learning"}
    with pytest.raises(ConfigError, match="expects a Discrete space"):
        TabularTraining(GymConfiguration.from_mapping(values))
    with pytest.raises(ConfigError, match="'ppo' has no table"):
        TabularTraining(pendulum())
    with pytest.raises(ConfigError, match="neither environments nor steps_per_iteration"):
        GymConfiguration.from_mapping({**values, "environments": 2})


def test_off_policy_learning_collects_whole_episodes_by_default():
    values = {"algorithm": "ddpg", "env_steps": 12, "ddpg": {"warmup_steps": 5, "batch_size": 4}}
    training = GymTraining(GymConfiguration.from_mapping(values), lambda: Line(length=5))
    training.run()
    assert training.env_steps == 15
    assert training.learner.updates == 15
    assert training.returns == [5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("steps", "limit", "capacity"), [(0, 5, 4), (3, None, 2), (3, 5, 2), (9, 5, 4)]
)
def test_a_replay_that_cannot_hold_an_episode_is_refused_before_the_first(steps, limit, capacity):
    line = Line(length=5)
    line.spec = EnvSpec("sinew/Line-v0", max_episode_steps=limit)
    values = {"algorithm": "ddpg", "steps_per_iteration": steps, "env_steps": 10}
    small, enough = (
        GymConfiguration.from_mapping({**values, "ddpg": {"replay_capacity": size}})
        for size in (capacity, capacity + 1)
    )
    with pytest.raises(ConfigError, match=rf"an episode of {capacity + 1} steps does not fit"):
        GymTraining(small, lambda: line)
    assert line.seeds == []
    GymTraining(enough, lambda: line).run()


def test_a_replay_too_small_for_an_episode_of_unknown_length_ends_with_the_remedy():
    values = {"algorithm": "ddpg", "env_steps": 10, "ddpg": {"replay_capacity": 4}}
    with pytest.raises(ConfigError, match="give at least 5"):
        GymTraining(GymConfiguration.from_mapping(values), lambda: Line(length=5)).run()


def test_a_policy_acts_within_the_bounds():
    training = GymTraining(aim(), Aim)
    action = training.policy()(np.array([0.5], dtype=np.float32))
    assert Aim.action_space.contains(action)


def test_the_environment_of_an_id_is_trained_in():
    training = GymTraining(pendulum(steps_per_iteration=64))
    assert training.advance() == 4 * 64
    assert training.evaluate(1).length_mean == 200
    training.close()


def endless(**changes):
    """Train in an environment that nothing ever ends."""
    return GymTraining(aim(**changes), lambda: Line(length=-1))


def test_an_evaluation_without_any_limit_ends_with_the_remedy():
    with pytest.raises(ConfigError, match=r"Line has no time limit.*set evaluation_limit_steps"):
        endless().evaluate(1)


def test_an_evaluation_is_cut_where_the_configuration_says_so():
    result = endless(evaluation_limit_steps=30).evaluate(2)
    assert (result.length_mean, result.return_mean, result.success_rate) == (30.0, 30.0, 0.0)


def test_a_limit_beyond_the_end_of_an_episode_changes_nothing():
    training = GymTraining(aim(evaluation_limit_steps=30), lambda: Line(length=5))
    assert training.evaluate(1).length_mean == 5


def test_collecting_whole_episodes_without_any_limit_ends_with_the_remedy():
    with pytest.raises(ConfigError, match="set steps_per_iteration"):
        endless(steps_per_iteration=0).run()


def test_an_environment_with_a_long_limit_of_its_own_is_not_called_endless():
    make = functools.partial(gymnasium.make, "sinew/Line-v0")
    gymnasium.register("sinew/Line-v0", lambda: Line(length=-1), max_episode_steps=10_050)
    assert GymTraining(aim(), make).evaluate(1).length_mean == 10_050


def pendulum(**changes):
    path = ROOT / "config" / "algorithms" / "ppo_pendulum.yaml"
    return GymConfiguration.read(path, seed=7, **changes)


def test_changes_win_over_the_file_and_a_mapping_gives_it_back():
    configuration = pendulum()
    assert configuration.train.seed == 7
    assert configuration.train.environment == "Pendulum-v1"
    assert GymConfiguration.from_mapping(configuration.to_mapping()) == configuration


@pytest.mark.parametrize("changes", [{"ppo": {"epochs": 3}}, {"ppo.epochs": 3}])
def test_a_changed_parameter_leaves_the_rest_of_the_files_section(changes):
    plain, changed = pendulum(), pendulum(**changes)
    assert plain.algorithm.epochs != 3
    assert changed.algorithm == dataclasses.replace(plain.algorithm, epochs=3)
    assert changed.train == plain.train


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"algorithm": "ppo", "ppo.epoch": 3}, "did you mean 'epochs'"),
        ({"algorithm": "ppo", "ddpg.gamma": 0.9}, "unknown parameter 'ddpg.gamma'"),
        ({"enviroment": "x"}, "did you mean 'environment'"),
        ({"algorithm": "ppo", "ppo": {"epoch": 3}}, "did you mean 'epochs'"),
        ({"algorithm": "ppo", "ddpg": {}}, "unknown parameter 'ddpg'"),
        ({"algorithm": "ppo", "ppo": 3}, "is a section"),
        ({"algorithm": "pop"}, "did you mean 'ppo'"),
    ],
)
def test_unknown_parameters_are_refused(mapping, message):
    with pytest.raises(ConfigError, match=message):
        GymConfiguration.from_mapping(mapping, "file")


@pytest.mark.parametrize("algorithm", ["ppo", "a2c"])
def test_an_iteration_that_nothing_is_learned_from_is_refused(algorithm):
    values = {"algorithm": algorithm, "steps_per_iteration": 1}
    with pytest.raises(ConfigError, match="learns from 2 steps or more"):
        GymConfiguration.from_mapping(values)
    GymConfiguration.from_mapping({**values, "environments": 2})
