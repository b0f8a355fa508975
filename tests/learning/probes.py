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
a learner until it knows what it must: `value(observation)` where the probe knows V, and what the
deployed policy does where actions matter.

    learner = make_learner(problem(probe), parameters, seed=0)
    solve(learner, probe, iterations=100, value=lambda o: ...)
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sinew_core.algorithms.replay import Transitions
from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.training.learners import Problem
from sinew_core.training.rollout import Episode

GAMMA = 0.5
CHECK_PERIOD = 5
TOLERANCE = {"V": 0.1, "action": 0.25}
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


def solve(learner, probe: Probe, iterations: int, value=None) -> None:
    """Train until the agent knows what it must at two checks in a row; fail after `iterations`."""
    rng, env_steps, missing, patience = np.random.default_rng(0), 0, ["untrained"], 2
    for iteration in range(1, iterations + 1):
        explorer, count = learner.explorer(env_steps), learner.episodes_per_iteration
        episodes = [run(probe, explorer.begin(iteration * count + i), rng) for i in range(count)]
        env_steps += sum(len(e.transitions.reward) for e in episodes)
        learner.learn(episodes, env_steps)
        if iteration % CHECK_PERIOD == 0:
            missing = _missing(learner, probe, value)
            patience = 2 if missing else patience - 1
            if not patience:
                return
    raise AssertionError(f"{probe.name} is not solved after {iterations} iterations: {missing}")


def _missing(learner, probe: Probe, value) -> list[str]:
    """What the agent should know and does not."""
    found = {}
    if value is not None:
        found = {("V", o): (value(observed(o)), v) for o, v in probe.values.items()}
    policy = NumpyPolicy(learner.network())
    for o, best in probe.best.items():
        found["action", o] = float(policy.act(observed(o))[0]), best
    return [
        f"{what} of {o:g} is {is_:.3f}, not {should:g}"
        for (what, o), (is_, should) in found.items()
        if abs(is_ - should) > TOLERANCE[what]
    ]
