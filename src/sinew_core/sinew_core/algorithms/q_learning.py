"""Tabular Q-learning (Watkins 1989; Watkins & Dayan 1992, equation 1), epsilon-greedy.

A state is an integer: that of a discrete environment, or what a `Discretiser` makes of a continuous
observation. Convergence asks for a learning rate that falls, which the schedule gives; the greedy
action is the first of equals, so that a policy read from the table is always the same, while
exploration draws among equals, so that a table that knows nothing prefers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, SupportsFloat, TypeVar

import numpy as np

from sinew_core.algorithms.noise import SCHEDULES
from sinew_core.algorithms.parameters.q_learning import QLearningParameters
from sinew_core.algorithms.state import (
    Array,
    State,
    generator_state,
    joined,
    part,
    restore_generator,
)
from sinew_core.errors import ConfigError

Seen = TypeVar("Seen", covariant=True)


class QLearning:
    """A table of states by actions.

    Attributes:
        table: (n_states, n_actions) Q.
        steps: environment steps learned from.
    """

    def __init__(
        self, n_states: int, n_actions: int, parameters: QLearningParameters, seed: int
    ) -> None:
        """Fill the table with the initial value; exploration draws from `seed`.

        Raises:
            ConfigError: for no state or no action.
        """
        if n_states < 1 or n_actions < 1:
            raise ConfigError(
                f"q_learning: {n_states} states and {n_actions} actions: allowed 1 or more of each"
            )
        self.parameters = parameters
        self.table = np.full((n_states, n_actions), parameters.initial_value)
        self.steps = 0
        self._rng = np.random.default_rng(seed)
        schedule, steps = SCHEDULES[parameters.schedule], parameters.schedule_steps
        self.epsilon = schedule(
            start=parameters.epsilon_start, end=parameters.epsilon_end, steps=steps
        )
        self.learning_rate = schedule(
            start=parameters.learning_rate, end=parameters.final_learning_rate, steps=steps
        )

    def act(self, state: int) -> int:
        """Return the greedy action."""
        return int(self.table[state].argmax())

    def explore(self, state: int) -> int:
        """Return a random action in a share epsilon of the steps, else a greedy one."""
        values = self.table[state]
        if self._rng.random() < self.epsilon(self.steps):
            return int(self._rng.integers(len(values)))
        return int(self._rng.choice(np.flatnonzero(values == values.max())))

    def update(
        self, state: int, action: int, reward: float, next_state: int, *, terminated: bool
    ) -> float:
        """Learn from one step; return the error r + gamma max Q(s', .) - Q(s, a).

        Where the episode terminated, nothing follows; where it was truncated, s' still counts.
        """
        future = 0.0 if terminated else self.parameters.gamma * float(self.table[next_state].max())
        error = reward + future - float(self.table[state, action])
        self.table[state, action] += self.learning_rate(self.steps) * error
        self.steps += 1
        return error

    def state(self) -> State:
        """Return all that later updates depend on."""
        return {
            "table": self.table.copy(),
            "steps": np.array(self.steps),
            **joined(rng=generator_state(self._rng)),
        }

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        self.table[:] = state["table"]
        self.steps = int(state["steps"])
        restore_generator(self._rng, part(state, "rng"))


class Environment(Protocol[Seen]):
    """What `learn` needs of a Gymnasium environment whose actions are numbered."""

    def reset(self, *, seed: int | None = None) -> tuple[Seen, Mapping[str, object]]:
        """Begin an episode."""

    def step(self, action: int) -> tuple[Seen, SupportsFloat, bool, bool, Mapping[str, object]]:
        """Return observation, reward, terminated, truncated and information."""


def learn(
    agent: QLearning,
    env: Environment[Seen],
    steps: int,
    seed: int,
    state_of: Callable[[Seen], int] = int,  # type: ignore[assignment]  # numbered states by default
) -> list[float]:
    """Learn for a number of environment steps; return the undiscounted return of each episode.

    Args:
        agent: that learns.
        env: with numbered actions.
        steps: to take; the last episode may be cut.
        seed: of the environment.
        state_of: from observation to state, a `Discretiser` where it is continuous.
    """
    returns: list[float] = []
    observation, _ = env.reset(seed=seed)
    state, total = state_of(observation), 0.0
    for _ in range(steps):
        action = agent.explore(state)
        observation, reward, terminated, truncated, _ = env.step(action)
        next_state = state_of(observation)
        agent.update(state, action, float(reward), next_state, terminated=terminated)
        state, total = next_state, total + float(reward)
        if terminated or truncated:
            returns.append(total)
            observation, _ = env.reset()
            state, total = state_of(observation), 0.0
    return returns
