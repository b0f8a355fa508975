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
from stable_baselines3 import DDPG, PPO, HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import (
    ActionNoise,
    NormalActionNoise,
    OrnsteinUhlenbeckActionNoise,
)
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from benchmarks.learning.ours import arm_configuration, gym_configuration
from benchmarks.learning.tasks import JUDGED_EPISODES, Part
from sinew_core.algorithms.parameters import DDPGParameters, PPOParameters
from sinew_core.environments import ArmEnv, ArmGoalEnv
from sinew_core.evaluation import episode_seeds
from sinew_core.parameters import Parameters

Env = gymnasium.Env[Any, Any]  # of either library


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a peer is trained in.

    Attributes:
        make: starts the environment, with a dictionary of goals where there is hindsight.
        environments: copies of it.
        steps: of each copy between two updates, for on-policy algorithms.
        seed: of everything random.
        hindsight: whether the observation has a goal.
    """

    make: Callable[[], Env]
    environments: int
    steps: int
    seed: int
    hindsight: bool

    def vector(self) -> DummyVecEnv:
        """Start all copies."""
        return DummyVecEnv([self.make] * self.environments)


def ppo(parameters: Parameters, setting: Setting) -> PPO:
    """Return the peer's PPO."""
    assert isinstance(parameters, PPOParameters)
    env: VecEnv = setting.vector()
    if parameters.normalise_observations:
        env = VecNormalize(env, norm_reward=False)
    return PPO(
        "MlpPolicy",
        env,
        learning_rate=parameters.learning_rate,
        n_steps=setting.steps,
        batch_size=parameters.minibatch_size,
        n_epochs=parameters.epochs,
        gamma=parameters.gamma,
        gae_lambda=parameters.gae_lambda,
        clip_range=parameters.clip_range,
        ent_coef=parameters.entropy_weight,
        max_grad_norm=parameters.maximum_gradient_norm,
        policy_kwargs={
            "net_arch": [parameters.hidden_units] * 2,
            "log_std_init": parameters.initial_log_std,
        },
        seed=setting.seed,
        device="cpu",
    )


def ddpg(parameters: Parameters, setting: Setting) -> DDPG:
    """Return the peer's DDPG, with hindsight where the observation has a goal."""
    assert isinstance(parameters, DDPGParameters)
    env = setting.vector()
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
    return DDPG(
        "MultiInputPolicy" if setting.hindsight else "MlpPolicy",
        env,
        learning_rate=parameters.critic_learning_rate,
        buffer_size=min(parameters.replay_capacity, 200_000),
        learning_starts=parameters.warmup_steps,
        batch_size=parameters.batch_size,
        tau=parameters.target_rate,
        gamma=parameters.gamma,
        train_freq=1,
        gradient_steps=round(parameters.updates_per_step),
        action_noise=_noise(parameters, env),
        policy_kwargs={"net_arch": [parameters.hidden_units] * 2},
        seed=setting.seed,
        device="cpu",
        **replay,
    )


PEERS: dict[str, Callable[[Parameters, Setting], BaseAlgorithm]] = {"ddpg": ddpg, "ppo": ppo}
"""The peer of each algorithm that has one."""


def peer_score(part: Part, seed: int) -> float:
    """Train the peer once and judge it."""
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


def _setting(part: Part, seed: int) -> tuple[Parameters, Setting, int]:
    if not part.task.action_mode:
        gym = gym_configuration(part, seed)
        setting = Setting(
            make=functools.partial(_make, gym.train.environment),
            environments=gym.train.environments,
            steps=gym.train.steps_per_iteration,
            seed=seed,
            hindsight=False,
        )
        return gym.algorithm, setting, gym.train.env_steps
    arm = arm_configuration(part, seed)
    hindsight = hasattr(arm.algorithm, "hindsight_fraction")
    episodes: int = getattr(arm.algorithm, "episodes_per_iteration", 1)
    length = round(arm.reach.episode_s * arm.rates.control_rate_hz)
    make = functools.partial(
        ArmGoalEnv if hindsight else ArmEnv,
        arm.train.robot,
        action_mode=arm.train.action_mode,
        task_parameters=arm.reach,
        rates=arm.rates,
        safety=arm.safety,
    )
    setting = Setting(
        make=make, environments=1, steps=episodes * length, seed=seed, hindsight=hindsight
    )
    return arm.algorithm, setting, arm.train.env_steps


def _make(name: str) -> Env:
    """Start an environment whose actions are scaled to [-1, 1], as ours scales them."""
    env = gymnasium.make(name)
    return gymnasium.wrappers.RescaleAction(env, np.float32(-1.0), np.float32(1.0))


def _noise(parameters: DDPGParameters, env: VecEnv) -> ActionNoise:
    """Return the noise at first; its schedule is ours alone."""
    assert env.action_space.shape is not None
    zero = np.zeros(env.action_space.shape)
    sigma = zero + parameters.noise_start
    if parameters.noise == "ornstein_uhlenbeck":
        # The unit of time is a step, as in ours.
        return OrnsteinUhlenbeckActionNoise(zero, sigma, dt=1.0)
    return NormalActionNoise(zero, sigma)


def _judged(model: BaseAlgorithm, env: Env, seed: int, *, success: bool) -> float:
    """Return the mean return, or the success rate, of whole episodes without exploration."""
    vector = model.get_vec_normalize_env()
    scores = []
    for episode in episode_seeds(seed, JUDGED_EPISODES):
        observation, _ = env.reset(seed=episode)
        info: dict[str, Any] = {}
        total, ended = 0.0, False
        while not ended:
            seen = observation if vector is None else vector.normalize_obs(observation)
            action = model.predict(seen, deterministic=True)[0]
            observation, reward, terminated, truncated, info = env.step(action)
            total += float(reward)
            ended = terminated or truncated or (success and info["is_success"])
        scores.append(float(info["is_success"]) if success else total)
    return float(np.mean(scores))
