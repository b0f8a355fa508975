"""Desired commands that seek trouble, as functions of one joint that numba compiles."""

from __future__ import annotations

import math

from numba.extending import register_jitable

from benchmarks.safety.plant import Array, Bits, Counts, uniform
from sinew_core.safety import equations as eq

PUSH, TURN, CHASE, REACH, NOISE, CREEP, STILL = range(7)
"""Long pushes; turns as soon as the filter brakes; the greatest speed that can still stop; the
limit itself in one period; noise; hardly any motion; none."""
MODES = 7
SWITCH = 1.0 / 40.0
"""How often a joint's wishes change their kind, a period."""
NOT_FINITE = 1.0 / 400.0
"""How often a command of the arm is not finite."""


@register_jitable
def draw_mode(rng: Bits, modes: Counts, sides: Array, j: int) -> None:
    """Choose what joint `j` will wish for, and on which side."""
    modes[j] = int(MODES * uniform(rng))
    sides[j] = -1.0 if uniform(rng) < 0.5 else 1.0


@register_jitable
def wish_velocity(
    rng: Bits,
    modes: Counts,
    sides: Array,
    j: int,
    speed: float,
    deceleration: float,
    period: float,
    cause: int,
    room_below: float,
    room_above: float,
) -> float:
    """Return a desired velocity; the rooms are the true distances of the rest point to the limits.

    `cause` is that of the last command.
    """
    if uniform(rng) < SWITCH:
        draw_mode(rng, modes, sides, j)
    mode = modes[j]
    chance = uniform(rng)
    if (mode == PUSH and chance < 0.02) or (
        mode == TURN and cause == eq.BY_POSITION and chance < 0.3
    ):
        sides[j] = -sides[j]
    side = float(sides[j])
    if mode in (PUSH, TURN):
        return 3.0 * side * speed
    if mode == NOISE:
        return (3.0 * chance - 1.5) * speed
    if mode == STILL:
        return 0.0
    if mode == CREEP:
        return side * speed * math.pow(10.0, -14.0 * chance)
    room = room_above if side > 0.0 else room_below
    if mode == REACH:
        return side * min(room / period, 3.0 * speed)
    return side * eq.largest_speed(room, deceleration, period, 0.0) * (1.0 + 1e-6 * (chance - 0.5))


@register_jitable
def wish_position(
    rng: Bits,
    modes: Counts,
    sides: Array,
    j: int,
    previous: float,
    position: float,
    velocity: float,
    speed_step: float,
    period: float,
    lower: float,
    upper: float,
) -> float:
    """Return a desired position: `previous` again, unless the kind of wish asks for another.

    `position` and `velocity` are those of the reference, lower and upper the limits that hold.
    """
    if uniform(rng) < SWITCH:
        draw_mode(rng, modes, sides, j)
        chance = uniform(rng)
        if modes[j] == NOISE:
            return lower + chance * (upper - lower)
        if modes[j] in (PUSH, TURN):
            return upper + 10.0 * chance if sides[j] > 0.0 else lower - 10.0 * chance
    mode, side = modes[j], float(sides[j])
    chance = uniform(rng)
    if mode == TURN and chance < 0.05:
        sides[j] = -side
        return upper + chance if sides[j] > 0.0 else lower - chance
    if mode == CHASE:
        room = upper - position if side > 0.0 else position - lower
        ahead = eq.largest_speed(room, speed_step / period, period, 0.0)
        return position + side * period * ahead * (1.0 + 1e-6 * (chance - 0.5))
    if mode == REACH:
        return upper if side > 0.0 else lower
    if mode == CREEP:
        return position + period * velocity + side * period * speed_step * chance
    if mode == STILL:
        return position
    return previous


@register_jitable
def not_finite(rng: Bits) -> float:
    """Return one of NaN, inf and -inf."""
    chance = uniform(rng)
    if chance < 0.4:
        return math.nan
    return math.inf if chance < 0.7 else -math.inf
