"""The way of a command to the drive, which takes time: shared by environment and driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.simulation.engine import Engine

FloatArray = NDArray[np.float64]


class DelayedCommands:
    """Steps an engine and hands commands to its drive some time after they were sent.

    None overtakes another. Until the first one arrives the engine does what its reset left in
    force: it halts.
    """

    def __init__(
        self,
        engine: Engine,
        apply: Callable[[FloatArray], None],
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
    ) -> None:
        """Take what hands a command (n,) to the drive.

        It does so after the delay and a part of the jitter, in all rounded to physics steps.
        """
        self._engine = engine
        self._apply = apply
        self._steps = delay_s * engine.physics_rate_hz
        self._jitter_steps = jitter_s * engine.physics_rate_hz
        self._now = 0
        self._under_way: deque[tuple[int, FloatArray]] = deque()

    def forget(self) -> None:
        """Lose what is under way."""
        self._under_way.clear()

    def send(self, command: Sequence[float] | FloatArray, lateness: float = 0.0) -> None:
        """Send a command (n,), late by a part of the jitter from 0 to 1."""
        due = self._now + round(self._steps + lateness * self._jitter_steps)
        if self._under_way:
            due = max(due, self._under_way[-1][0])
        self._under_way.append((due, np.array(command, dtype=np.float64)))

    def step(self, n_steps: int) -> None:
        """Advance the physics, stopping where commands arrive."""
        end = self._now + n_steps
        while self._under_way and self._under_way[0][0] < end:
            due, command = self._under_way.popleft()
            self._advance(due)
            self._apply(command)
        self._advance(end)

    def _advance(self, to: int) -> None:
        if to > self._now:
            self._engine.step(to - self._now)
            self._now = to
