"""What an evaluation over the graph leaves: its figures and the motion of some episodes."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import RunError
from sinew_core.evaluation import wilson_interval
from sinew_core.files import finite, write_atomically, write_json
from sinew_core.graph_evaluation import Episode
from sinew_core.smoothness import mean_or_none

FloatArray = NDArray[np.float64]
ToolPosition = Callable[[Sequence[float]], tuple[float, float, float]]

_KEPT = ("time_s", "target_m", "position_rad", "velocity_rad_s", "success")


class EvaluationRecord:
    """The episodes so far, with what ended them early and how often the filter intervened.

    Attributes:
        episodes: those that have ended.
        faults: for each reason of the filter's, the episodes that it ended.
    """

    def __init__(self) -> None:
        """Begin without episodes."""
        self.episodes: list[Episode] = []
        self.faults: Counter[str] = Counter()
        self._interventions = 0
        self._interventions_last: int | None = None

    @property
    def successes(self) -> int:
        """How many of the episodes succeeded."""
        return sum(e.success for e in self.episodes)

    def count_interventions(self, total: int) -> None:
        """Take the filter's own total; what it was at the first call does not count.

        A total that is smaller than the last one is of a filter that was started anew.
        """
        last = self._interventions_last
        if last is not None:
            self._interventions += total - last if total >= last else total
        self._interventions_last = total

    def figures(self) -> dict[str, object]:
        """Return the figures of `eval_graph` that joint states and the filter's reports give."""
        return {
            **summarise(self.episodes),
            "interventions": self._interventions,
            "faults": self.faults.total(),
            "fault_reasons": dict(self.faults),
        }

    def write(
        self, path: Path, figures: dict[str, object], *, traced: int, tool_xyz: ToolPosition
    ) -> None:
        """Write the figures, and beside them the motion of the first `traced` episodes.

        Raises:
            RunError: they cannot be written; it holds the figures, which would be lost else.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_traces(path.with_suffix(".npz"), self.episodes[:traced], tool_xyz)
            write_json(path, finite(figures))
        except OSError as error:
            raise RunError(
                f"output {path} cannot be written ({error.strerror}): keep what would be in it "
                f"from here: {json.dumps(figures)}"
            ) from None

    def sentence(self) -> str:
        """Return the outcome in one line."""
        violations = sum(e.limit_violations for e in self.episodes)
        faults = "".join(f", fault ({n}): {reason}" for reason, n in self.faults.items())
        return (
            f"{self.successes} of {len(self.episodes)} episodes succeeded, "
            f"{violations} limit violations{faults}"
        )


def summarise(episodes: Sequence[Episode]) -> dict[str, object]:
    """Return the figures of `eval_graph` that joint states give."""
    successes = sum(e.success for e in episodes)
    returns = [e.total_reward for e in episodes if e.total_reward is not None]
    rewarded = bool(episodes) and len(returns) == len(episodes)
    return {
        "episodes": len(episodes),
        "successes": successes,
        "success_rate": successes / len(episodes) if episodes else None,
        "success_ci95": list(wilson_interval(successes, len(episodes))) if episodes else None,
        "return_mean": float(np.mean(returns)) if rewarded else None,
        "return_std": float(np.std(returns)) if rewarded else None,
        "length_mean": float(np.mean([e.control_steps for e in episodes])) if episodes else None,
        "jerk_rad_s3": mean_or_none([e.jerk_rad_s3 for e in episodes]),
        "limit_violations": sum(e.limit_violations for e in episodes),
        "states": sum(len(e.time_s) for e in episodes),
    }


@dataclass(frozen=True, kw_only=True)
class EpisodeTrace:
    """What one episode over the graph did, as its joint states tell.

    time_s: (n_states,) seconds since the episode began.
    distance_m: (n_states,) tool to target, or object to target where there is one.
    velocity_rad_s: (n_states, n_joints) measured.
    """

    time_s: FloatArray
    distance_m: FloatArray
    velocity_rad_s: FloatArray
    success: bool


def trace_of(episode: Episode, tool_xyz: ToolPosition) -> EpisodeTrace:
    """Return the motion of an episode as reports draw it."""
    achieved = episode.object_m
    if achieved is None:
        tool = [tool_xyz(q) for q in episode.position_rad.tolist()]
        achieved = np.array(tool).reshape(-1, 3)
    return EpisodeTrace(
        time_s=episode.time_s,
        distance_m=np.linalg.norm(episode.target_m - achieved, axis=1),
        velocity_rad_s=episode.velocity_rad_s,
        success=episode.success,
    )


def write_traces(
    path: Path,
    episodes: Sequence[Episode],
    tool_xyz: ToolPosition,
) -> None:
    """Write the motion of episodes as one compressed file of arrays, atomically."""
    arrays: dict[str, FloatArray] = {}
    for i, episode in enumerate(episodes):
        if episode.object_m is not None:
            arrays[f"{i}/object_m"] = episode.object_m
        arrays[f"{i}/distance_m"] = trace_of(episode, tool_xyz).distance_m
        for name in _KEPT:
            arrays[f"{i}/{name}"] = np.asarray(getattr(episode, name), dtype=np.float64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub expects a flag
    write_atomically(path, buffer.getvalue())


def read_traces(path: Path) -> list[EpisodeTrace]:
    """Read what `write_traces` wrote, as the report draws it."""
    with np.load(path, allow_pickle=False) as file:
        count = len({name.split("/")[0] for name in file.files})
        return [
            EpisodeTrace(
                time_s=file[f"{i}/time_s"],
                distance_m=file[f"{i}/distance_m"],
                velocity_rad_s=file[f"{i}/velocity_rad_s"],
                success=bool(file[f"{i}/success"]),
            )
            for i in range(count)
        ]
