import contextlib

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from sinew_core.action import ActionParameters
from sinew_core.environments import ArmEnv, ArmGoalEnv
from sinew_core.errors import ConfigError
from sinew_core.evaluation import evaluate
from sinew_core.observation import ObservationBuilder, Signals
from sinew_core.rates import Rates
from sinew_core.robots import robot_names
from sinew_core.safety.filter import VelocityFilter
from sinew_core.simulation import ENGINE_NAMES, make_engine
from sinew_core.specs import ACTION_MODES
from sinew_core.tasks.push import PushParameters
from sinew_core.tasks.reach import ReachParameters

ARMS = [
    *((engine, robot) for engine in ENGINE_NAMES for robot in ("panda", "iiwa14")),
    *(("mujoco", robot) for robot in robot_names() if robot not in ("panda", "iiwa14")),
]
"""Engines and robots: the engines agree for two very different arms, so one does for the others."""


@contextlib.contextmanager
def opened(env):
    try:
        yield env
    finally:
        env.close()


def rollout(env, seed, steps=15):
    """Return the bytes of all that an episode of random actions shows."""
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    seen = [observation.tobytes(), info["target_position"].tobytes()]
    for _ in range(steps):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, reward, _, _, info = env.step(action)
        seen += [observation.tobytes(), reward, info["tool_position"].tobytes()]
    return seen


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("mode", ACTION_MODES)
def test_gymnasium_accepts_the_environment(engine, mode):
    with opened(ArmEnv(engine=engine, action_mode=mode)) as env:
        check_env(env, skip_render_check=True)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("robot", robot_names())
def test_gymnasium_accepts_every_robot_and_an_episode_runs_to_its_end(engine, robot):
    task = ReachParameters(episode_s=1.0)
    with opened(ArmEnv(robot, engine=engine, task_parameters=task)) as env:
        n = env.robot.n_joints
        assert env.action_space.shape == (n,)
        check_env(env, skip_render_check=True)
        _, info = env.reset(seed=1)
        assert env.robot.reach_box.contains(info["target_position"])
        truncated = False
        while not truncated:
            observation, _, _, truncated, info = env.step(np.full(n, 0.2, np.float32))
            assert info["filter_fault"] == 0
        assert np.isfinite(observation).all()


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("suffix", ["", "Goal"])
def test_gymnasium_accepts_push(engine, suffix):
    with opened(gymnasium.make(f"sinew/Push{suffix}-v0", engine=engine)) as env:
        assert env.action_space.shape == (3,)
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_episodes_of_push_are_equal_to_the_last_bit_whatever_was_before(engine):
    task = PushParameters(episode_s=1.2)
    arguments = {"engine": engine, "task": "push", "action_mode": "tool_velocity"}
    with opened(ArmEnv(**arguments, task_parameters=task)) as env:
        first = pushing(env, seed=3)
        pushing(env, seed=4)
        assert pushing(env, seed=3) == first
    assert first[0] != first[-1]


def pushing(env, seed):
    """Drive the tool into the object; return where the object was, with the observations."""
    observation, info = env.reset(seed=seed)
    seen = []
    for _ in range(30):
        offset = info["achieved_goal"] - info["tool_position"]
        observation, reward, _, _, info = env.step(np.clip(10.0 * offset, -1.0, 1.0))
        rows = [info[k][None] for k in ("achieved_goal", "joint_velocity", "target_position")]
        goal = float(env.task.reward_goal(*rows)[0])
        assert reward == pytest.approx(goal + info["reward_rest"], abs=1e-12)
        seen.append((observation.tobytes(), reward, info["achieved_goal"].tobytes()))
    return [s[2] for s in seen] + [s[0] for s in seen]


@pytest.mark.parametrize(
    "name", ["sinew/Reach-v0", "sinew/ReachGoal-v0", "sinew/Push-v0", "sinew/PushGoal-v0"]
)
def test_stable_baselines_accepts_the_environment(name):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with opened(gymnasium.make(name, engine="mujoco")) as env:
        checker.check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("mode", ACTION_MODES)
def test_equal_seeds_give_equal_episodes_to_the_last_bit(engine, mode):
    with opened(ArmEnv(engine=engine, action_mode=mode)) as env:
        first = rollout(env, seed=3)
        rollout(env, seed=4)
        assert rollout(env, seed=3) == first
    with opened(ArmEnv(engine=engine, action_mode=mode)) as other:
        assert rollout(other, seed=3) == first


