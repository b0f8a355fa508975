"""Show how far a computation is: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from tqdm import tqdm

LOG_PERIOD_S = 2.0
_BAR = "{percentage:3.0f}%|{bar}| {postfix}"


def describe(progress: Mapping[str, object]) -> str:
    """Return one line: the stage, the step, and the cost."""
    parts = [str(progress.get("stage", "working"))]
    if progress.get("step") is not None:
        parts.append(f"step {progress['step']}")
    cost = progress.get("cost")
    if isinstance(cost, int | float) and math.isfinite(cost):
        parts.append(f"cost {cost:.6g}")
    return ", ".join(parts)


class Display:
    """Follows progress on a stream."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Choose a bar when `stream` is a terminal, log lines otherwise."""
        self._stream, self._clock = stream, clock
        self._logged_s = -float("inf")
        self._stage = ""
        self._bar: tqdm[None] | None = None
        if stream.isatty():
            self._bar = tqdm(total=1.0, file=stream, leave=False, bar_format=_BAR)

    def update(self, progress: Mapping[str, object]) -> None:
        """Show the newest figures; each stage at once, its steps not too often."""
        if self._bar is not None:
            share = progress.get("share")
            self._bar.n = float(share) if isinstance(share, int | float) else self._bar.n
            self._bar.set_postfix_str(describe(progress), refresh=False)
            self._bar.refresh()
            return
        stage, now_s = str(progress.get("stage")), self._clock()
        if stage != self._stage or now_s - self._logged_s >= LOG_PERIOD_S:
            self._stage, self._logged_s = stage, now_s
            self._stream.write(f"{describe(progress)}\n")
            self._stream.flush()

    def say(self, sentence: str) -> None:
        """Write a line above the bar."""
        if self._bar is not None:
            self._bar.write(sentence, file=self._stream)
        else:
            self._stream.write(f"{sentence}\n")
            self._stream.flush()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
