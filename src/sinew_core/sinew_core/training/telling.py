"""Tell how a run goes: figures a few times a second, and curves for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sinew_core.evaluation import EvaluationResult
from sinew_core.training.events import EventFile
from sinew_core.training.progress import CurvePoint, Progress
from sinew_core.training.rollout import Episode
from sinew_core.training.stopwatch import Stopwatch

_PROGRESS_PERIOD_S = 0.5
_RETURNS = 20


class Telling:
    """What a run tells, and what it must remember for that.

    Attributes:
        env_steps: so far.
        returns: of the latest training episodes.
        curve: the evaluations so far.
        events: the event file.
        wall_s: the time used so far.
    """

    def __init__(
        self,
        on_progress: Callable[[Progress], None],
        events: EventFile,
        wall_s: Stopwatch,
        total_steps: int,
    ) -> None:
        """Tell `on_progress` and `events`; `total_steps` are those allowed."""
        self.env_steps = 0
        self.returns: tuple[float, ...] = ()
        self.curve: tuple[CurvePoint, ...] = ()
        self.events = events
        self.wall_s = wall_s
        self._on_progress = on_progress
        self._total_steps = total_steps
        self._reported_s = -_PROGRESS_PERIOD_S
        self._counted_s = wall_s()
        self._state = "starting"

    def state(self, state: str) -> None:
        """Tell a new state at once."""
        if state != self._state:
            self._state = state
            self.now()

    def count(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Count training episodes; return the figures of their curves, none without episodes."""
        if not episodes:
            return {}
        lengths = [len(e.transitions.reward) for e in episodes]
        returns = [e.total_reward for e in episodes]
        self.env_steps += sum(lengths)
        self.returns = (*self.returns, *returns)[-_RETURNS:]
        now_s = self.wall_s()
        rate = sum(lengths) / max(now_s - self._counted_s, 1e-9)
        self._counted_s = now_s
        return {
            "training/return": float(np.mean(returns)),
            "training/success_rate": float(np.mean([e.succeeded for e in episodes])),
            "training/episode_length": float(np.mean(lengths)),
            "training/env_steps_per_s": rate,
        }

    def judged(self, result: EvaluationResult, env_steps: int) -> None:
        """Add an evaluation to the curve."""
        point = CurvePoint(
            env_steps=env_steps,
            wall_s=self.wall_s(),
            success_rate=result.success_rate,
            return_mean=result.return_mean,
            episodes=result.episodes,
        )
        self.curve = (*self.curve, point)
        self.evaluation("evaluation", result, env_steps)

    def evaluation(self, kind: str, result: EvaluationResult, env_steps: int) -> None:
        """Add an evaluation to the event file."""
        self.events.add(
            env_steps,
            {
                f"{kind}/success_rate": result.success_rate,
                f"{kind}/return": result.return_mean,
                f"{kind}/episode_length": result.length_mean,
            },
        )

    def now_and_then(self) -> None:
        """Tell, unless it was told a moment ago."""
        if self.wall_s() - self._reported_s >= _PROGRESS_PERIOD_S:
            self.now()

    def now(self) -> None:
        """Tell the present figures."""
        wall_s = self._reported_s = self.wall_s()
        rate = self.env_steps / max(wall_s, 1e-9)
        left = max(self._total_steps - self.env_steps, 0)
        self.events.flush()
        self._on_progress(
            Progress(
                state=self._state,
                env_steps=self.env_steps,
                wall_s=wall_s,
                env_steps_per_s=rate,
                success_rate=self.curve[-1].success_rate if self.curve else 0.0,
                return_mean=sum(self.returns) / max(len(self.returns), 1),
                remaining_s=left / rate if rate > 0 else 0.0,
            )
        )