def test_one_step_is_the_deployed_chain_of_plain_filter_and_builder():
    rates = Rates()
    with opened(ArmEnv(engine="mujoco", rates=rates)) as env:
        env.reset(seed=1)
        engine = make_engine("mujoco", env.robot, rates.physics_rate_hz)
        start = env.robot.home_rad + 0.1
        _, info = env.reset(seed=2, options={"start_rad": start})
        signals, effort = Signals(7), np.zeros(7)
        signals.target_position_base[:] = info["target_position"]
        builder = ObservationBuilder(env.observation_spec, env.robot.chain)
        plain = VelocityFilter(env.robot.limits, env.safety_parameters, rates.filter_period_s)
        engine.reset(start)
        plain.reset(start.tolist())
        engine.read_state(signals.joint_position, signals.joint_velocity, effort)
        for action in np.random.default_rng(0).uniform(-1, 1, (8, 7)).astype(np.float32):
            observation = env.step(action)[0]
            for _ in range(4):
                desired = action.astype(np.float64) * env.action_spec.scale
                result = plain.step(desired.tolist(), signals.joint_position.tolist())
                engine.command_velocity(np.array(result.command))
                engine.step(5)
                engine.read_state(signals.joint_position, signals.joint_velocity, effort)
            signals.previous_action[:] = action
            assert observation.tobytes() == builder.build(signals).tobytes()


def test_an_episode_is_truncated_at_its_end_and_never_terminated():
    task = ReachParameters(episode_s=0.2, hold_s=0.0, rest_speed_rad_s=10.0, tolerance_m=1.0)
    with opened(ArmEnv(engine="mujoco", task_parameters=task)) as env:
        env.reset(seed=0)
        flags = [env.step(np.zeros(7, np.float32))[2:4] for _ in range(5)]
    assert flags == [(False, False)] * 4 + [(False, True)]


def test_success_terminates_only_when_asked_to():
    # within 1 m at any speed: held for two periods at the second step
    task = ReachParameters(episode_s=0.2, hold_s=0.08, rest_speed_rad_s=10.0, tolerance_m=1.0)
    with opened(ArmEnv(engine="mujoco", task_parameters=task, terminate_on_success=True)) as env:
        env.reset(seed=0)
        steps = [env.step(np.zeros(7, np.float32)) for _ in range(2)]
    assert [(s[2], s[3], s[4]["is_success"]) for s in steps] == [
        (False, False, False),
        (True, False, True),
    ]


@pytest.mark.parametrize("mode", ACTION_MODES)
def test_the_reward_is_the_task_s_two_parts(mode):
    task = ReachParameters(velocity_weight=0.1, energy_weight=0.001, smoothness_weight=0.05)
    with opened(ArmEnv(engine="mujoco", action_mode=mode, task_parameters=task)) as env:
        env.reset(seed=0)
        rng = np.random.default_rng(0)
        for _ in range(5):
            _, reward, _, _, info = env.step(rng.uniform(-1, 1, env.action_space.shape))
            rows = [info[k][None] for k in ("tool_position", "joint_velocity", "target_position")]
            goal = float(env.task.reward_goal(*rows)[0])
            assert reward == pytest.approx(goal + info["reward_rest"], abs=1e-12)
            assert info["reward_rest"] < 0.0


def test_the_smoothness_penalty_sees_the_change_of_the_action():
    weights = {"velocity_weight": 0.0, "energy_weight": 0.0, "smoothness_weight": 1.0}
    with opened(ArmEnv(engine="mujoco", task_parameters=ReachParameters(**weights))) as env:
        env.reset(seed=0)
        # 0 -> 0.5 is a mean square change of 0.25, 0.5 -> 0.5 of 0, and 7 is clipped to 1
        rest = [env.step(np.full(7, a))[4]["reward_rest"] for a in (0.5, 0.5, 7.0)]
    assert rest == pytest.approx([-0.25, 0.0, -0.25])


def test_a_delayed_decision_takes_effect_after_its_cycles():
    with opened(ArmEnv(engine="mujoco", command_delay_cycles=4)) as env:
        start = env.reset(seed=0)[1]["tool_position"]
        first = env.step(np.full(7, 0.5))[4]
        second = env.step(np.zeros(7))[4]
    assert np.allclose(first["tool_position"], start, atol=1e-4)
    assert np.linalg.norm(second["tool_position"] - start) > 1e-3


def test_a_delay_beyond_one_control_period_is_refused():
    with pytest.raises(ConfigError, match="command_delay_cycles is 5: allowed 0 to 4"):
        ArmEnv(command_delay_cycles=5)


@pytest.mark.parametrize(("engine", "robot"), ARMS)
def test_the_filter_keeps_every_limit_under_full_actions(engine, robot):
    fast = ActionParameters(velocity_fraction=1.0)
    with opened(ArmEnv(robot, engine=engine, action_parameters=fast)) as env:
        limits = env.robot.limits
        for seed in range(3):
            env.reset(seed=seed)
            action = np.random.default_rng(seed).choice([-1.0, 1.0], env.robot.n_joints)
            interventions = 0
            for _ in range(60):
                observation, _, _, _, info = env.step(action)
                q = observation[: env.robot.n_joints] / env.observation_spec.fields[0].scale
                assert np.all(q >= limits.position_lower_rad)
                assert np.all(q <= limits.position_upper_rad)
                assert info["filter_fault"] == 0
                interventions += info["interventions"]
            assert interventions > 0


def test_an_action_that_is_not_a_number_brakes():
    with opened(ArmEnv(engine="mujoco")) as env:
        env.reset(seed=0)
        env.step(np.full(7, 0.3))
        for _ in range(3):
            info = env.step(np.full(7, np.nan))[4]
    assert np.max(np.abs(info["joint_velocity"])) < 0.01
    assert info["filter_fault"] > 0


