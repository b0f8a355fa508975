"""The peer's side: Stable-Baselines3 by the same parameter file, on the same environment.

What one side has and the other has not stays at its default: the peer's orthogonal initial weights,
one optimiser for actor and critic, and uniform warm-up; our tanh around the mean of PPO.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import (
    ActionNoise,
    NormalActionNoise,
    OrnsteinUhlenbeckActionNoise,
)
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from benchmarks.learning.exact import value_iteration
from benchmarks.learning.ours import arm_configuration, gym_configuration
from benchmarks.learning.tasks import JUDGED_EPISODES, Part
from sinew_core.algorithms.parameters import (
    A2CParameters,
    DDPGParameters,
    DQNParameters,
    PPOParameters,
    REINFORCEParameters,
    SACParameters,
    TD3Parameters,
)
from sinew_core.algorithms.parameters.off_policy import ActorCriticParameters, NoisyActorParameters
from sinew_core.algorithms.parameters.q_learning import QLearningParameters
from sinew_core.environments import ArmEnv, ArmGoalEnv
from sinew_core.evaluation import episode_seeds
from sinew_core.parameters import Parameters
from sinew_core.robots.catalogue import load_robot
from sinew_core.training.gym.configuration import TABULAR
from sinew_core.training.gym.training import evaluate

Env = gymnasium.Env[Any, Any]  # of either library
WHOLE_EPISODE_STEPS = 512
"""Steps of an iteration of the peer where ours collects whole episodes."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a peer is trained in.

    Attributes:
        make: starts the environment, with a dictionary of goals where there is hindsight.
        environments: copies of it.
        steps: of each copy between two updates; 0: whole episodes, for the peer as it has it.
        seed: of everything random.
        hindsight: whether the observation has a goal.
        env_steps: of the whole training.
        action_size: of continuous actions.
    """

    make: Callable[[], Env]
    environments: int
    steps: int
    seed: int
    hindsight: bool
    env_steps: int
    action_size: int

    def vector(self) -> DummyVecEnv:
        """Start all copies."""
        return DummyVecEnv([self.make] * self.environments)


def ppo(parameters: Parameters, setting: Setting) -> PPO:
    """Return the peer's PPO."""
    assert isinstance(parameters, PPOParameters)
    return PPO(
        batch_size=parameters.minibatch_size,
        n_epochs=parameters.epochs,
        gae_lambda=parameters.gae_lambda,
        clip_range=parameters.clip_range,
        **_on_policy(parameters, setting),
    )


def a2c(parameters: Parameters, setting: Setting) -> A2C:
    """Return the peer's A2C, with Adam as ours."""
    assert isinstance(parameters, A2CParameters)
    return A2C(
        gae_lambda=parameters.gae_lambda,
        vf_coef=parameters.critic_weight,
        normalize_advantage=parameters.normalise_advantages,
        use_rms_prop=False,
        **_on_policy(parameters, setting),
    )


def reinforce(parameters: Parameters, setting: Setting) -> A2C:
    """Return the nearest that the peer has: its A2C with advantages of whole returns."""
    assert isinstance(parameters, REINFORCEParameters)
    return A2C(
        gae_lambda=1.0,
        normalize_advantage=parameters.normalise_returns,
        use_rms_prop=False,
        **_on_policy(parameters, setting),
    )


def dqn(parameters: Parameters, setting: Setting) -> DQN:
    """Return the peer's DQN, whose target moves by environment steps."""
    assert isinstance(parameters, DQNParameters)
    period = parameters.target_period / parameters.updates_per_step
    return DQN(
        learning_rate=parameters.learning_rate,
        max_grad_norm=parameters.maximum_gradient_norm,
        target_update_interval=round(period),
        exploration_fraction=parameters.epsilon_steps / setting.env_steps,
        exploration_initial_eps=parameters.epsilon_start,
        exploration_final_eps=parameters.epsilon_end,
        **_off_policy(parameters, parameters.gamma, parameters.target_rate, setting),
    )


