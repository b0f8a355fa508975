"""Learners that collect anew with each policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sinew_core.algorithms.exploration import Explorer
from sinew_core.algorithms.state import Array, State
from sinew_core.algorithms.steps import Steps
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.training.learners.learner import History, finite_networks, scalars
from sinew_core.training.rollout import Episode


class OnPolicyAgent(Protocol):
    """An algorithm that learns from its own steps."""

    updates: int

    def explorer(self) -> Explorer:
        """Return the policy as it explores."""

    def policy_network(self) -> PolicyNetwork:
        """Return the policy to deploy."""

    def update(self, steps: Steps) -> object:
        """Learn from steps that `explorer` made; return what it saw, a dataclass of numbers."""

    def state(self) -> State:
        """Return all that later updates depend on."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""


class OnPolicyLearner:
    """Hands the steps of each iteration to the agent, then forgets them."""

    overlaps = False
    evaluation_period_steps = 3000

    def __init__(self, agent: OnPolicyAgent, episodes_per_iteration: int) -> None:
        """Take the agent and how many episodes it learns from at once."""
        self.episodes_per_iteration = episodes_per_iteration
        self.updates = 0
        self.replay: History | None = None
        self._agent = agent
        self._latest: object = None

    def explorer(self, env_steps: int) -> Explorer:
        """Return the policy with its own deviation."""
        with finite_networks():
            return self._agent.explorer()

    def network(self) -> PolicyNetwork:
        """Return the policy without it."""
        with finite_networks():
            return self._agent.policy_network()

    def learn(self, episodes: list[Episode], env_steps: int) -> None:
        """Learn from the steps of all episodes."""
        self._latest = self._agent.update(Steps.of([e.transitions for e in episodes]))
        self.updates = self._agent.updates

    def figures(self) -> dict[str, float]:
        """Return the losses of the latest update."""
        return scalars(self._latest)

    def state(self) -> State:
        """Return the agent's state."""
        return self._agent.state()

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        self._agent.load_state(state)
        self.updates = self._agent.updates
