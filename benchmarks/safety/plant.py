"""Drives at the edge of what the filter assumes, as functions of one joint that numba compiles.

A new command is reached by a ramp over the first part of the period; gain, jitter and drift sit at
an end of their range, measurements have any age up to the declared latency, and noise. What chance
decides is an argument of `move` and `measure`; `draw_*` make it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from sinew_core.safety.parameters import SafetyParameters

Array = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]

# Entries of `drive`: what a drive of the declared kind may do.
PERIOD, NOISE, DRIFT, GAIN_ERROR, JITTER, LATENCY, DEAD_TIME, LONGEST_RAMP = range(8)
# Rows of `plant` (4, n): position, velocity, part of a period that the ramp takes, and the sign
# of the errors.
X, V, RAMP, SIGN = range(4)
# Rows of one period of `past` (L, 5, n), from which an old position is found.
START, BEFORE, AFTER, SCALE, CONSTANT = range(5)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_DISCARDED = np.uint64(11)


def drive_constants(parameters: SafetyParameters, period_s: float) -> Array:
    """Return the entries of `drive` for assumptions and a filter period."""
    p = parameters
    return np.array(
        [
            period_s,
            p.noise_rad,
            p.drift_rad_s,
            p.gain_error,
            p.jitter,
            p.max_latency_periods,
            p.dead_time_periods,
            2.0 * p.interpolation,
        ]
    )


@register_jitable
def uniform(state: Bits) -> float:
    """Return a number in [0, 1) and advance the generator (1,): splitmix64 (Steele, 2014)."""
    state[0] += _GOLDEN
    z = state[0]
    z = (z ^ (z >> _SHIFT_1)) * _MIX_1
    z = (z ^ (z >> _SHIFT_2)) * _MIX_2
    z = z ^ (z >> _SHIFT_3)
    return float(z >> _DISCARDED) * 2.0**-53


@register_jitable
def inside(
    part: float,
    ramp: float,
    period: float,
    start: float,
    before: float,
    after: float,
    scale: float,
    constant: float,
) -> float:
    """Return the position after a part (0 to 1) of a period, in rad."""
    if part < ramp:
        moved = before * part + (after - before) * part * part / (2.0 * ramp)
    else:
        moved = after * part + (before - after) * ramp / 2.0
    return start + period * (scale * moved + constant * part)


@register_jitable
def move(
    drive: Array,
    plant: Array,
    past: Array,
    newest: int,
    j: int,
    command: float,
    end: float,
) -> tuple[float, float]:
    """Run one period of joint `j`; return the least and the greatest position in it.

    `end` times jitter and gain error are those of this period; `past[newest]` is written.
    """
    period, ramp, sign = drive[PERIOD], plant[RAMP][j], plant[SIGN][j]
    start, before = plant[X][j], plant[V][j]
    scale = (1.0 + end * drive[JITTER]) * (1.0 + end * drive[GAIN_ERROR])
    constant = 0.0
    if command != 0.0 or before != 0.0:
        constant = sign * drive[DRIFT] * (1.0 + end * drive[JITTER])
    x = inside(1.0, ramp, period, start, before, command, scale, constant)
    least, greatest = min(start, x), max(start, x)
    # Within the ramp the velocity is linear in time; where it is zero the position has an extremum.
    first, last = scale * before + constant, scale * command + constant
    if first * last < 0.0:
        turn = ramp * first / (first - last)
        middle = inside(turn, ramp, period, start, before, command, scale, constant)
        least, greatest = min(least, middle), max(greatest, middle)
    record = past[newest]
    record[START][j], record[BEFORE][j], record[AFTER][j] = start, before, command
    record[SCALE][j], record[CONSTANT][j] = scale, constant
    plant[X][j], plant[V][j] = x, command
    return least, greatest


@register_jitable
def measure(
    drive: Array,
    plant: Array,
    past: Array,
    newest: int,
    j: int,
    age: float,
    noise: float,
) -> float:
    """Return the position of joint `j` an `age` of periods ago, plus `noise` in rad."""
    if age <= 0.0:
        return float(plant[X][j] + noise)
    back = int(age)
    part = 1.0 - (age - back)
    if part == 1.0:
        back, part = back - 1, 0.0
    record = past[(newest - back) % len(past)]
    return noise + inside(
        part,
        plant[RAMP][j],
        drive[PERIOD],
        record[START][j],
        record[BEFORE][j],
        record[AFTER][j],
        record[SCALE][j],
        record[CONSTANT][j],
    )


@register_jitable
def draw_end(rng: Bits, plant: Array, j: int) -> float:
    """Return 0, or the end of jitter and gain for the next period; the sign of errors may flip."""
    if uniform(rng) < 0.1:
        plant[SIGN][j] = -plant[SIGN][j]
    kind = int(4.0 * uniform(rng))
    if kind == 0:
        return 0.0
    return float(-plant[SIGN][j] if kind == 1 else plant[SIGN][j])


@register_jitable
def draw_measurement(
    rng: Bits, drive: Array, plant: Array, j: int, elapsed: int
) -> tuple[float, float]:
    """Return age and noise of a measurement, mostly at their ends."""
    kind = int(3.0 * uniform(rng))
    age = 0.0 if kind == 0 else min(drive[LATENCY], float(elapsed))
    if kind == 2:
        age *= uniform(rng)
    end = plant[SIGN][j]
    if uniform(rng) >= 0.8:
        end = 2.0 * uniform(rng) - 1.0
    return age, drive[NOISE] * end


@register_jitable
def draw_drive(rng: Bits, drive: Array, plant: Array, j: int, position: float) -> None:
    """Put joint `j` at rest at a position, with a ramp and a sign of the errors."""
    kind = int(3.0 * uniform(rng))
    ramp = float(kind) if kind < 2 else uniform(rng)
    plant[X][j], plant[V][j] = position, 0.0
    plant[RAMP][j] = drive[LONGEST_RAMP] * ramp
    plant[SIGN][j] = -1.0 if uniform(rng) < 0.5 else 1.0
