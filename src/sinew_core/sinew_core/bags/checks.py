"""Check samples for sensors that jump, for gaps, and for units other than SI."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.bags.defects import Findings
from sinew_core.bags.samples import GAP_PERIODS, Samples
from sinew_core.bags.stamps import topic_of
from sinew_core.bags.storage import seconds
from sinew_core.errors import BagError
from sinew_core.robots.arrays import Array

Bounds = tuple[Array, Array]
"""Lower and upper limits of positions (n,) rad."""
_SPIKE_RAD = 0.05
_SPIKE_RAD_S = 30.0
"""A sample is a spike if it is this far from both neighbours, faster than arms move."""
_MAX_SPIKES = 0.01
_FAR_RAD = 1.0
_MAX_FAR = 0.01
_LIKE_DEGREES = 3.0
"""Positions so many times as large as a limit may be degrees."""
_UNBOUNDED_RAD = 8.0 * math.pi
_MOVING_RAD_S = 0.02
_LEAST_MOVING = 20
_VELOCITY_RATIO = (0.7, 1.4)
_DEGREES = 180.0 / math.pi


def drop_spikes(samples: Samples, place: str, findings: Findings) -> Samples:
    """Leave out samples that jump away and back.

    Raises:
        BagError: if there are many: two publishers take turns.
    """
    q = samples.position
    if len(q) < 3:
        return samples
    time_s = seconds(samples.stamp_ns - samples.stamp_ns[0])
    step = np.abs(np.diff(q, axis=0)).max(axis=1)
    fast = (step > _SPIKE_RAD) & (step > _SPIKE_RAD_S * np.diff(time_s))
    across = np.abs(q[2:] - q[:-2]).max(axis=1)
    inner = fast[1:] & fast[:-1] & (across < 0.2 * np.minimum(step[1:], step[:-1]))
    spikes = np.flatnonzero(inner) + 1
    if not spikes.size:
        return samples
    first_ns = samples.log_ns[spikes[0]]
    if spikes.size > max(3, _MAX_SPIKES * len(q)):
        raise BagError(
            f"{place}: positions jump to and fro in {spikes.size} of {len(q)} joint states, first "
            f"at {first_ns} ns: several publishers share the topic; record one of them"
        )
    text = f"{spikes.size} of {len(q)} joint states jump away and back"
    findings.add("position_spike", topic_of(place), spikes.size, first_ns, text)
    keep = np.ones(len(q), bool)
    keep[spikes] = False
    return samples.rows(keep)


def find_gaps(samples: Samples, place: str, findings: Findings) -> tuple[int, ...]:
    """Return the indices of the samples that follow a gap."""
    steps = np.diff(samples.stamp_ns)
    if not steps.size:
        return ()
    period = float(np.median(steps))
    after = np.flatnonzero(steps > GAP_PERIODS * period) + 1
    if after.size:
        text = (
            f"{after.size} gaps of up to {steps.max() * 1e-9:.3g} s between samples of "
            f"{period * 1e-6:.3g} ms"
        )
        findings.add("gap", topic_of(place), after.size, samples.log_ns[after[0]], text)
    return tuple(after.tolist())


def check_positions(
    values: Array, joint_names: Sequence[str], bounds: Bounds | None, place: str
) -> None:
    """Refuse positions (N, n) far beyond the limits.

    Raises:
        BagError: says whether they would fit as degrees.
    """
    n = len(joint_names)
    lower, upper = bounds or (np.full(n, -_UNBOUNDED_RAD), np.full(n, _UNBOUNDED_RAD))
    far = (values < lower - _FAR_RAD) | (values > upper + _FAR_RAD)
    share = far.mean(axis=0) if len(values) else np.zeros(n)
    if not (share > _MAX_FAR).any():
        return
    j = int(share.argmax())
    worst = values[np.abs(values[:, j]).argmax(), j]
    as_degrees = np.radians(values)
    fits = ((as_degrees >= lower - _FAR_RAD) & (as_degrees <= upper + _FAR_RAD)).all()
    reach = np.abs(values) / np.maximum(np.abs(lower), np.abs(upper))
    fits &= bounds is None or reach.max() > _LIKE_DEGREES
    hint = "they fit as degrees, so publish rad" if fits else "give the robot that was recorded"
    raise BagError(
        f"{place}: {joint_names[j]} is at {worst:.4g}, allowed are {lower[j]:.4g} to "
        f"{upper[j]:.4g} rad: {hint}"
    )


def usable_velocity(
    samples: Samples, joint_names: Sequence[str], place: str, findings: Findings
) -> bool:
    """Tell whether velocities are there and are the derivative of the positions."""
    if not is_given(samples, samples.velocity, "velocity", place, findings):
        return False
    if len(samples.position) < 3:
        return True
    time_s = seconds(samples.stamp_ns - samples.stamp_ns[0])
    slope = (samples.position[2:] - samples.position[:-2]) / (time_s[2:] - time_s[:-2])[:, None]
    for j, joint in enumerate(joint_names):
        speed = np.abs(slope[:, j])
        moving = speed > max(_MOVING_RAD_S, 0.3 * float(np.quantile(speed, 0.95)))
        if moving.sum() < _LEAST_MOVING:
            continue
        ratio = float(np.nanmedian(samples.velocity[1:-1, j][moving] / slope[moving, j]))
        if not _VELOCITY_RATIO[0] <= ratio <= _VELOCITY_RATIO[1]:
            unit = _unit_hint(ratio)
            text = f"the velocity of {joint} is {ratio:.3g} times the slope of its position{unit}"
            first_ns = samples.log_ns[1 + int(np.flatnonzero(moving)[0])]
            count = int(moving.sum())
            findings.add("velocity_units", topic_of(place), count, first_ns, text)
            return False
    return True


def drop_missing(
    samples: Samples, values: Array, what: str, place: str, findings: Findings
) -> NDArray[np.bool_]:
    """Return which samples have finite values (N, n) of a field that is used."""
    finite = np.asarray(np.isfinite(values).all(axis=1))
    if not finite.all():
        wrong = np.flatnonzero(~finite)
        text = f"{wrong.size} of {finite.size} joint states lack a finite {what}"
        findings.add(f"nan_{what}", topic_of(place), wrong.size, samples.log_ns[wrong[0]], text)
    return finite


def is_given(samples: Samples, values: Array, what: str, place: str, findings: Findings) -> bool:
    """Tell whether most samples have a field, and that it is not 0 throughout."""
    finite = np.isfinite(values)
    count, text = 0, ""
    if (finite.mean(axis=0) < 0.5).any():
        count = int((~finite.all(axis=1)).sum())
        text = f"{count} of {len(values)} joint states lack the {what} of a joint"
    elif not values[finite].any() and (what == "effort" or _moves(samples)):
        count, text = len(values), f"the {what} is 0 throughout"
    if count:
        findings.add(f"no_{what}", topic_of(place), count, samples.log_ns[0], text)
    return not count


def _moves(samples: Samples) -> bool:
    return bool((np.ptp(samples.position, axis=0) > 1e-3).any())


def _unit_hint(ratio: float) -> str:
    for factor, unit in ((_DEGREES, "degrees"), (60.0 / math.tau, "revolutions per minute")):
        if abs(abs(ratio) / factor - 1.0) < 0.2:
            return f", as in {unit}"
    return ""