def ddpg(parameters: Parameters, setting: Setting) -> DDPG:
    """Return the peer's DDPG, with hindsight where the observation has a goal."""
    assert isinstance(parameters, DDPGParameters)
    return DDPG(**_actor_critic(parameters, setting), action_noise=_noise(parameters, setting))


def td3(parameters: Parameters, setting: Setting) -> TD3:
    """Return the peer's TD3, likewise."""
    assert isinstance(parameters, TD3Parameters)
    return TD3(
        **_actor_critic(parameters, setting),
        action_noise=_noise(parameters, setting),
        policy_delay=parameters.actor_period,
        target_policy_noise=parameters.target_noise,
        target_noise_clip=parameters.target_noise_clip,
    )


def sac(parameters: Parameters, setting: Setting) -> SAC:
    """Return the peer's SAC, likewise."""
    assert isinstance(parameters, SACParameters)
    return SAC(
        **_actor_critic(parameters, setting),
        ent_coef=f"auto_{parameters.initial_temperature}",
        target_entropy=parameters.target_entropy * setting.action_size,
    )


PEERS: dict[str, Callable[[Parameters, Setting], BaseAlgorithm]] = {
    "a2c": a2c,
    "ddpg": ddpg,
    "dqn": dqn,
    "ppo": ppo,
    "reinforce": reinforce,
    "sac": sac,
    "td3": td3,
}
"""The peer of each algorithm that has one."""


def _on_policy(
    parameters: PPOParameters | A2CParameters | REINFORCEParameters, setting: Setting
) -> dict[str, Any]:
    env: VecEnv = setting.vector()
    if parameters.normalise_observations:
        env = VecNormalize(env, norm_reward=False)
    network: dict[str, Any] = {"net_arch": [parameters.hidden_units] * 2}
    if isinstance(env.action_space, gymnasium.spaces.Box):
        network["log_std_init"] = parameters.initial_log_std
    return {
        "policy": "MlpPolicy",
        "env": env,
        "learning_rate": parameters.learning_rate,
        "n_steps": setting.steps or WHOLE_EPISODE_STEPS,
        "gamma": parameters.gamma,
        "ent_coef": parameters.entropy_weight,
        "max_grad_norm": parameters.maximum_gradient_norm,
        "policy_kwargs": network,
        "seed": setting.seed,
        "device": "cpu",
    }


def _actor_critic(parameters: ActorCriticParameters, setting: Setting) -> dict[str, Any]:
    return {
        "learning_rate": parameters.critic_learning_rate,
        **_off_policy(parameters, parameters.gamma, parameters.target_rate, setting),
    }


def _off_policy(
    parameters: DQNParameters | ActorCriticParameters, gamma: float, tau: float, setting: Setting
) -> dict[str, Any]:
    replay: dict[str, Any] = {}
    if setting.hindsight:
        # A share f of relabelled transitions is a ratio of f / (1 - f) to one real one.
        share = parameters.hindsight_fraction
        replay = {
            "replay_buffer_class": HerReplayBuffer,
            "replay_buffer_kwargs": {
                "n_sampled_goal": round(share / (1.0 - share)),
                "goal_selection_strategy": "future",
                "copy_info_dict": True,
            },
        }
    period = setting.steps or 1
    return {
        "policy": "MultiInputPolicy" if setting.hindsight else "MlpPolicy",
        "env": setting.vector(),
        "buffer_size": min(parameters.replay_capacity, setting.env_steps + 1),
        "learning_starts": parameters.warmup_steps,
        "batch_size": parameters.batch_size,
        "tau": tau,
        "gamma": gamma,
        "train_freq": period,
        "gradient_steps": round(period * parameters.updates_per_step),
        "policy_kwargs": {"net_arch": [parameters.hidden_units] * 2},
        "seed": setting.seed,
        "device": "cpu",
        **replay,
    }


