"""Rates, jitter, ages and latencies of the running graph, over a window that forgets."""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np

_KEPT_S = 60.0
_OPEN_STATES = 512


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arrivals:
    """Messages of a topic over a window.

    Attributes:
        count: of messages.
        rate_hz: of arrival, 0 with fewer than two.
        gap_p99_ms, gap_max_ms: time from one message to the next.
        age_p50_ms, age_max_ms, age_min_ms: from its stamp to its arrival, by the node's clock.
        repeated: stamps that do not come after the one before.
        silence_s: since the last message, infinite before the first.
    """

    count: int = 0
    rate_hz: float = 0.0
    gap_p99_ms: float = 0.0
    gap_max_ms: float = 0.0
    age_p50_ms: float = 0.0
    age_max_ms: float = 0.0
    age_min_ms: float = 0.0
    repeated: int = 0
    silence_s: float = float("inf")

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for a report, None for what is infinite."""
        values = dataclasses.asdict(self)
        return {k: None if v == float("inf") else _rounded(v) for k, v in values.items()}


class ArrivalMeter:
    """Take the arrivals of one topic; `measure` looks back over a window."""

    def __init__(self, kept_s: float = _KEPT_S) -> None:
        """Remember arrivals for `kept_s`."""
        self.total = 0
        self._kept_s = kept_s
        self._arrivals: deque[tuple[float, int, float]] = deque()

    def take(self, now_s: float, stamp_ns: int, clock_ns: int) -> None:
        """Take one arrival: steady clock in s, the message's stamp, the node's clock in ns."""
        self.total += 1
        arrivals = self._arrivals
        arrivals.append((now_s, stamp_ns, (clock_ns - stamp_ns) / 1e6))
        while now_s - arrivals[0][0] > self._kept_s:
            arrivals.popleft()

    def silence_s(self, now_s: float) -> float:
        """Return the time since the last arrival, infinite before the first."""
        return now_s - self._arrivals[-1][0] if self._arrivals else float("inf")

    def age_s(self, now_s: float) -> float:
        """Return the time since the first arrival that is remembered, 0 before it."""
        return now_s - self._arrivals[0][0] if self._arrivals else 0.0

    def measure(self, now_s: float, window_s: float) -> Arrivals:
        """Return the figures of the last `window_s`."""
        rows = _since(self._arrivals, now_s - window_s)
        silence_s = self.silence_s(now_s)
        if len(rows) < 2:
            return Arrivals(count=len(rows), silence_s=silence_s)
        times = np.array([row[0] for row in rows])
        gaps_ms = 1e3 * np.diff(times)
        stamps = np.array([row[1] for row in rows], dtype=np.int64)
        ages_ms = np.array([row[2] for row in rows])
        return Arrivals(
            count=len(rows),
            rate_hz=float((len(rows) - 1) / max(times[-1] - times[0], 1e-9)),
            gap_p99_ms=float(np.percentile(gaps_ms, 99)),
            gap_max_ms=float(gaps_ms.max()),
            age_p50_ms=float(np.percentile(ages_ms, 50)),
            age_max_ms=float(ages_ms.max()),
            age_min_ms=float(ages_ms.min()),
            repeated=int((np.diff(stamps) <= 0).sum()),
            silence_s=silence_s,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Latency:
    """How long something took, in ms; None before it happened once."""

    count: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for a report."""
        return {k: _rounded(v) for k, v in dataclasses.asdict(self).items()}


class LoopMeter:
    """From the receipt of a joint state to the command that answers it, and to the output with it.

    All three are received by the process that measures, so that no clocks are compared.
    """

    def __init__(self, kept: int = 20_000) -> None:
        """Keep the latest `kept` durations of either kind."""
        self._received_s: dict[int, float] = {}
        self._open: tuple[int, float] | None = None
        self._command_ms: deque[tuple[float, float]] = deque(maxlen=kept)
        self._output_ms: deque[tuple[float, float]] = deque(maxlen=kept)

    def state(self, stamp_ns: int, now_s: float) -> None:
        """Take a joint state."""
        received = self._received_s
        if len(received) >= _OPEN_STATES:
            del received[next(iter(received))]
        received.setdefault(stamp_ns, now_s)

    def command(self, stamp_ns: int, now_s: float) -> None:
        """Take the policy's command for the joint state of this stamp."""
        began_s = self._received_s.get(stamp_ns)
        if began_s is None:
            return
        self._command_ms.append((now_s, 1e3 * (now_s - began_s)))
        self._open = (stamp_ns, began_s)

    def output(self, command_stamp: Callable[[], int | None], now_s: float) -> None:
        """Take an output of the filter; `command_stamp` reads its label, and is rarely called.

        An output without a label counts as the answer to the last command.
        """
        if self._open is None:
            return
        stamp_ns, began_s = self._open
        found = command_stamp()
        if found is None or found >= stamp_ns:
            self._output_ms.append((now_s, 1e3 * (now_s - began_s)))
            self._open = None

    def commands(self, now_s: float, window_s: float) -> Latency:
        """Return joint state to command over the last `window_s`."""
        return _latency(self._command_ms, now_s - window_s)

    def outputs(self, now_s: float, window_s: float) -> Latency:
        """Return joint state to output over the last `window_s`."""
        return _latency(self._output_ms, now_s - window_s)


R = TypeVar("R", tuple[float, float], tuple[float, int, float])


def _since(rows: deque[R], since_s: float) -> list[R]:
    """Return the rows from a time on, without a look at those before."""
    found = list(itertools.takewhile(lambda row: row[0] >= since_s, reversed(rows)))
    return found[::-1]


def _latency(rows: deque[tuple[float, float]], since_s: float) -> Latency:
    values = [duration for _, duration in _since(rows, since_s)]
    if not values:
        return Latency()
    p50, p99 = np.percentile(values, [50, 99])
    return Latency(count=len(values), p50_ms=float(p50), p99_ms=float(p99), max_ms=max(values))


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
