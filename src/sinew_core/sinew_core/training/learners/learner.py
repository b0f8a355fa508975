"""What the training loop asks of a learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sinew_core.algorithms.exploration import Explorer
from sinew_core.algorithms.state import Array, State
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.training.rollout import Episode


class Learner(Protocol):
    """Learns from episodes.

    Attributes:
        episodes_per_iteration: how many to collect with one policy.
        overlaps: whether the next episodes may be collected with the policy from before `learn`.
        evaluation_period_steps: environment steps between quick evaluations, which are to cost
            little beside the learning.
        updates: gradient steps so far.
    """

    episodes_per_iteration: int
    overlaps: bool
    evaluation_period_steps: int
    updates: int

    def explorer(self, env_steps: int) -> Explorer:
        """Return the policy that collects the next episodes, at `env_steps`."""

    def network(self) -> PolicyNetwork:
        """Return the policy to deploy."""

    def learn(self, episodes: list[Episode], env_steps: int) -> None:
        """Learn; `env_steps` counts these episodes too."""

    def state(self) -> State:
        """Return all that the future of learning depends on."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned, to the same end."""
