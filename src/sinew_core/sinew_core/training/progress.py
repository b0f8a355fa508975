"""What training tells while it runs, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sinew_core.evaluation import EvaluationResult
from sinew_core.training.checkpoints.change import Change

STATES = ("starting", "training", "evaluating", "paused", "stopping")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of a run; `success_rate` is that of the latest evaluation.

    `return_mean` is over the latest training episodes; `remaining_s` is the time that all allowed
    steps would take, so it is an upper bound. `state` is one of `STATES`.
    """

    state: str

    env_steps: int
    wall_s: float
    env_steps_per_s: float
    success_rate: float
    return_mean: float
    remaining_s: float


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One evaluation during training."""

    env_steps: int
    wall_s: float
    success_rate: float
    return_mean: float
    episodes: int


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run reached.

    Attributes:
        confirmed: whether fresh episodes confirmed the target success rate.
        stopped: whether the user ended it.
        evaluation: by which the policy in the bundle was chosen; None before the first one.
        final_evaluation: of that policy, on `eval_episodes` fresh episodes; None if stopped before.
        episode_wall_s: wall time that a worker took for an episode of that, on average.
        bundle: its folder; None before the first evaluation.
        picture: a PNG of the arm at a target; None if stopped before, or nothing can be drawn.
        updates: gradient steps of the learner.
        randomisation: distributions of the arm's dynamics and the first draws; None without.
        changes: despite what the run was resumed.
    """

    env_steps: int
    wall_s: float
    updates: int
    confirmed: bool
    stopped: bool
    curve: tuple[CurvePoint, ...]
    evaluation: EvaluationResult | None
    final_evaluation: EvaluationResult | None
    episode_wall_s: float | None
    bundle: Path | None
    picture: bytes | None
    randomisation: dict[str, object] | None
    changes: tuple[Change, ...] = ()
