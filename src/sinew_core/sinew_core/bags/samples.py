"""Bring decoded joint states into the order of a robot's joints, one sample after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinew_core.bags.defects import Findings
from sinew_core.bags.joint_states import JointStates
from sinew_core.bags.stamps import refuse_zero_stamps, topic_of, usable_stamps
from sinew_core.bags.storage import Integers, seconds
from sinew_core.errors import BagError
from sinew_core.robots.arrays import Array

Rows = NDArray[np.bool_]
GAP_PERIODS = 3.5
"""Samples further apart than so many median periods have a gap between them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """N samples of n joints; velocity and effort are NaN where a message has none.

    Attributes:
        log_ns, stamp_ns: (N,); stamps are strictly increasing.
        position, velocity, effort: (N, n).
    """

    log_ns: Integers
    stamp_ns: Integers
    position: Array
    velocity: Array
    effort: Array

    def rows(self, chosen: Rows) -> Samples:
        """Return some of the samples."""
        return Samples(
            log_ns=self.log_ns[chosen],
            stamp_ns=self.stamp_ns[chosen],
            position=self.position[chosen],
            velocity=self.velocity[chosen],
            effort=self.effort[chosen],
        )


def assemble(
    kinds: Sequence[JointStates], joint_names: Sequence[str], place: str, findings: Findings
) -> Samples:
    """Return the samples of the joints named.

    Messages that hold all of the joints are taken as they are. Where some hold only a part, each
    joint's own values are interpolated to the times of the joint that has the fewest.

    Args:
        kinds: of one topic.
        joint_names: the n joints, in order.
        place: bag and topic, for messages: `bag 'x', /joint_states`.
        findings: takes the defects.

    Raises:
        BagError: joints are missing, or stamps cannot be used.
    """
    used = [k for k in kinds if k.position.shape[1] == len(k.names) and k.names]
    skipped = [k for k in kinds if k.position.shape[1] != len(k.names)]
    if skipped:
        count = sum(k.index.size for k in skipped)
        first = min(int(k.log_ns.min()) for k in skipped)
        text = f"{count} messages do not have one position per joint"
        findings.add("no_position", topic_of(place), count, first, text)
    used = [k for k in used if set(k.names) & set(joint_names)]
    _require(kinds, used, joint_names, place)
    whole = [k for k in used if set(joint_names) <= set(k.names)]
    if len(whole) == len(used):
        samples = _stack(whole, joint_names)
        refuse_zero_stamps(samples.stamp_ns, samples.log_ns, place, findings)
        samples = _finite(samples, place, findings)
        keep = usable_stamps(samples.stamp_ns, samples.log_ns, samples.position, place, findings)
        return samples.rows(keep)
    return _merge(used, joint_names, place, findings)


def _require(
    kinds: Sequence[JointStates],
    used: Sequence[JointStates],
    joint_names: Sequence[str],
    place: str,
) -> None:
    found = {name for k in used for name in k.names}
    missing = [name for name in joint_names if name not in found]
    if missing:
        named = sorted({name for k in kinds for name in k.names})
        raise BagError(
            f"{place} has no positions of {', '.join(missing)}, it has "
            f"{', '.join(named[:20]) or 'no joint at all'}: give robot:=, joint_prefix:= or "
            "state_topic:= of the arm that was recorded"
        )


def _stack(kinds: Sequence[JointStates], joint_names: Sequence[str]) -> Samples:
    """Return messages that hold all joints, in the order of their log times."""
    index = np.concatenate([k.index for k in kinds])
    log_ns = np.concatenate([k.log_ns for k in kinds])
    order = np.lexsort((index, log_ns))
    columns = []
    for name in ("position", "velocity", "effort"):
        parts = [_columns(k, name, joint_names) for k in kinds]
        columns.append(np.concatenate(parts)[order])
    return Samples(
        log_ns=log_ns[order],
        stamp_ns=np.concatenate([k.stamp_ns for k in kinds])[order],
        position=columns[0],
        velocity=columns[1],
        effort=columns[2],
    )


def _columns(kind: JointStates, name: str, joint_names: Sequence[str]) -> Array:
    values: Array = getattr(kind, name)
    if values.shape[1] != len(kind.names):
        return np.full((kind.index.size, len(joint_names)), np.nan)
    return values[:, [kind.names.index(joint) for joint in joint_names]]


def _finite(samples: Samples, place: str, findings: Findings) -> Samples:
    """Leave out samples with a position that is no number."""
    finite = np.asarray(np.isfinite(samples.position).all(axis=1))
    if not finite.all():
        wrong = np.flatnonzero(~finite)
        text = f"{wrong.size} of {finite.size} joint states have positions that are not finite"
        findings.add("nan_position", topic_of(place), wrong.size, samples.log_ns[wrong[0]], text)
    return samples.rows(finite)


def _merge(
    kinds: Sequence[JointStates], joint_names: Sequence[str], place: str, findings: Findings
) -> Samples:
    """Interpolate each joint's own series to the times of the joint that has the fewest."""
    series = []
    for joint in joint_names:
        own = _stack([k for k in kinds if joint in k.names], [joint])
        refuse_zero_stamps(own.stamp_ns, own.log_ns, place, findings)
        own = _finite(own, place, findings)
        keep = usable_stamps(own.stamp_ns, own.log_ns, own.position, place, findings)
        series.append(own.rows(keep))
    fewest = min(series, key=lambda s: s.stamp_ns.size)
    stamp_ns = fewest.stamp_ns
    known = np.ones(stamp_ns.size, bool)
    for each in series:
        known &= _is_bracketed(stamp_ns, each.stamp_ns)
    shared = [np.isin(stamp_ns, s.stamp_ns).mean() if stamp_ns.size else 1.0 for s in series]
    text = (
        f"messages name only some of the joints; {100 * min(shared, default=1.0):.0f} % of the "
        "times are those of all joints"
    )
    first = min(int(k.log_ns.min()) for k in kinds)
    findings.add("partial_messages", topic_of(place), int(stamp_ns.size), first, text)
    at = stamp_ns[known]
    return Samples(
        log_ns=fewest.log_ns[known],
        stamp_ns=at,
        position=np.column_stack([_interpolate(at, s.stamp_ns, s.position) for s in series]),
        velocity=np.column_stack([_interpolate(at, s.stamp_ns, s.velocity) for s in series]),
        effort=np.column_stack([_interpolate(at, s.stamp_ns, s.effort) for s in series]),
    )


def _is_bracketed(at: Integers, known: Integers) -> Rows:
    """Tell which times have values on both sides, or at them, without a gap between."""
    if not known.size:
        return np.zeros(at.size, bool)
    after = np.searchsorted(known, at).clip(0, known.size - 1)
    before = (np.searchsorted(known, at, side="right") - 1).clip(0)
    inside = (known[before] <= at) & (at <= known[after])
    widest = GAP_PERIODS * np.median(np.diff(known)) if known.size > 1 else 0.0
    return np.asarray(inside & (known[after] - known[before] <= widest))


def _interpolate(at: Integers, known: Integers, values: Array) -> Array:
    """Return values (N,) between those of neighbours; at their own times exactly theirs."""
    if not at.size:
        return np.empty(0)
    zero = at[0]
    between = np.interp(seconds(at - zero), seconds(known - zero), values[:, 0])
    return np.asarray(between, np.float64)
