"""What a training run is asked to do; the hyper-parameters of the algorithm stand beside it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from sinew_core.algorithms.parameters import ALGORITHMS
from sinew_core.errors import suggest
from sinew_core.parameters import Parameters, parameter
from sinew_core.specs import ACTION_MODES
from sinew_core.tasks import TASKS

ENGINES = ("pybullet", "mujoco")
DEVICES = ("cpu", "cuda")
DESPITE = ("code", "versions", "device")
"""What a run may be resumed despite: another core of Sinew, other packages, another device."""


@dataclass(frozen=True, kw_only=True)
class Resume(Parameters):
    """Whether a run is new."""

    resume: str = parameter("", "folder of a run to go on with; empty: a new run", path=True)
    resume_despite: str = parameter(
        "",
        "what may be another than before, so that the result is not that of an uninterrupted run: "
        "some of code, versions, device, with commas between; empty: nothing",
    )

    @property
    def despite(self) -> tuple[str, ...]:
        """The kinds of differences that are accepted."""
        return tuple(name for name in self.resume_despite.split(",") if name)

    def check(self) -> list[str]:
        """Return what is no kind of difference, and whether there is anything to resume."""
        problems = [
            f"resume_despite has '{name}': {suggest(name, DESPITE)}"
            for name in self.despite
            if name not in DESPITE
        ]
        if self.resume_despite and not self.resume:
            problems.append("resume_despite without resume: add resume:=runs/NAME")
        return problems


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Parameters):
    """A training run: robot, task and algorithm, how long, and where its results go."""

    run: str = parameter("", "name of the run; empty: task, robot, algorithm, seed and time")
    output: str = parameter("runs", "folder that holds the runs", path=True)
    overwrite: bool = parameter(False, "replace a run of that name")
    robot: str = parameter(
        "panda",
        "panda, fr3, ur5e, iiwa7, iiwa14, xarm7, gen3, or the path of a robot file",
        path=True,
    )
    urdf: str = parameter("", "URDF that replaces the robot's own; empty: none", path=True)
    engine: str = parameter("pybullet", "physics engine", choices=ENGINES)
    task: str = parameter("reach", "what is learned", choices=tuple(TASKS))
    algorithm: str = parameter("ddpg", "how it is learned", choices=ALGORITHMS)
    device: str = parameter(
        "cpu", "where the learner computes; episodes always run on the CPU", choices=DEVICES
    )
    action_mode: str = parameter("joint_velocity", "what the policy commands", choices=ACTION_MODES)
    sim_params: str = parameter(
        "",
        "mismatched, or a YAML file, of an arm and its joint controllers; empty: the nominal arm",
        path=True,
    )
    randomisation: str = parameter(
        "",
        "YAML file of distributions that the arm's dynamics are drawn from; empty: none",
        path=True,
    )
    every_episodes: int = parameter(
        0, "training episodes from one draw to the next; 0: as the file says", minimum=0
    )
    eval_randomised: bool = parameter(
        False, "whether evaluations draw another arm in each episode too"
    )
    seed: int = parameter(0, "seed of everything random", minimum=0, maximum=2**31 - 1)
    env_steps: int = parameter(200_000, "environment steps at most", minimum=1)
    evaluation_period_steps: int = parameter(
        0,
        "environment steps from one quick evaluation to the next; 0: as the algorithm needs",
        minimum=0,
    )
    target_success_rate: float = parameter(
        0.99, "training ends when this success rate is confirmed", minimum=0.0, maximum=1.0
    )
    confirm_episodes: int = parameter(100, "fresh episodes that confirm it", minimum=1)
    eval_episodes: int = parameter(200, "episodes of the final evaluation", minimum=1)
    checkpoint_period_s: float = parameter(
        30.0,
        "time from one checkpoint to the next, which changes no result; 0: only at the end",
        unit="s",
        minimum=0.0,
    )

    def check(self) -> list[str]:
        """Return what asks for a randomisation and has none."""
        asked = [n for n in ("every_episodes", "eval_randomised") if getattr(self, n)]
        if asked and not self.randomisation:
            return [f"{' and '.join(asked)} without randomisation: add randomisation:=FILE"]
        return []

    def run_name(self, now: datetime.datetime) -> str:
        """Return the name of the run, made up from what it does where none was given."""
        made_up = f"{self.task}-{self.robot_label}-{self.algorithm}-s{self.seed}"
        return self.run or f"{made_up}-{now:%Y%m%d-%H%M%S}"

    @property
    def robot_label(self) -> str:
        """Name of the robot, for folders and headings: of a path, the last part."""
        return self.robot.rsplit("/", 1)[-1].removesuffix(".yaml")