def test_reset_options_set_start_and_target_and_others_are_refused():
    with opened(ArmEnv(engine="mujoco")) as env:
        target = [0.5, 0.1, 0.3]
        _, info = env.reset(options={"start_rad": env.robot.home_rad, "target_m": target})
        home = env.robot.chain.tool_position(env.robot.home_rad)
        assert info["tool_position"] == pytest.approx(home)
        assert info["target_position"].tolist() == target
        with pytest.raises(ConfigError, match="did you mean 'target_m'"):
            env.reset(options={"target": target})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("start_rad", [0.0, 0.0]),
        ("start_rad", [np.nan] * 7),
        ("target_m", [0.5, 0.1, np.inf]),
        ("target_m", "abc"),
    ],
)
def test_a_reset_to_what_cannot_be_is_refused(option, value):
    refused = pytest.raises(ConfigError, match=f"reset option '{option}' is .* finite numbers")
    with opened(ArmEnv(engine="mujoco")) as env, refused:
        env.reset(seed=0, options={option: value})


def resolved_rate(env):
    """Return a hand-written controller: Cartesian proportional control by the Jacobian."""
    builder_slice = env.observation_spec.slice
    position, relative = builder_slice("joint_position"), builder_slice("target_from_tool_base")
    scale = np.concatenate([f.scale for f in env.observation_spec.fields])
    per_action = np.array(env.action_spec.scale)
    if env.action_spec.mode == "joint_position":
        # A move that ends at rest covers only part of its way in one period: ask for twice as much.
        per_action = per_action / (2.0 * env.rates.control_period_s)

    def act(observation):
        values = observation / scale
        jacobian = env.robot.chain.jacobian(values[position])[:3]
        damped = jacobian @ jacobian.T + 1e-3 * np.eye(3)
        action = jacobian.T @ np.linalg.solve(damped, 4.0 * values[relative]) / per_action
        return action / max(1.0, np.max(np.abs(action)))

    return act


@pytest.mark.parametrize(("engine", "robot"), ARMS)
@pytest.mark.parametrize("mode", ["joint_velocity", "joint_position"])
def test_a_hand_written_controller_solves_the_task(engine, robot, mode):
    # Moves that end at rest take an FR3, whose shoulder does 1 rad/s, over 4 s to the far corners.
    task = ReachParameters(episode_s=6.0 if robot == "fr3" else 4.0)
    arguments = {"robot": robot, "engine": engine, "action_mode": mode}
    with opened(ArmEnv(**arguments, task_parameters=task)) as env:
        assert evaluate(env, resolved_rate(env), episodes=20, seed=0).success_rate >= 0.95


def test_doing_nothing_does_not_solve_the_task():
    with opened(ArmEnv(engine="mujoco")) as env:
        result = evaluate(env, lambda _: np.zeros(7), episodes=20, seed=0)
    assert result.success_rate <= 0.05


def test_goal_rewards_can_be_recomputed_for_any_goal():
    with opened(ArmGoalEnv(engine="mujoco")) as env:
        env.reset(seed=0)
        steps = [env.step(np.full(7, 0.1 * i)) for i in range(4)]
        achieved = np.array([s[0]["achieved_goal"] for s in steps])
        desired = np.array([s[0]["desired_goal"] for s in steps])
        infos = [s[4] for s in steps]
        again = env.compute_reward(achieved, desired, infos)
        assert again == pytest.approx([s[1] for s in steps], abs=1e-6)
        # the goal that was achieved leaves no distance: only the part without the goal remains
        own = env.compute_reward(achieved[0], achieved[0], infos[0])
        assert own == pytest.approx(infos[0]["reward_rest"], abs=1e-9)


def test_emptied_infos_are_refused_with_the_remedy():
    with (
        opened(ArmGoalEnv(engine="mujoco")) as env,
        pytest.raises(ConfigError, match="copy_info_dict"),
    ):
        env.compute_reward(np.zeros((1, 3)), np.zeros((1, 3)), [{}])


def test_stable_baselines_trains_with_hindsight():
    sb3 = pytest.importorskip("stable_baselines3")
    with opened(ArmGoalEnv(engine="mujoco", task_parameters=ReachParameters(episode_s=3.0))) as env:
        model = sb3.DDPG(
            "MultiInputPolicy",
            env,
            replay_buffer_class=sb3.HerReplayBuffer,
            replay_buffer_kwargs={"copy_info_dict": True},
            learning_starts=80,
            batch_size=8,
            policy_kwargs={"net_arch": [8]},
            seed=0,
        )
        model.learn(85)
    assert model.num_timesteps == 85


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_render_shows_the_target(engine):
    with opened(ArmEnv(engine=engine, render_mode="rgb_array")) as env:
        pictures = []
        for target in ([0.5, 0.2, 0.4], [0.5, -0.2, 0.4]):
            env.reset(seed=0, options={"start_rad": env.robot.home_rad, "target_m": target})
            pictures.append(env.render())
    assert pictures[0].shape == (480, 640, 3)
    assert (pictures[0] != pictures[1]).any()