def peer_score(part: Part, seed: int) -> float:
    """Train the peer once and judge it; that of a table is the exact solution."""
    if part.algorithm == TABULAR:
        return _exact_score(part, seed)
    torch.set_num_threads(1)
    parameters, setting, env_steps = _setting(part, seed)
    model = PEERS[part.algorithm](parameters, setting)
    model.set_logger(Logger(None, []))
    env = setting.make()
    try:
        model.learn(env_steps)
        return _judged(model, env, seed, success=bool(part.task.action_mode))
    finally:
        env.close()
        vector = model.get_env()
        if vector is not None:
            vector.close()


def _exact_score(part: Part, seed: int) -> float:
    configuration = gym_configuration(part, seed)
    assert isinstance(configuration.algorithm, QLearningParameters)
    env = gymnasium.make(configuration.train.environment)
    best = value_iteration(env, configuration.algorithm.gamma)
    result = evaluate(env, lambda state: int(best[state]), JUDGED_EPISODES, seed)
    env.close()
    return result.return_mean


def _setting(part: Part, seed: int) -> tuple[Parameters, Setting, int]:
    if not part.task.action_mode:
        gym = gym_configuration(part, seed)
        setting = Setting(
            make=functools.partial(_make, gym.train.environment),
            environments=gym.train.environments,
            steps=gym.train.steps_per_iteration,
            seed=seed,
            hindsight=False,
            env_steps=gym.train.env_steps,
            action_size=_action_size(gym.train.environment),
        )
        return gym.algorithm, setting, gym.train.env_steps
    arm = arm_configuration(part, seed)
    hindsight = hasattr(arm.algorithm, "hindsight_fraction")
    episodes: int = getattr(arm.algorithm, "episodes_per_iteration", 1)
    length = round(arm.task.episode_s * arm.rates.control_rate_hz)
    make = functools.partial(
        ArmGoalEnv if hindsight else ArmEnv,
        arm.train.robot,
        action_mode=arm.train.action_mode,
        task=arm.train.task,
        task_parameters=arm.task,
        action_parameters=arm.action,
        rates=arm.rates,
        safety=arm.safety,
    )
    setting = Setting(
        make=make,
        environments=1,
        steps=0 if hindsight else episodes * length,
        seed=seed,
        hindsight=hindsight,
        env_steps=arm.train.env_steps,
        action_size=load_robot(arm.train.robot).n_joints,
    )
    return arm.algorithm, setting, arm.train.env_steps


def _action_size(name: str) -> int:
    env = gymnasium.make(name)
    size = env.action_space.shape or (0,)
    env.close()
    return size[0]


def _make(name: str) -> Env:
    """Start an environment whose box actions are scaled to [-1, 1], as ours scales them."""
    env = gymnasium.make(name)
    if not isinstance(env.action_space, gymnasium.spaces.Box):
        return env
    return gymnasium.wrappers.RescaleAction(env, np.float32(-1.0), np.float32(1.0))


def _noise(parameters: NoisyActorParameters, setting: Setting) -> ActionNoise:
    """Return the noise at first; its schedule is ours alone."""
    zero = np.zeros(setting.action_size)
    sigma = zero + parameters.noise_start
    if parameters.noise == "ornstein_uhlenbeck":
        # The unit of time is a step, as in ours.
        return OrnsteinUhlenbeckActionNoise(zero, sigma, dt=1.0)
    return NormalActionNoise(zero, sigma)


def _judged(model: BaseAlgorithm, env: Env, seed: int, *, success: bool) -> float:
    """Return the mean return, or the success rate, of whole episodes without exploration."""
    normaliser = model.get_vec_normalize_env()
    scores = []
    for episode in episode_seeds(seed, JUDGED_EPISODES):
        observation, _ = env.reset(seed=episode)
        info: dict[str, Any] = {}
        total, ended = 0.0, False
        while not ended:
            seen = observation if normaliser is None else normaliser.normalize_obs(observation)
            action = model.predict(seen, deterministic=True)[0]
            observation, reward, terminated, truncated, info = env.step(action)
            total += float(reward)
            ended = terminated or truncated or (success and info["is_success"])
        scores.append(float(info["is_success"]) if success else total)
    return float(np.mean(scores))
