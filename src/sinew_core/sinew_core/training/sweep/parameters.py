"""What a sweep is asked to do, beside the training that each trial is."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter

OBJECTIVES = ("env_steps", "wall_s")


@dataclass(frozen=True, kw_only=True)
class SweepParameters(Parameters):
    """How many trials, over what, and what they are compared by."""

    study: str = parameter("", "folder of the study; empty: runs/sweeps/TASK-ALGORITHM", path=True)
    space: str = parameter(
        "",
        "file of the search space; empty: config/sweeps/ALGORITHM.yaml of this checkout",
        path=True,
    )
    trials: int = parameter(30, "trials in the end, those of earlier commands included", minimum=1)
    trainings: int = parameter(
        1, "trainings of a trial, with consecutive seeds; their mean counts", minimum=1
    )
    objective: str = parameter(
        "env_steps",
        "what a training spends until its success is confirmed, which is to be small",
        choices=OBJECTIVES,
    )
    startup_trials: int = parameter(
        8, "trials at random, before the search learns from them and prunes", minimum=1
    )
    prune_period_steps: int = parameter(
        1000, "environment steps from one comparison with the other trials to the next", minimum=1
    )
