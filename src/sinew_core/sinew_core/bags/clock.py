"""Bring log times to the clock of the joint states' header stamps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sinew_core.bags.storage import Integers, seconds
from sinew_core.robots.arrays import Array

SAME, SHIFTED, WARPED = "same", "shifted", "warped"
_SAME_S = 0.1
"""Log times within so much of the stamps are of the same clock; the difference is transport."""
_MAX_DRIFT = 1e-3
_DRIFT_SIGMAS = 4.0
"""A drift counts as larger only beyond what jitter makes of it, which is much in a second's bag."""
_MEDIAN_SIGMA = 1.2533
"""Standard deviation of a median, over that of a mean of as many normal samples."""
_JITTER_PERIODS = 5.0
_JITTER_S = 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class StampClock:
    """How log times and header stamps of N joint states go together.

    Attributes:
        relation: `same` clock; `shifted`: another zero, or a slow drift; `warped`: another rate,
            as where a simulation does not run in real time.
        offset_s: median of log time minus stamp.
        jitter_s: standard deviation of that, from the median deviation, without drift.
        drift: s of offset per s of stamps.
        log_ns, stamp_ns: (N,) of the joint states.
    """

    relation: str
    offset_s: float
    jitter_s: float
    drift: float
    log_ns: Integers
    stamp_ns: Integers

    def to_stamps(self, log_ns: Integers, zero_ns: int) -> Array:
        """Return times (m,) s on the clock of the stamps, counted from `zero_ns`."""
        if self.relation == SAME:
            return seconds(log_ns - zero_ns)
        first_log, first_stamp = int(self.log_ns[0]), int(self.stamp_ns[0])
        if self.relation == SHIFTED:
            middle = int(self.stamp_ns[self.stamp_ns.size // 2])
            offset_ns = round(self.offset_s * 1e9)
            since_middle_s = seconds(log_ns - offset_ns - middle)
            since_zero_s = seconds(log_ns - offset_ns - zero_ns)
            return np.asarray(since_zero_s - self.drift * since_middle_s)
        known, at = seconds(self.log_ns - first_log), seconds(log_ns - first_log)
        stamps = seconds(self.stamp_ns - first_stamp)
        inside = np.interp(at, known, stamps)
        # Before the first and after the last state, time goes on at the rate of the log.
        outside = np.minimum(at - known[0], 0.0) + np.maximum(at - known[-1], 0.0)
        return np.asarray(inside + outside + (first_stamp - zero_ns) * 1e-9)


def compare_clocks(log_ns: Integers, stamp_ns: Integers) -> StampClock:
    """Find out how log times (N,) and stamps (N,), increasing, of joint states go together."""
    offset_ns = log_ns - stamp_ns
    middle_ns = int(np.median(offset_ns))
    offset_s = seconds(offset_ns - middle_ns)
    time_s = seconds(stamp_ns - stamp_ns[0])
    tenth = max(1, stamp_ns.size // 10)
    span_s = float(np.median(time_s[-tenth:]) - np.median(time_s[:tenth]))
    change_s = float(np.median(offset_s[-tenth:]) - np.median(offset_s[:tenth]))
    drift = change_s / span_s if span_s > 0.0 else 0.0
    rest = offset_s - drift * (time_s - time_s[time_s.size // 2])
    jitter_s = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    period_s = float(np.median(np.diff(time_s))) if time_s.size > 1 else 0.0
    sigma_s = _MEDIAN_SIGMA * jitter_s * math.sqrt(2.0 / tenth)
    slow = abs(change_s) - _DRIFT_SIGMAS * sigma_s <= _MAX_DRIFT * span_s
    steady = slow and jitter_s <= max(_JITTER_S, _JITTER_PERIODS * period_s)
    near = abs(middle_ns) * 1e-9 <= _SAME_S and abs(change_s) <= _SAME_S
    relation = (SAME if near else SHIFTED) if steady else WARPED
    return StampClock(
        relation=relation,
        offset_s=middle_ns * 1e-9,
        jitter_s=jitter_s,
        drift=drift,
        log_ns=log_ns,
        stamp_ns=stamp_ns,
    )
