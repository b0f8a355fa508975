"""Learners that remember: they collect while they learn, and learn from any step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from sinew_core.algorithms.actor import Start
from sinew_core.algorithms.exploration import Explorer
from sinew_core.algorithms.parameters.off_policy import OffPolicyParameters
from sinew_core.algorithms.replay import Transitions
from sinew_core.algorithms.state import (
    Array,
    State,
    generator_state,
    joined,
    part,
    restore_generator,
)
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import ConfigError
from sinew_core.training.learners.learner import History, finite_networks, scalars
from sinew_core.training.learners.memory import make_memory
from sinew_core.training.learners.problem import Problem
from sinew_core.training.rollout import Episode


class OffPolicyAgent(Protocol):
    """An algorithm that learns from batches of a replay memory."""

    def policy_network(self) -> PolicyNetwork:
        """Return the policy to deploy."""

    def update(self, batch: Transitions) -> object:
        """Take one gradient step; return what it saw, a dataclass of numbers."""

    def state(self) -> State:
        """Return all that later updates depend on."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""


@runtime_checkable
class Adopting(Protocol):
    """An agent that can begin with a deployed actor."""

    def adopt(self, start: Start) -> None:
        """Take it over."""


class OffPolicyLearner:
    """Replay, hindsight where the problem has a target, and updates after each episode."""

    episodes_per_iteration = 1
    overlaps = True
    evaluation_period_steps = 600

    def __init__(
        self,
        problem: Problem,
        parameters: OffPolicyParameters,
        agent: OffPolicyAgent,
        explore: Callable[[int], Explorer],
        seed: int,
    ) -> None:
        """Take the agent, and the exploring policy as a function of the environment steps."""
        self.updates = 0
        self._owed = 0.0
        self._parameters = parameters
        self._agent = agent
        self._explore = explore
        self._rng = np.random.default_rng(seed)
        self._memory = make_memory(problem, parameters)
        self._latest: object = None
        self.replay: History | None = self._memory.replay

    def adopt(self, start: Start) -> None:
        """Begin with a deployed actor, see `DDPG.adopt`.

        Raises:
            ConfigError: the algorithm cannot, or networks have another form.
        """
        if not isinstance(self._agent, Adopting):
            raise ConfigError("dqn has no actor: take a bundle of ddpg, td3 or sac")
        try:
            self._agent.adopt(start)
        except (KeyError, RuntimeError) as error:
            raise ConfigError(
                f"the critic of the bundle's run has another form: {error}: take critic:=new"
            ) from None

    def explorer(self, env_steps: int) -> Explorer:
        """Return the exploring policy."""
        with finite_networks():
            return self._explore(env_steps)

    def network(self) -> PolicyNetwork:
        """Return the policy to deploy."""
        with finite_networks():
            return self._agent.policy_network()

    def learn(self, episodes: list[Episode], env_steps: int) -> None:
        """Remember the episodes, then update.

        What rounding leaves of a fractional number of updates is owed to the next call, so that
        few steps at a time come to as many updates as many.
        """
        for episode in episodes:
            self._memory.remember(episode.transitions)
        if env_steps < self._parameters.warmup_steps:
            return
        count = sum(len(e.transitions.reward) for e in episodes)
        due = self._owed + count * self._parameters.updates_per_step
        whole = round(due)
        self._owed = due - whole
        for _ in range(whole):
            batch = self._memory.sample(self._parameters.batch_size, self._rng)
            self._latest = self._agent.update(batch)
            self.updates += 1

    def figures(self) -> dict[str, float]:
        """Return the losses of the latest update."""
        return scalars(self._latest)

    def state(self) -> State:
        """Return the agent, the order in which the memory is drawn from, and what is owed."""
        parts = joined(agent=self._agent.state(), rng=generator_state(self._rng))
        return {**parts, "updates": np.array(self.updates), "owed": np.array(self._owed)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        self._agent.load_state(part(state, "agent"))
        restore_generator(self._rng, part(state, "rng"))
        self.updates = int(state["updates"])
        self._owed = float(state.get("owed", np.array(0.0)))  # older states have none
