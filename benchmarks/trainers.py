"""The training runs of `bench reach`: ours, and Stable-Baselines3 on either environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from stable_baselines3 import DDPG, PPO, HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv

from benchmarks.sim import make_peer
from sinew_core.algorithms.parameters import DDPGParameters, PPOParameters
from sinew_core.bundle import NumpyPolicy
from sinew_core.environments import ArmEnv, ArmGoalEnv
from sinew_core.tasks.reach import panda_gym_reach
from sinew_core.training.learners import Problem, make_learner
from sinew_core.training.rollout import run_episode
from sinew_core.training.seeds import Seeds

PPO_ENVIRONMENTS = 4
CHUNK_STEPS = 250
"""Environment steps of the peer's DDPG between two chances to judge it; ours: an episode of 50."""

# Chosen for first touch, as the peer's are: friction and penalties serve rest at the target.
_OURS = {
    "ddpg": DDPGParameters(
        actor_learning_rate=2e-3,
        critic_learning_rate=6e-3,
        gamma=0.9,
        target_rate=0.06,
        batch_size=64,
        warmup_steps=150,
        hindsight_fraction=0.6,
        action_friction=0.0,
        action_penalty=0.0,
    ),
    "ppo": PPOParameters(
        hidden_gain=6.0**0.5,
        learning_rate=1.8e-3,
        critic_learning_rate=1.1e-2,
        final_learning_rate=1e-3,
        gamma=0.88,
        gae_lambda=0.78,
        clip_range=0.28,
        minibatch_size=50,
        epochs=7,
        episodes_per_iteration=10,
        initial_log_std=-0.9,
        action_friction=0.0,
    ),
}


class OurTrainer:
    """Our learner on our environment, in one process; `./sinew train` uses worker processes."""

    def __init__(self, algorithm: str, seed: int) -> None:
        """Start untrained."""
        self._train_env = ArmEnv(**_ours(algorithm))
        self.env: gymnasium.Env[Any, Any] = ArmEnv(**_ours(algorithm))
        self._learner = make_learner(Problem.of(self._train_env.setup), _OURS[algorithm], seed)
        self._seeds = Seeds(seed)
        self._env_steps = 0
        self._judged: NumpyPolicy | None = None

    def advance(self) -> int:
        """Collect the episodes of one iteration and learn from them."""
        explorer = self._learner.explorer(self._env_steps)
        seeds = self._seeds.training(self._learner.episodes_per_iteration)
        episodes = [run_episode(self._train_env, explorer, seed) for seed in seeds]
        self._env_steps += sum(len(e.transitions.reward) for e in episodes)
        self._learner.learn(episodes, self._env_steps)
        self._judged = None
        return self._env_steps

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the action of the policy that a bundle would hold."""
        if self._judged is None:
            self._judged = NumpyPolicy(self._learner.network())
        return self._judged.act(observation)

    def close(self) -> None:
        """Stop the engines."""
        self._train_env.close()
        self.env.close()


class Sb3Trainer:
    """Stable-Baselines3, without its own logging."""

    def __init__(self, algorithm: str, seed: int, *, on_our_env: bool) -> None:
        """Start untrained, on panda-gym or on our environment."""
        make = _make_ours if on_our_env else _make_panda_gym
        self.env = make(algorithm)
        if algorithm == "ddpg":
            self._model = _ddpg(make(algorithm), seed)
            self._chunk = CHUNK_STEPS
        else:
            vector = DummyVecEnv([lambda: make(algorithm)] * PPO_ENVIRONMENTS)
            ppo = _ppo(vector, seed)
            self._model, self._chunk = ppo, ppo.n_steps * PPO_ENVIRONMENTS
        self._model.set_logger(Logger(None, []))

    def advance(self) -> int:
        """Train for one chunk."""
        self._model.learn(self._chunk, reset_num_timesteps=False)
        return self._model.num_timesteps

    def act(self, observation: Any) -> Any:  # noqa: ANN401 - dictionary or array
        """Return the action of the policy without noise."""
        return self._model.predict(observation, deterministic=True)[0]

    def close(self) -> None:
        """Stop the engines."""
        self.env.close()
        vector = self._model.get_env()
        if vector is not None:
            vector.close()

    _model: BaseAlgorithm


def _make_panda_gym(algorithm: str) -> gymnasium.Env[Any, Any]:
    return make_peer("PandaReach-v3" if algorithm == "ddpg" else "PandaReachDense-v3")


def _make_ours(algorithm: str) -> gymnasium.Env[Any, Any]:
    """Return the dictionary variant for hindsight, the flat one for PPO."""
    return (ArmGoalEnv if algorithm == "ddpg" else ArmEnv)(**_ours(algorithm))


def _ours(algorithm: str) -> dict[str, Any]:
    """Return the arguments of our environment.

    Episodes end on success, as panda-gym's do, but for hindsight: it learns from what comes after.
    """
    return {
        "task_parameters": panda_gym_reach(),
        "terminate_on_success": algorithm == "ppo",
    }


def _ddpg(env: gymnasium.Env[Any, Any], seed: int) -> DDPG:
    """Return DDPG with hindsight.

    Small networks, discount, noise and the rate of the target networks are what made it fastest;
    the rest are its defaults. On our environment the default of that rate is faster.
    """
    assert env.action_space.shape is not None
    ours = isinstance(env, ArmGoalEnv)
    zero = np.zeros(env.action_space.shape)
    return DDPG(
        "MultiInputPolicy",
        env,
        learning_rate=1e-3,
        buffer_size=100_000,
        batch_size=256,
        gamma=0.95,
        tau=0.005 if ours else 0.05,
        action_noise=NormalActionNoise(zero, zero + 0.2),
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={
            "n_sampled_goal": 4,
            "goal_selection_strategy": "future",
            "copy_info_dict": ours,
        },
        policy_kwargs={"net_arch": [64, 64]},
        seed=seed,
        device="cpu",
    )


def _ppo(env: DummyVecEnv, seed: int) -> PPO:
    """Return PPO with its default network of 64x64.

    Step size, discount and the length of a collection are what made it fastest; the rest are its
    defaults.
    """
    dictionary = isinstance(env.observation_space, gymnasium.spaces.Dict)
    return PPO(
        "MultiInputPolicy" if dictionary else "MlpPolicy",
        env,
        learning_rate=1e-3,
        n_steps=256,
        gamma=0.95,
        seed=seed,
        device="cpu",
    )
