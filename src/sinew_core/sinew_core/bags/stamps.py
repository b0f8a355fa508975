"""Decide which joint states have stamps that can be used: header stamps count, never bag time."""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray

from sinew_core.bags.defects import Findings
from sinew_core.bags.storage import Integers
from sinew_core.errors import BagError
from sinew_core.robots.arrays import Array

Rows = NDArray[np.bool_]
_MAX_SHARE = 0.01
"""Of samples whose stamps go back, or are repeated with other positions; more are refused."""
_MAX_RUN = 10
"""Samples in a row whose stamps go back; more are a clock that was set back."""
_NEAR = 8
"""A stamp is repeated if it was so few samples ago; before that, the clock was set back."""
_ZEROS_AT_START = 1


def refuse_zero_stamps(
    stamp_ns: Integers, log_ns: Integers, place: str, findings: Findings
) -> None:
    """Refuse stamps that were never set; the first of a simulation may be 0.

    Raises:
        BagError: more than the first are 0.
    """
    zeros = np.flatnonzero(stamp_ns == 0)
    if not zeros.size:
        return
    if zeros.size > _ZEROS_AT_START or zeros[0] != 0:
        raise BagError(
            f"{place}: {zeros.size} of {stamp_ns.size} joint states have the stamp 0, first at "
            f"{log_ns[zeros[0]]} ns: let the driver set header.stamp, and record again"
        )
    findings.add(
        "stamp_zero", topic_of(place), 1, log_ns[0], "the first joint state has the stamp 0"
    )


def usable_stamps(
    stamp_ns: Integers, log_ns: Integers, position: Array, place: str, findings: Findings
) -> Rows:
    """Return which samples to keep, so that stamps increase strictly.

    Kept is a longest increasing subsequence, which one stamp far in the future does not spoil.

    Raises:
        BagError: too many stamps go back, or are repeated with other positions.
    """
    keep = np.ones(stamp_ns.size, bool)
    if stamp_ns.size < 2 or (np.diff(stamp_ns) > 0).all():
        return keep
    keep[:] = False
    keep[_longest_increasing(stamp_ns)] = True
    kept = np.flatnonzero(keep)
    dropped = np.flatnonzero(~keep)
    place_of = np.searchsorted(stamp_ns[kept], stamp_ns[dropped]).clip(0, kept.size - 1)
    twin = kept[place_of]
    # A simulation that waits publishes the same state for as long as it does.
    stay = np.concatenate([[0], np.cumsum(np.diff(stamp_ns) != 0)])
    near = (np.abs(twin - dropped) <= _NEAR) | (stay[twin] == stay[dropped])
    is_repeated = (stamp_ns[twin] == stamp_ns[dropped]) & near
    _judge_repeated(dropped[is_repeated], twin[is_repeated], log_ns, position, place, findings)
    _judge_backward(dropped[~is_repeated], stamp_ns, log_ns, place, findings)
    return keep


def _judge_repeated(
    repeated: NDArray[np.intp],
    twin: NDArray[np.intp],
    log_ns: Integers,
    position: Array,
    place: str,
    findings: Findings,
) -> None:
    if not repeated.size:
        return
    differing = (position[repeated] != position[twin]).any(axis=1)
    total = log_ns.size
    if differing.sum() > _MAX_SHARE * total:
        raise BagError(
            f"{place}: {differing.sum()} of {total} joint states repeat a stamp with other "
            f"positions, first at {log_ns[repeated[differing][0]]} ns: several publishers share "
            "the topic, or stamps are too coarse; record one publisher"
        )
    text = f"{repeated.size} of {total} joint states repeat a stamp"
    findings.add("stamp_repeated", topic_of(place), repeated.size, log_ns[repeated[0]], text)


def _judge_backward(
    backward: NDArray[np.intp],
    stamp_ns: Integers,
    log_ns: Integers,
    place: str,
    findings: Findings,
) -> None:
    if not backward.size:
        return
    back = np.flatnonzero(np.diff(stamp_ns) < 0)
    furthest_s = 1e-9 * float(-np.diff(stamp_ns)[back].min(initial=0))
    runs = np.split(backward, np.flatnonzero(np.diff(backward) > 1) + 1)
    longest = max(run.size for run in runs)
    total = stamp_ns.size
    first = log_ns[back[0] + 1] if back.size else log_ns[backward[0]]
    if backward.size > _MAX_SHARE * total + 1 or longest > _MAX_RUN:
        raise BagError(
            f"{place}: stamps go back {back.size} times in {total} joint states, by up to "
            f"{furthest_s:.3g} s, first at {first} ns: the clock was set back or several "
            "publishers share the topic; record each run in a bag of its own, from one publisher"
        )
    text = f"{backward.size} of {total} stamps are out of order, by up to {furthest_s:.3g} s"
    findings.add("stamp_backward", topic_of(place), backward.size, first, text)


def topic_of(place: str) -> str:
    """Return the topic at the end of a place."""
    return place.rpartition(" ")[2]


def _longest_increasing(values: Integers) -> list[int]:
    """Return the indices of a longest strictly increasing subsequence (patience sorting)."""
    tails: list[int] = []
    tail_index: list[int] = []
    before = [-1] * values.size
    for i, value in enumerate(values.tolist()):
        at = bisect.bisect_left(tails, value)
        if at == len(tails):
            tails.append(value)
            tail_index.append(i)
        else:
            tails[at], tail_index[at] = value, i
        before[i] = tail_index[at - 1] if at else -1
    chain = []
    i = tail_index[-1]
    while i >= 0:
        chain.append(i)
        i = before[i]
    return chain[::-1]
