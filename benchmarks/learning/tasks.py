"""The tasks, fixed before anything is measured: scores, and what learns on each.

Budgets and hyper-parameters are in `config/algorithms/<algorithm>_<file>.yaml`, for both sides.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

CONFIGURATIONS = Path(__file__).resolve().parents[2] / "config" / "algorithms"
SEEDS = 10
JUDGED_EPISODES = 100


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task and its scores: mean returns, or success rates of an arm.

    Attributes:
        title: as the report shows it.
        file: the end of the names of its parameter files.
        random: score of uniformly random actions, over 1000 episodes, of an arm over 200.
        solved: score from which the task counts as solved: Gymnasium's threshold where it has one,
            of Pendulum the score at which its return levels off, of Taxi what optimal play nearly
            has, of arms a success rate.
        algorithms: those that suit it; the number of seeds where a run exceeds two minutes.
        action_mode: of an arm; empty: the task is a Gymnasium environment.
    """

    title: str
    file: str
    random: float
    solved: float
    algorithms: tuple[str, ...]
    seeds: dict[str, int] = field(default_factory=dict)
    action_mode: str = ""


_DISCRETE = ("ppo", "a2c", "reinforce", "dqn")
_CONTINUOUS = ("ppo", "ddpg", "td3", "sac")

TASKS = (
    Task(
        title="CartPole-v1",
        file="cartpole",
        random=22.2,
        solved=475.0,
        algorithms=_DISCRETE,
    ),
    Task(
        title="Acrobot-v1",
        file="acrobot",
        random=-499.1,
        solved=-100.0,
        algorithms=_DISCRETE,
    ),
    Task(
        title="Pendulum-v1",
        file="pendulum",
        random=-1231.0,
        solved=-200.0,
        algorithms=_CONTINUOUS,
    ),
    Task(
        title="MountainCarContinuous-v0",
        file="mountaincar",
        random=-33.3,
        solved=90.0,
        algorithms=_CONTINUOUS,
    ),
    Task(
        title="FrozenLake-v1",
        file="frozenlake",
        random=0.012,
        solved=0.7,
        algorithms=("q_learning",),
    ),
    Task(
        title="Taxi-v4",
        file="taxi",
        random=-776.0,
        solved=7.0,
        algorithms=("q_learning",),
    ),
    *(
        Task(
            title=f"reach at first touch, {mode}",
            file="touch",
            random=random,
            solved=0.95,
            algorithms=_CONTINUOUS,
            action_mode=mode,
        )
        for mode, random in (
            ("joint_velocity", 0.105),
            ("joint_position", 0.105),
            ("joint_effort", 0.08),
        )
    ),
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One algorithm on one task: a line of the table."""

    task: Task
    algorithm: str

    @property
    def name(self) -> str:
        """What `--only` selects by."""
        mode = f"_{self.task.action_mode}" if self.task.action_mode else ""
        return f"{self.algorithm}_{self.task.file}{mode}"

    @property
    def file(self) -> Path:
        """The parameter file of both sides."""
        return CONFIGURATIONS / f"{self.algorithm}_{self.task.file}.yaml"

    @property
    def seeds(self) -> int:
        """How many seeds a thorough measurement takes."""
        return self.task.seeds.get(self.algorithm, SEEDS)


def parts(only: str = "") -> list[Part]:
    """Return the parts whose name contains `only`, or one of several words joined by commas."""
    pairs = itertools.chain.from_iterable(
        ((task, algorithm) for algorithm in task.algorithms) for task in TASKS
    )
    made = [Part(task=task, algorithm=algorithm) for task, algorithm in pairs]
    return [part for part in made if any(word in part.name for word in only.split(","))]
