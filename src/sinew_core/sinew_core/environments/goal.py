"""The same environment with a dictionary observation, for hindsight replay of other libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

from sinew_core.environments.arm import Action, ArmEnv, FloatArray, Info, Observation
from sinew_core.errors import ConfigError
from sinew_core.observation import GOAL_FIELDS
from sinew_core.robots.model import RobotModel
from sinew_core.tasks.task import Vectors

GoalObservation: TypeAlias = dict[str, NDArray[np.float32]]


class ArmGoalEnv(gymnasium.Env[GoalObservation, Action]):
    """`ArmEnv` with a goal-conditioned observation; `arm` is the environment inside.

    | key | size | unit |
    |---|---|---|
    | observation | that of `ArmEnv` without what depends on the target | |
    | achieved_goal | 3: position of the tool, or of the object, base frame | m |
    | desired_goal | 3: target position, base frame | m |

    `achieved_goal` is true where the sensors are noisy, too: rewards are by the truth.
    `compute_reward` needs joint_velocity and reward_rest of `info`. Stable-Baselines3 keeps them
    with `replay_buffer_kwargs={"copy_info_dict": True}`.
    """

    def __init__(self, robot: str | RobotModel = "panda", **arguments: object) -> None:
        """Start the engine; all arguments are those of `ArmEnv`."""
        self.arm = ArmEnv(robot, **arguments)  # type: ignore[arg-type]  # passed on as they are
        self.metadata = self.arm.metadata
        self.render_mode = self.arm.render_mode
        self.action_space = self.arm.action_space
        spec = self.arm.observation_spec
        goal = [spec.slice(name) for name in spec.names if name in GOAL_FIELDS]
        self._kept = np.delete(np.arange(spec.size), np.r_[tuple(goal)])
        boxes: dict[str, gymnasium.Space[Any]] = {  # Gymnasium's own type
            name: gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
            for name, size in (
                ("observation", self._kept.size),
                ("achieved_goal", 3),
                ("desired_goal", 3),
            )
        }
        self.observation_space = gymnasium.spaces.Dict(boxes)  # type: ignore[assignment]  # dict of arrays

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, object] | None = None
    ) -> tuple[GoalObservation, Info]:
        """Begin an episode, see `ArmEnv.reset`."""
        super().reset(seed=seed)
        observation, info = self.arm.reset(seed=seed, options=options)
        return self._with_goal(observation, info), info

    def step(self, action: Action) -> tuple[GoalObservation, float, bool, bool, Info]:
        """Advance by one control period, see `ArmEnv.step`."""
        flat, _, terminated, truncated, info = self.arm.step(action)
        observation = self._with_goal(flat, info)
        # Computed anew, so that it equals what hindsight computes from the rounded goals.
        reward = self.compute_reward(
            observation["achieved_goal"], observation["desired_goal"], info
        )
        return observation, float(reward), terminated, truncated, info

    def compute_reward(
        self,
        achieved_goal: Vectors,
        desired_goal: Vectors,
        info: Mapping[str, object] | Sequence[Mapping[str, object]],
    ) -> FloatArray | float:
        """Return the reward of reaching `achieved_goal` when `desired_goal` was asked for.

        Args:
            achieved_goal: (3,) or (batch, 3) m.
            desired_goal: (3,) or (batch, 3) m.
            info: that of the step, or one for each of the batch.

        Raises:
            ConfigError: for an `info` that a replay buffer has emptied.
        """
        single = isinstance(info, Mapping)
        infos: Sequence[Mapping[str, object]] = [info] if isinstance(info, Mapping) else info
        try:
            velocity = np.array([i["joint_velocity"] for i in infos], dtype=np.float64)
            rest = np.array([i["reward_rest"] for i in infos], dtype=np.float64)
        except KeyError as error:
            raise ConfigError(
                f"compute_reward: info lacks {error}: keep it in the replay buffer, in "
                'Stable-Baselines3 by replay_buffer_kwargs={"copy_info_dict": True}'
            ) from None
        goal = self.arm.task.reward_goal(
            achieved_goal.reshape(-1, 3), velocity, desired_goal.reshape(-1, 3)
        )
        reward: FloatArray = goal + rest
        return float(reward[0]) if single else reward

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture, see `ArmEnv.render`."""
        return self.arm.render()

    def close(self) -> None:
        """Stop the engine."""
        self.arm.close()

    def _with_goal(self, observation: Observation, info: Info) -> GoalObservation:
        return {
            "observation": observation[self._kept],
            "achieved_goal": np.asarray(info["achieved_goal"], dtype=np.float32),
            "desired_goal": np.asarray(info["target_position"], dtype=np.float32),
        }
