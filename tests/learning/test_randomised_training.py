"""Environments, training and driver with arms other than the nominal one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sinew_core.action import ActionDecoder
from sinew_core.algorithms.exploration import NoisyPolicy
from sinew_core.bundle import load_bundle
from sinew_core.bundle.runtime import NumpyPolicy, PolicyNetwork
from sinew_core.environments import ArmEnv
from sinew_core.environments.drive import make_drive as make_filtered_drive
from sinew_core.errors import ConfigError, RunError
from sinew_core.evaluation import judge_episode
from sinew_core.randomisation import read_randomisation
from sinew_core.report.training import TrainingReport
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams
from sinew_core.safety.make import FILTERED_MODES
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation import ENGINE_NAMES, make_engine
from sinew_core.specs import ACTION_MODES
from sinew_core.training.arms import Arms
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.jobs import CollectJob, JudgeJob
from sinew_core.training.loop import train
from sinew_core.training.rollout import Recorder
from sinew_core.training.seeds import Seeds, dynamics_seed
from sinew_sim.arm import SimulatedArm
from sinew_sim.drives import make_drive

FILE = Path(__file__).parents[2] / "config" / "randomisation" / "default.yaml"
ROBOT = load_robot("panda")
RANDOMISATION = read_randomisation(FILE, ROBOT)
NETWORK = PolicyNetwork(
    layers=((np.full((7, 24), 0.01, np.float32), np.zeros(7, np.float32)),),
    hidden_activation="relu",
    output_activation="tanh",
    observation_mean=np.zeros(24, np.float32),
    observation_std=np.ones(24, np.float32),
)
SAFETY = SafetyParameters(max_latency_periods=2, gain_error=0.1)
TINY = {
    "engine": "mujoco",
    "env_steps": 60,
    "evaluation_period_steps": 30,
    "confirm_episodes": 2,
    "eval_episodes": 2,
    "target_success_rate": 1.0,
    "reach": {"episode_s": 0.4, "hold_s": 0.1},
    "ddpg": {"warmup_steps": 20, "batch_size": 16},
    "safety": {"max_latency_periods": 2, "gain_error": 0.1},
    "randomisation": str(FILE),
    "every_episodes": 2,
}


@pytest.fixture
def make_env():
    """A function that makes environments, which are closed at the end."""
    made = []

    def make(mode="joint_velocity", engine="mujoco", randomisation=RANDOMISATION, task="reach"):
        given = {"task": task, "safety": SAFETY, "randomisation": randomisation}
        made.append(ArmEnv(ROBOT, "", engine, mode, **given))
        return made[-1]

    yield make
    for env in made:
        env.close()


def rollout(env, seed=None, options=None, steps=10):
    """All that an episode of random actions shows, as bytes."""
    rng = np.random.default_rng(0)
    observation, info = env.reset(seed=seed, options=options)
    seen = [observation.tobytes(), info["tool_position"].tobytes()]
    for _ in range(steps):
        observation, reward, _, _, info = env.step(rng.uniform(-0.5, 0.5, env.action_space.shape))
        seen += [observation.tobytes(), reward, info["tool_position"].tobytes()]
    return seen


@pytest.mark.parametrize(
    ("mode", "engine"),
    [*((mode, "mujoco") for mode in ACTION_MODES), ("joint_velocity", "pybullet")],
)
def test_an_episode_depends_on_its_seeds_alone(make_env, mode, engine):
    used, fresh = make_env(mode, engine), make_env(mode, engine)
    rollout(used, 1, {"dynamics_seed": 5})
    rollout(used, 2, {"dynamics": None})
    again = rollout(used, 3, {"dynamics_seed": 6})
    assert again == rollout(fresh, 3, {"dynamics_seed": 6})
    assert again != rollout(fresh, 3, {"dynamics_seed": 7})


def test_the_nominal_arm_is_that_of_an_environment_without_randomisation(make_env):
    env, plain = make_env(), make_env(randomisation=None)
    rollout(env, 1)
    assert rollout(env, 2, {"dynamics": None}) == rollout(plain, 2)


def test_the_reset_tells_what_was_drawn(make_env):
    _, info = make_env().reset(seed=0, options={"dynamics_seed": 11})
    drawn = RANDOMISATION.draw_values(11)
    assert {name: info["dynamics"][name] for name in drawn} == drawn
    assert "dynamics" not in make_env(randomisation=None).reset(seed=0)[1]


def test_a_seed_of_the_dynamics_may_be_an_integer_of_numpy(make_env):
    env = make_env()
    wanted = RANDOMISATION.draw_values(7)
    for seed in (np.int64(7), np.uint8(7), np.array(7)):
        drawn = env.reset(seed=0, options={"dynamics_seed": seed})[1]["dynamics"]
        assert {name: drawn[name] for name in wanted} == wanted


def test_no_seed_of_the_dynamics_is_as_none_given(make_env):
    env = make_env()
    given = env.reset(seed=0, options={"dynamics_seed": None})[1]["dynamics"]
    assert given == env.reset(seed=0)[1]["dynamics"]


@pytest.mark.parametrize("seed", [7.0, "7", -1, np.int64(-1), [7]])
def test_a_seed_of_the_dynamics_that_is_none_is_refused(make_env, seed):
    with pytest.raises(ConfigError, match=r"'dynamics_seed' is .*give an integer from 0"):
        make_env().reset(seed=0, options={"dynamics_seed": seed})


def test_without_options_the_arm_changes_every_few_episodes(make_env):
    env = make_env(randomisation=dataclasses.replace(RANDOMISATION, every_episodes=3))
    masses = [
        env.reset(seed=0 if k == 0 else None)[1]["dynamics"]["payload/mass"] for k in range(7)
    ]
    assert [masses[k] == masses[k + 1] for k in range(6)] == [True, True, False] * 2
    assert env.reset(seed=0)[1]["dynamics"]["payload/mass"] == masses[0]


def test_observations_are_noisy_and_success_is_judged_by_the_truth(make_env):
    env = make_env()
    values = {"sensor_noise/position_rad": 3e-3}
    _, true = env.reset(seed=1, options={"dynamics": ArmDynamics.nominal(ROBOT)})
    noisy = ArmDynamics.from_values(ROBOT, values)
    observation, info = env.reset(seed=1, options={"dynamics": noisy})
    np.testing.assert_array_equal(info["tool_position"], true["tool_position"])
    # Seen from the measured joints the tool is elsewhere, by some 3e-3 rad times a metre.
    seen = env.builder.tool_position_base
    assert 1e-4 < np.abs(seen - info["tool_position"]).max() < 0.03
    following, _ = env.reset(seed=1, options={"dynamics": noisy})
    np.testing.assert_array_equal(following, observation)


def test_hindsight_shows_the_target_from_where_noisy_sensors_have_the_tool(make_env):
    env, chosen = make_env(), {"dynamics": ArmDynamics.nominal(ROBOT)}
    explorer = NoisyPolicy(network=NETWORK, process="gaussian", sigma=(0.3,) * 7, as_drawn=False)
    for noise_rad in (0.0, 3e-3):
        if noise_rad:
            noisy = {"sensor_noise/position_rad": noise_rad}
            chosen = {"dynamics": ArmDynamics.from_values(ROBOT, noisy)}
        recorder = Recorder()
        recorder.run(env, explorer, 1, chosen)
        motions = recorder.episode(20).transitions
        target = np.tile(env.signals.target_position_base, (20, 1))
        # Its own target leaves an observation as it is.
        for seen, place in (
            (motions.observation, motions.seen_goal),
            (motions.next_observation, motions.next_seen_goal),
        ):
            np.testing.assert_allclose(env.builder.relabel(seen, place, target), seen, atol=1e-5)
        off_m = np.abs(motions.next_seen_goal - motions.next_achieved_goal).max()
        assert off_m > 1e-4 if noise_rad else off_m == 0.0


def push_into_the_object(env):
    """Push for 3 s with a drawn arm; return where the object was at first, and the last step."""
    observation, info = env.reset(seed=3, options={"dynamics_seed": 5})
    first, reward = info["achieved_goal"], 0.0
    for _ in range(75):
        way = info["achieved_goal"] - info["tool_position"]
        observation, reward, _, _, info = env.step(np.clip(10.0 * way, -1.0, 1.0))
    return first, observation, reward, info


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_push_is_judged_by_the_truth_and_sees_the_true_object(make_env, engine):
    env, fresh = (make_env("tool_velocity", engine, task="push") for _ in range(2))
    first, observation, reward, info = push_into_the_object(env)
    achieved, target = info["achieved_goal"], info["target_position"]
    assert np.linalg.norm(achieved - first) > 0.01
    assert info["distance_m"] == pytest.approx(np.linalg.norm(achieved - target), abs=1e-12)
    assert info["reward_rest"] == env.task.object_part(info["tool_position"], achieved)
    goal = env.task.goal_part(info["distance_m"], 0.0, 0.0)
    assert reward == pytest.approx(goal + info["reward_rest"], abs=1e-12)
    assert 1e-6 < np.abs(env.builder.tool_position_base - info["tool_position"]).max() < 1e-3
    assert np.array_equal(env.signals.object_position_base, achieved)
    again = push_into_the_object(fresh)[1]
    assert observation.tobytes() == again.tobytes() == push_into_the_object(env)[1].tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dynamics_seed": 3}, "has no randomisation"),
        ({"dynamics": {"mass/*": 2.0}}, "give ArmDynamics"),
        ({"dynamic": None}, "did you mean 'dynamics'"),
    ],
)
def test_a_wrong_option_of_the_reset_is_refused(make_env, options, message):
    with pytest.raises(ConfigError, match=message):
        make_env(randomisation=None).reset(seed=0, options=options)


def test_a_randomisation_beyond_the_filters_assumptions_is_refused():
    with pytest.raises(ConfigError, match=r"safety\.gain_error:=0\.1"):
        ArmEnv(ROBOT, randomisation=RANDOMISATION)


def test_a_draw_lasts_its_episodes_and_is_never_the_same_again():
    seeds = [dynamics_seed(4, episode, 3) for episode in range(9)]
    assert seeds == [seed for seed in seeds[::3] for _ in range(3)]
    assert len(set(seeds)) == 3
    assert dynamics_seed(5, 0, 3) != seeds[0]


def test_a_collected_episode_is_the_same_in_every_worker(make_env):
    explorer = NoisyPolicy(network=NETWORK, process="gaussian", sigma=(0.3,) * 7, as_drawn=False)
    used, fresh = make_env(), make_env()
    jobs = [
        CollectJob(explorer=explorer, seeds=(k,), dynamics_seeds=(dynamics_seed(0, k, 2),))
        for k in range(3)
    ]
    for job in jobs:
        (first,) = job.run(used)
    (second,) = jobs[-1].run(fresh)
    np.testing.assert_array_equal(first.transitions.reward, second.transitions.reward)


@pytest.mark.parametrize("randomised", [True, False])
def test_a_policy_is_judged_by_the_arms_asked_for(make_env, randomised):
    job = JudgeJob(network=NETWORK, seeds=(3, 4), randomised=randomised)
    expected = make_env(randomisation=RANDOMISATION if randomised else None)
    policy = NumpyPolicy(NETWORK)
    assert job.run(make_env()) == [judge_episode(expected, policy.act, seed) for seed in (3, 4)]


def test_a_run_tells_what_it_drew(tmp_path):
    result = train(
        RunConfiguration.from_mapping(TINY),
        on_progress=lambda _: None,
        should_stop=lambda: False,
        run_folder=tmp_path,
        workers=1,
    )
    # Six episodes of ten decisions, and one that is collected meanwhile: a draw for every two.
    drawn = result.randomisation
    assert drawn["draws"] == 4
    entry = next(e for e in drawn["entries"] if e["name"] == "delay_s")
    expected = [RANDOMISATION.draw(dynamics_seed(0, k, 2)).delay_s for k in (0, 2, 4, 6)]
    assert entry["sampled"] == expected
    manifest = load_bundle(result.bundle).manifest
    assert manifest.training["randomisation"]["every_episodes"] == 2


def test_a_run_keeps_what_it_draws_from_and_is_not_resumed_with_anything_else(tmp_path):
    path = tmp_path / "arms.yaml"
    path.write_text(FILE.read_text())
    configuration = RunConfiguration.from_mapping({**TINY, "randomisation": str(path)})
    folder = tmp_path / "run"
    folder.mkdir()
    for _ in range(2):
        Arms(configuration, ROBOT).keep(folder)
    kept = read_randomisation(folder / "randomisation.yaml", ROBOT)
    assert kept.draw_values(1) == RANDOMISATION.draw_values(1)
    path.write_text(FILE.read_text().replace("high: 1.2", "high: 1.3"))
    with pytest.raises(RunError, match=r"arms\.yaml is not what the run was started with"):
        Arms(configuration, ROBOT).keep(folder)


def test_a_resumed_run_goes_on_with_the_next_arms():
    seeds = Seeds(0)
    seeds.training(5)
    again = Seeds(0)
    again.load_state(seeds.state())
    arms = Arms(RunConfiguration.from_mapping(TINY), ROBOT)
    (job,) = arms.collecting(None, again.training(3), 5)
    assert again.episodes == 8
    # Every two episodes: of the episodes 5, 6 and 7 the first has the arm of 4.
    assert job.dynamics_seeds == tuple(dynamics_seed(0, episode, 2) for episode in (4, 6, 6))


def test_what_belongs_to_a_randomisation_needs_one():
    with pytest.raises(ConfigError, match="eval_randomised without randomisation"):
        RunConfiguration.from_mapping({"eval_randomised": True})


def test_the_report_shows_distributions_and_what_was_drawn():
    entry = {
        "name": "mass/*",
        "unit": "of nominal",
        "distribution": "uniform, low 0.8, high 1.2",
        "low": 0.8,
        "high": 1.2,
        "sampled": [0.85, 1.05, 1.1],
    }
    figures = {
        "run": "r", "robot": "panda", "task": "reach", "engine": "mujoco", "algorithm": "ddpg",
        "action_mode": "joint_velocity", "seed": 0, "env_steps": 1, "train_wall_s": 1.0,
        "env_steps_per_s": 1.0,
        "randomisation": {
            "file": "wide.yaml", "evaluated_randomised": False, "every_episodes": 100,
            "draws": 3, "entries": [entry],
        },
    }  # fmt: skip
    page = TrainingReport(
        figures=figures, curve=[], traces=[], tolerance_m=0.02, velocity_limit_rad_s=np.ones(7),
        joint_names=ROBOT.joint_names, picture_png=None, configuration="",
    ).html()  # fmt: skip
    for text in ("wide.yaml, anew every 100", "uniform, low 0.8", "0.85", "1.1", "of 3 draws"):
        assert text in page
    # Which is nominal only without sim_params.
    assert "evaluated on the run&#x27;s own arm" in page


@pytest.mark.parametrize("mode", FILTERED_MODES)
def test_the_simulated_driver_moves_another_arm_as_the_environment_does(make_env, mode):
    values = RANDOMISATION.draw_values(2) | {"delay_s": 0.014, "sensor_noise/position_rad": 0.0}
    values["sensor_noise/velocity_rad_s"] = 0.0
    dynamics = ArmDynamics.from_values(ROBOT, values)
    env = make_env(mode)
    start = env.task.sample_start(np.random.default_rng(0))
    env.reset(seed=0, options={"dynamics": dynamics, "start_rad": start})

    engine, period_s = make_engine("mujoco", ROBOT, 500), 0.01
    params = SimParams(dynamics=dynamics)
    driven = make_drive(mode, engine, period_s, gravity_compensation=True)
    arm = SimulatedArm(engine, driven, period_ns=10**7, watchdog_s=0.0, params=params)
    arm.reset(start)
    chain = make_filtered_drive(mode, engine, ROBOT, SAFETY, period_s, gravity_compensation=True)
    chain.reset(arm.position)
    decoder, desired = ActionDecoder(env.action_spec, ROBOT.chain), np.zeros(7)
    rng = np.random.default_rng(1)
    for _ in range(10):
        action = rng.uniform(-0.5, 0.5, 7)
        _, _, _, _, info = env.step(action)
        decoder.decode(action, arm.position, arm.velocity, desired)
        for _ in range(4):
            assert arm.accept(chain.filtered(desired, arm.position, arm.velocity))
            arm.step()
        np.testing.assert_array_equal(arm.velocity, info["joint_velocity"])
    engine.close()


def test_the_simulated_driver_publishes_noisy_states_of_an_arm_that_is_true():
    values = {"sensor_noise/position_rad": 1e-3}
    engine = make_engine("mujoco", ROBOT, 500)
    drive = make_drive("joint_position", engine, 0.01, gravity_compensation=True)
    arm = SimulatedArm(
        engine,
        drive,
        period_ns=10**7,
        watchdog_s=0.0,
        params=SimParams(dynamics=ArmDynamics.from_values(ROBOT, values)),
    )
    true, unused = np.empty(7), np.empty(7)
    errors = []
    for _ in range(50):
        arm.step()
        engine.read_state(true, unused, unused)
        errors.append(arm.position - true)
    # The drive holds by encoders of its own.
    np.testing.assert_allclose(true, ROBOT.home_rad, atol=1e-6)
    assert np.std(errors) == pytest.approx(1e-3, rel=0.15)
    engine.close()
