"""What the learner asks of its workers: each job runs in the environment of a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.exploration import Explorer
from sinew_core.bundle.runtime import NumpyPolicy, PolicyNetwork
from sinew_core.evaluation import Outcome, judge_episode
from sinew_core.training.rollout import Episode, run_episode

if TYPE_CHECKING:
    from sinew_core.environments.arm import ArmEnv

Made = TypeVar("Made", covariant=True)

OWN_ARM: Mapping[str, object] = {"dynamics": None}
"""Options of a reset to the environment's own arm."""

GOLDEN_PAIRS, _GOLDEN_EPISODES = 64, 4


class Job(Protocol[Made]):
    """Something that a worker does; its result depends on nothing but the job."""

    def run(self, env: ArmEnv) -> Made:
        """Do it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CollectJob:
    """Run training episodes.

    `dynamics_seeds` are those of the arm's dynamics, one for each of `seeds`; empty for an
    environment without a randomisation.
    """

    explorer: Explorer
    seeds: tuple[int, ...]
    dynamics_seeds: tuple[int, ...] = ()

    def run(self, env: ArmEnv) -> list[Episode]:
        """Return them, in the order of their seeds."""
        dynamics = self.dynamics_seeds or (None,) * len(self.seeds)
        return [
            run_episode(env, self.explorer, seed, drawn)
            for seed, drawn in zip(self.seeds, dynamics, strict=True)
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgeJob:
    """Run evaluation episodes.

    `randomised` says of an environment with a randomisation whether each episode has another arm,
    else the run's own; None for an environment without.
    """

    network: PolicyNetwork
    seeds: tuple[int, ...]
    randomised: bool | None = None

    def run(self, env: ArmEnv) -> list[Outcome]:
        """Return what they came to, in the order of their seeds."""
        policy = NumpyPolicy(self.network)
        options = OWN_ARM if self.randomised is False else None
        return [judge_episode(env, policy.act, seed, options) for seed in self.seeds]


@dataclass(frozen=True, kw_only=True, eq=False)
class ObserveJob:
    """See what the policy sees, for the golden pairs of its bundle."""

    network: PolicyNetwork

    def run(self, env: ArmEnv) -> NDArray[np.float32]:
        """Return observations (pairs, size) from the start to the end of real episodes."""
        policy = NumpyPolicy(self.network)
        seen: list[NDArray[np.float32]] = []
        for seed in range(_GOLDEN_EPISODES):
            observation, _ = env.reset(seed=seed)
            ended, episode = False, []
            while not ended:
                episode.append(observation.copy())
                observation, _, terminated, truncated, _ = env.step(policy.act(observation))
                ended = terminated or truncated
            places = np.linspace(0, len(episode) - 1, GOLDEN_PAIRS // _GOLDEN_EPISODES)
            seen += [episode[int(place)] for place in places]
        return np.stack(seen)


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureJob:
    """Draw the arm at the end of an episode."""

    network: PolicyNetwork

    def run(self, env: ArmEnv) -> bytes | None:
        """Return a PNG, None where the engine cannot render."""
        # Imported here, because the learner has jobs but no use for what draws.
        from sinew_core.report.picture import episode_picture

        return episode_picture(env, NumpyPolicy(self.network).act)


def split(seeds: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Return seeds in groups of up to `size`, in order."""
    return [tuple(seeds[i : i + size]) for i in range(0, len(seeds), size)]
