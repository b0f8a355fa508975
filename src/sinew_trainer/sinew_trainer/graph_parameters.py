"""Parameters of the node that trains over the graph."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter
from sinew_core.training.graph.environment import RESETS

_ALGORITHMS = ("ddpg", "td3", "sac")


@dataclass(frozen=True, kw_only=True)
class GraphTrainParameters(Parameters):
    """What is learned from what start, how episodes begin, and which nodes they go through."""

    run: str = parameter("", "name of the run")
    output: str = parameter("runs", "folder that holds the runs")
    overwrite: bool = parameter(False, "replace a run of that name")
    resume: str = parameter("", "folder of a run to go on with; empty: a new run")
    bundle: str = parameter("", "bundle to begin with, its configuration too; empty: from scratch")
    robot: str = parameter("panda", "robot of a training from scratch")
    algorithm: str = parameter(
        "ddpg",
        "algorithm of a training from scratch, off-policy: others forget every step at once, which "
        "an arm is too slow for",
        choices=_ALGORITHMS,
    )
    action_mode: str = parameter("joint_velocity", "what a policy from scratch commands")
    seed: int = parameter(0, "seed of everything random", minimum=0, maximum=2**31 - 1)
    env_steps: int = parameter(20_000, "environment steps at most", minimum=1)
    evaluation_period_steps: int = parameter(4000, "steps between evaluations", minimum=1)
    target_success_rate: float = parameter(
        1.0, "training ends when this success rate is confirmed", minimum=0.0, maximum=1.0
    )
    confirm_episodes: int = parameter(50, "fresh episodes that confirm it", minimum=1)
    eval_episodes: int = parameter(50, "episodes of the final evaluation", minimum=1)
    exploration: float = parameter(
        0.1, "standard deviation of the noise around a bundle's actions", minimum=0.0, maximum=1.0
    )
    frozen_updates: int = parameter(
        2000, "updates of the new critic before a bundle's actor is changed", minimum=0
    )
    pace: str = parameter(
        "lockstep", "the world waits, or real time", choices=("lockstep", "realtime")
    )
    reset: str = parameter("teleport", "how an episode begins", choices=RESETS)
    driver: str = parameter("sim_driver", "node that resets the arm")
    safety_filter: str = parameter("safety_filter", "node that arms")
    patience_s: float = parameter(20.0, "longest silence of the graph", unit="s", minimum=1.0)
