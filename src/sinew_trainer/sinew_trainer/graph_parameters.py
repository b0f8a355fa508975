"""Parameters of the node that trains over the graph."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter
from sinew_core.specs import ACTION_MODES, COMMAND_MODES, command_mode
from sinew_core.training.config import Resume
from sinew_core.training.graph.environment import RESETS

GRAPH_ALGORITHMS = ("ddpg", "td3", "sac")
CRITICS = ("kept", "new")
ENV_STEPS = 20_000


@dataclass(frozen=True, kw_only=True)
class GraphTrainParameters(Parameters):
    """What is learned from what start, how episodes begin, and which nodes they go through."""

    run: str = parameter("", "name of the run; empty: task, robot, algorithm, seed and time")
    output: str = parameter("runs", "folder that holds the runs", path=True)
    overwrite: bool = parameter(False, "replace a run of that name")
    resume: str = parameter("", "folder of a run to go on with; empty: a new run", path=True)
    resume_despite: str = parameter(
        "",
        "what may be another than before, as in the trainer: some of code, versions, device, with "
        "commas between; empty: nothing",
    )
    bundle: str = parameter(
        "", "bundle to begin with, its configuration too; empty: from scratch", path=True
    )
    critic: str = parameter(
        "kept",
        "critic to begin with beside a bundle: that of the last checkpoint of the bundle's run "
        "where it has one, or a new one",
        choices=CRITICS,
    )
    training: str = parameter(
        "",
        "parameter file of a training, as runs/NAME/config.yaml, for what is not given; empty: "
        "those of the bundle, or the defaults",
        path=True,
    )
    robot: str = parameter("panda", "robot name or robot file", path=True)
    urdf: str = parameter(
        "", "URDF that replaces the robot file's; empty: the robot file's", path=True
    )
    algorithm: str = parameter(
        "ddpg",
        "algorithm of a training from scratch, off-policy: others forget every step at once, which "
        "an arm is too slow for",
        choices=GRAPH_ALGORITHMS,
    )
    mode: str = parameter(
        "joint_velocity", "what filter and driver take for commands", choices=COMMAND_MODES
    )
    action_mode: str = parameter(
        "", "what a policy from scratch commands; empty: as mode", choices=("", *ACTION_MODES)
    )
    seed: int = parameter(0, "seed of everything random", minimum=0, maximum=2**31 - 1)
    env_steps: int = parameter(
        0,
        f"environment steps at most; 0: {ENV_STEPS:,}, or those of the run that goes on",
        minimum=0,
    )
    evaluation_period_steps: int = parameter(4000, "steps between evaluations", minimum=1)
    target_success_rate: float = parameter(
        1.0, "training ends when this success rate is confirmed", minimum=0.0, maximum=1.0
    )
    confirm_episodes: int = parameter(50, "fresh episodes that confirm it", minimum=1)
    eval_episodes: int = parameter(50, "episodes of the final evaluation", minimum=1)
    checkpoint_period_s: float = parameter(
        30.0, "time from one checkpoint to the next; 0: only at the end", unit="s", minimum=0.0
    )
    exploration: float = parameter(
        0.1, "standard deviation of the noise around a bundle's actions", minimum=0.001, maximum=1.0
    )
    frozen_updates: int = parameter(
        2000, "updates of the critic before a bundle's actor is changed", minimum=0
    )
    pace: str = parameter(
        "lockstep", "the world waits, or real time", choices=("lockstep", "realtime")
    )
    reset: str = parameter(
        "teleport",
        "how an episode begins: at a new start of the simulated arm, at home, where the arm drives "
        "through the filter, or where it stands",
        choices=RESETS,
    )
    arm: bool = parameter(
        True,
        "arm the safety filter for each episode, as is right for a simulated arm only; else an "
        "operator arms it once, and after each stop",
    )
    driver: str = parameter("sim_driver", "node that resets the arm")
    safety_filter: str = parameter("safety_filter", "node that arms")
    patience_s: float = parameter(20.0, "longest silence of the graph", unit="s", minimum=1.0)

    def check(self) -> list[str]:
        """Return what cannot be together."""
        problems = Resume(resume=self.resume, resume_despite=self.resume_despite).check()
        if self.resume:
            problems += [
                f"{name} beside resume: a run goes on with its own, remove {name}:="
                for name in ("bundle", "training")
                if getattr(self, name)
            ]
        if self.action_mode and command_mode(self.action_mode) != self.mode:
            problems.append(
                f"action_mode {self.action_mode} commands {command_mode(self.action_mode)}, mode "
                f"is {self.mode}: take mode:={command_mode(self.action_mode)}"
            )
        if self.reset == "teleport" and not self.arm:
            problems.append("reset teleport with an operator who arms: take home or none")
        if self.mode == "joint_effort" and not self.arm:
            problems.append(
                "mode joint_effort with an operator who arms: no effort holds the arm between "
                "episodes, take joint_velocity or joint_position"
            )
        return problems
