"""What a run has come to at a moment when nothing of it is under way, its learner apart."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.replay import Motions, Transitions
from sinew_core.algorithms.state import State
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.evaluation import EvaluationResult
from sinew_core.training.progress import CurvePoint
from sinew_core.training.rollout import Episode


@dataclass(frozen=True, kw_only=True, eq=False)
class Best:
    """The policy in the bundle, and what it was chosen by."""

    network: PolicyNetwork
    result: EvaluationResult
    env_steps: int
    wall_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Quick:
    """A quick evaluation that is not read yet; its episodes follow from network and seeds."""

    network: PolicyNetwork
    env_steps: int
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """The state of a run between the collecting of episodes and the learning from them.

    Attributes:
        episodes: collected, and not yet learned from; so nothing of the policy that explored
            them is needed any more.
        returns: of the latest training episodes.
        next_evaluation: environment steps at which the next quick evaluation is due.
        seeds: how far each stream of seeds has come.
        events_bytes: length of the event file.
    """

    env_steps: int
    wall_s: float
    episodes: tuple[Episode, ...]
    returns: tuple[float, ...]
    curve: tuple[CurvePoint, ...]
    best: Best | None
    quick: Quick | None
    next_evaluation: int
    seeds: State
    events_bytes: int


SNAPSHOT_CLASSES = (
    Snapshot,
    Best,
    Quick,
    CurvePoint,
    Episode,
    EvaluationResult,
    Motions,
    PolicyNetwork,
    Transitions,
)
