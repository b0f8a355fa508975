"""Show how far a run is: a bar on a terminal, a log line every few seconds elsewhere."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from sinew_core.training.folder import PROGRESS_FILE
from sinew_core.training.progress import Progress

LOG_PERIOD_S = 5.0
_BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
"""Without tqdm's own rate and time left, which take a resumed run for a quick one."""


def read_progress(run_folder: Path) -> Progress | None:
    """Return the figures that the training process wrote last, None before the first."""
    try:
        return Progress(**json.loads((run_folder / PROGRESS_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def describe(progress: Progress) -> str:
    """Return one line with what a person wants to know while training runs."""
    figures = (
        f"success {progress.success_rate:.0%}, return {progress.return_mean:.2f}, "
        f"{progress.env_steps_per_s:.0f} steps/s"
    )
    if progress.env_steps_per_s > 0.0:
        figures += f", at most {_duration(progress.remaining_s)} left"
    return figures if progress.state == "training" else f"{progress.state}, {figures}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class ProgressDisplay:
    """Follows the training progress on a stream."""

    def __init__(
        self, total_steps: int, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Choose a bar when `stream` is a terminal, log lines otherwise."""
        self._stream = stream
        self._clock = clock
        self._logged_s = -float("inf")
        self._bar: tqdm[None] | None = None
        if stream.isatty():
            self._bar = tqdm(
                total=total_steps, unit="step", file=stream, leave=False, bar_format=_BAR
            )

    def update(self, progress: Progress | None) -> None:
        """Show the newest figures; None, before the first, shows nothing."""
        if progress is None:
            return
        if self._bar is not None:
            self._bar.set_postfix_str(describe(progress), refresh=False)
            self._bar.n = progress.env_steps
            self._bar.refresh()
        elif self._clock() - self._logged_s >= LOG_PERIOD_S:
            self._logged_s = self._clock()
            self._stream.write(f"training: {progress.env_steps:,} steps, {describe(progress)}\n")
            self._stream.flush()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            with contextlib.suppress(OSError):  # the terminal may have been closed
                self._bar.close()
