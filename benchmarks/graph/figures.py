"""From stamps and times of receipt to latencies and losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Times = NDArray[np.int64]
Milliseconds = NDArray[np.float64]

_TAIL_NS = 100_000_000
"""What was sent in the last 0.1 s need not have been answered."""


def latencies_ms(stamps_ns: Sequence[int], received_ns: Sequence[int]) -> Milliseconds:
    """Return the times (n,) from each stamp to its message's receipt, in ms."""
    return (np.array(received_ns, np.int64) - np.array(stamps_ns, np.int64)) / 1e6


def whole_way_ms(
    states_ns: Sequence[int], command_stamps_ns: Sequence[int], received_ns: Sequence[int]
) -> Milliseconds:
    """Return the times from each state to the first output whose command is not older than it.

    Args:
        states_ns: (n,) stamps of joint states, ascending.
        command_stamps_ns: (m,) stamp of the state that the command in force answers, per output.
        received_ns: (m,) when the outputs came.
    """
    states = np.array(states_ns, np.int64)
    in_force = np.maximum.accumulate(np.array(command_stamps_ns, np.int64))
    first = np.searchsorted(in_force, states)
    answered = first < len(in_force)
    received = np.array(received_ns, np.int64)
    return (received[first[answered]] - states[answered]) / 1e6


def unanswered(states_ns: Sequence[int], commands_ns: Sequence[int]) -> int:
    """Return how many states have no command with their stamp; the last ones may still come."""
    states = np.array(states_ns, np.int64)
    due = states[states < states.max() - _TAIL_NS]
    return int(np.isin(due, np.array(commands_ns, np.int64), invert=True).sum())


def overlapping(
    begins_ns: Times, ends_ns: Times, standstills_ns: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Tell which intervals (n,), ascending by begin, have a part in common with a standstill."""
    found = np.zeros(len(begins_ns), bool)
    for begin_ns, end_ns in standstills_ns:
        found |= (begins_ns < end_ns) & (ends_ns > begin_ns)
    return found


def growth_percent(samples_bytes: Sequence[int], warm: int) -> float:
    """Return by how much memory has grown from sample `warm` to the last one, in percent."""
    return 100.0 * (samples_bytes[-1] / samples_bytes[warm] - 1.0)


def latency_figure(stamps_ns: Sequence[int], latency_ms: Milliseconds) -> Figure:
    """Return p50, p99 and the largest latency of each second."""
    from matplotlib.figure import Figure

    second = (np.array(stamps_ns, np.int64) - min(stamps_ns)) // 1_000_000_000
    seconds = np.unique(second)
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    axis = figure.subplots()
    for label, share, colour in (("p50", 50, "#1f6feb"), ("p99", 99, "#bf8700")):
        values = [np.percentile(latency_ms[second == s], share) for s in seconds]
        axis.plot(seconds, values, color=colour, label=label)
    largest = [latency_ms[second == s].max() for s in seconds]
    axis.plot(seconds, largest, ".", color="#8c959f", markersize=3, label="largest")
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("s")
    axis.set_ylabel("ms")
    axis.grid(alpha=0.25, which="both")
    axis.legend()
    return figure
