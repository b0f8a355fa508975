"""Show how far a run is: a bar on a terminal, a log line every few seconds elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from sinew_core.training.folder import PROGRESS_FILE

LOG_PERIOD_S = 5.0


def read_progress(run_folder: Path) -> dict[str, float] | None:
    """Return the figures that the training process wrote last, None before the first."""
    try:
        content = json.loads((run_folder / PROGRESS_FILE).read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def describe(figures: Mapping[str, float]) -> str:
    """Return one line with what a person wants to know while training runs."""
    return (
        f"success {figures['success_rate']:.0%}, return {figures['return_mean']:.2f}, "
        f"{figures['env_steps_per_s']:.0f} steps/s"
    )


class ProgressDisplay:
    """Follows the training progress on a stream."""

    def __init__(
        self, total_steps: int, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Choose a bar when `stream` is a terminal, log lines otherwise."""
        self._total = total_steps
        self._stream = stream
        self._clock = clock
        self._logged_s = -float("inf")
        self._bar: tqdm[None] | None = None
        if stream.isatty():
            self._bar = tqdm(total=total_steps, unit="step", file=stream, leave=False)

    def update(self, figures: Mapping[str, float] | None) -> None:
        """Show the newest figures; None, before the first, shows nothing."""
        if figures is None:
            return
        steps = int(figures["env_steps"])
        if self._bar is not None:
            self._bar.set_postfix_str(describe(figures), refresh=False)
            self._bar.update(steps - self._bar.n)
        elif self._clock() - self._logged_s >= LOG_PERIOD_S:
            self._logged_s = self._clock()
            self._stream.write(f"training: {steps:,} steps, {describe(figures)}\n")
            self._stream.flush()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
