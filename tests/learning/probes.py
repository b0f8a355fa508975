"""Environments so small that one fault of an algorithm shows in one of them.

After Andy Jones, "Debugging reinforcement learning systems" (2021). Each has an observation of one
or two numbers and episodes of one or two steps, terminated at their end:

| probe | observation | reward | the agent must |
|---|---|---|---|
| `ONE_STATE` | 0 | 1 | know the value of the only state |
| `TWO_STATES` | -1 or 1 | the observation | tell states apart |
| `DISCOUNTING` | -1, then 1 | 1 at the end | discount: V = gamma, then 1 |
| `ACTION_MATTERS` | 0 | 1 - (action - 1)^2 | choose action 1 |
| `POLICY_MATTERS` | -1 or 1 | 1 - (action - observation)^2 | choose by what it sees |

All come with continuous actions in [-1, 1] and with discrete ones out of `CHOICES`. `solve` trains
a learner and asserts: `value(observation)` where the probe knows V, and the deployed policy where
actions matter.

    learner = make_learner(problem(probe), parameters, seed=0)
    solve(learner, probe, iterations=50, value=lambda o: ...)
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sinew_core.algorithms.replay import Transitions
from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.training.learners import Problem
from sinew_core.training.rollout import Episode

GAMMA = 0.5
CHOICES = np.array([[0.0], [1.0], [-1.0]], np.float32)


@dataclasses.dataclass(frozen=True)
class Probe:
    """A tiny environment.

    `starts` are the first observations, drawn evenly; `following` those of a second step, if any.
    `reward(observation, action)` is paid at the last step. `values` maps observations to V with a
    discount of `GAMMA`, `best` maps them to the best action, where the probe tests that.
    """

    name: str
    starts: tuple[float, ...]
    reward: object
    following: float | None = None
    values: dict[float, float] = dataclasses.field(default_factory=dict)
    best: dict[float, float] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


ONE_STATE = Probe("one state", (0.0,), lambda o, a: 1.0, values={0.0: 1.0})
TWO_STATES = Probe("two states", (-1.0, 1.0), lambda o, a: o, values={-1.0: -1.0, 1.0: 1.0})
DISCOUNTING = Probe(
    "discounting", (-1.0,), lambda o, a: 1.0, following=1.0, values={-1.0: GAMMA, 1.0: 1.0}
)
ACTION_MATTERS = Probe("action matters", (0.0,), lambda o, a: 1.0 - (a - 1.0) ** 2, best={0.0: 1.0})
POLICY_MATTERS = Probe(
    "policy matters",
    (-1.0, 1.0),
    lambda o, a: 1.0 - (a - o) ** 2,
    best={-1.0: -1.0, 1.0: 1.0},
)
PROBES = (ONE_STATE, TWO_STATES, DISCOUNTING, ACTION_MATTERS, POLICY_MATTERS)


def problem(*, discrete: bool) -> Problem:
    """The sizes of every probe."""
    return Problem(observation_size=1, action_size=1, choices=CHOICES if discrete else None)


def observed(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def run(probe: Probe, choose, rng: np.random.Generator, *, terminates: bool = True) -> Episode:
    """Run one episode, terminated or, if not `terminates`, truncated at its end."""
    seen = [float(rng.choice(probe.starts))]
    if probe.following is not None:
        seen.append(probe.following)
    rows = []
    for index, value in enumerate(seen):
        choice = choose(observed(value))
        last = index == len(seen) - 1
        command = float(np.clip(choice.command[0], -1.0, 1.0))
        reward = probe.reward(value, command) if last else 0.0
        following = observed(value if last else seen[index + 1])
        ended = float(last and terminates)
        rows.append((observed(value), choice.action, reward, following, ended))
    columns = [np.array(column, np.float32) for column in zip(*rows, strict=True)]
    names = [field.name for field in dataclasses.fields(Transitions)]
    steps = Transitions(**dict(zip(names, columns, strict=True)))
    return Episode(transitions=steps, total_reward=float(steps.reward.sum()), succeeded=False)


def solve(learner, probe: Probe, iterations: int, value=None, tolerance: float = 0.15) -> None:
    """Train for iterations of `learner.episodes_per_iteration`, then assert what it must know."""
    rng, env_steps = np.random.default_rng(0), 0
    for iteration in range(iterations):
        explorer = learner.explorer(env_steps)
        episodes = []
        for index in range(learner.episodes_per_iteration):
            choose = explorer.begin(iteration * learner.episodes_per_iteration + index)
            episodes.append(run(probe, choose, rng))
        env_steps += sum(len(e.transitions.reward) for e in episodes)
        learner.learn(episodes, env_steps)
    if value is not None:
        for observation, expected in probe.values.items():
            found = value(observed(observation))
            assert abs(found - expected) < tolerance, (probe.name, observation, found, expected)
    policy = NumpyPolicy(learner.network())
    for observation, best in probe.best.items():
        found = float(policy.act(observed(observation))[0])
        assert abs(found - best) < 2 * tolerance, (probe.name, observation, found, best)
