"""The loop over physics steps behind `rollout`, compiled."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

import numba
import numpy as np
from numba.extending import register_jitable

from sinew_core.robots.arrays import Array
from sinew_core.simulation import arm_control, joint_equations
from sinew_core.simulation.arm_control import STRENGTH, Signal, commanded_efforts
from sinew_core.simulation.compiling import register_dynamics, sources_hash
from sinew_core.simulation.engine import STOP_CORRECTION
from sinew_core.simulation.joint_equations import (
    LOWER,
    UPPER,
    Flags,
    links_of,
    matrix,
    solve_speeds,
    tuple_of,
    vector,
    weight_of,
    work_space,
    write_motors,
)

IDEAL_VELOCITY, IDEAL_POSITION = 3, 4
"""Modes beside those of `arm_control`: drives that are as fast, or where, they are told."""
HIGHEST_SPEED = 0
"""Row of what joints under ideal drives for positions have, beside their strength."""

Links = tuple[Array, Array, Array]
Samples = tuple[Array, Array, Array, Array]

ROUNDING = 1e-6
"""Of a physics step: what is so little after a step's end, or beginning, is at it."""
_FASTEST_RAD_S = 1e4
"""Beyond it a motion has diverged."""


def run_arm(
    links: Links, nominal_bodies: Array, joints: Array, control: Array, mode: int,
    compensated: bool, period_s: float, delay_s: float, signal: Signal, position: Array,
    velocity: Array, integral: Array, samples: Samples,
) -> int:  # fmt: skip
    """Move an arm from (n,) rad, rad/s at 0 s on; return the step in which it diverged, or -1.

    Args:
        links: chain, bodies and gravity of the arm.
        nominal_bodies: that gravity compensation goes by.
        joints: rows of `joint_law`.
        control: rows of `arm_control`.
        mode: one of the modes there or above.
        compensated: whether the nominal arm's gravity effort is added.
        period_s: of the physics.
        delay_s: age of the commands.
        signal: of the commands: times, starts, ends, rises.
        position: changed.
        velocity: changed.
        integral: (n,) N m of velocity loops, changed.
        samples: times (N,), the first 0; positions, velocities, efforts (N, n), written.
    """
    n = position.size
    work, by_velocity = work_space(n), mode >= IDEAL_VELOCITY
    inertia, bias, weight = np.empty((n, n)), np.empty(n), np.zeros(n)
    wanted, command, motor = np.zeros(n), np.zeros(n), np.zeros(n)
    before, speed, effort = position.copy(), velocity.copy(), np.empty(n)
    stopped = np.zeros(n, np.bool_)
    index, step, sample, due_s = 0, 0, 0, -np.inf
    while True:
        begin_s = step * period_s - delay_s
        links_of(*links, position, velocity, inertia.reshape(n * n), bias, work)
        if compensated:
            weight_of(links[0], nominal_bodies, links[2], work, weight)
        if mode == IDEAL_POSITION:
            now_s = begin_s + ROUNDING * period_s
            index, due_s = aim(signal, control, index, due_s, now_s, position, command)
        else:
            index = commanded_efforts(
                mode, control, signal, signal[0].size, index, begin_s, period_s, position,
                velocity, weight, integral, wanted, command,
            )  # fmt: skip
        solve_speeds(
            inertia, bias, joints, period_s, position, velocity, command, by_velocity,
            speed, effort, stopped, work,
        )  # fmt: skip
        write_motors(joints, command, by_velocity, speed, effort, stopped, motor)
        before[:] = position
        if not advance(joints, period_s, stopped, speed, position):
            return step
        sample = take_samples(
            samples, sample, step, period_s, before, position, velocity, speed, motor
        )
        if sample == samples[0].size:
            return -1
        velocity[:] = speed
        step += 1


@register_jitable
def aim(
    signal: Signal, control: Array, index: int, due_s: float, now_s: float, position: Array,
    command: Array,
) -> tuple[int, float]:  # fmt: skip
    """Write the speeds (n,) of ideal drives for positions, as `PositionDrive` does.

    A speed holds for the command period, or until another command arrives: returns which one is in
    force, and until when.
    """
    times, _, ends, rises = signal
    newest = index
    while newest + 1 < times.size and times[newest + 1] <= now_s:
        newest += 1
    if newest == index and now_s < due_s:
        return index, due_s
    for i in range(position.size):
        speed = (ends[newest, i] - position[i]) / rises[newest]
        highest = control[HIGHEST_SPEED, i]
        command[i] = control[STRENGTH, i] * min(max(speed, -highest), highest)
    return newest, now_s + rises[newest]


@register_jitable
def advance(
    joints: Array, period_s: float, stopped: Flags, speed: Array, position: Array
) -> bool:  # fmt: skip
    """Move positions (n,) on by one step; return whether all is finite.

    A joint that its stop holds is led back to it as softly as the engines do.
    """
    fastest = 0.0
    for i in range(position.size):
        if stopped[i]:
            bound = min(max(position[i], joints[LOWER, i]), joints[UPPER, i])
            position[i] += STOP_CORRECTION * (bound - position[i])
        else:
            position[i] += period_s * speed[i]
        fastest += abs(speed[i])
    return fastest < _FASTEST_RAD_S


@register_jitable
def take_samples(
    samples: Samples, first: int, step: int, period_s: float, before: Array, after: Array,
    speed_before: Array, speed: Array, motor: Array,
) -> int:  # fmt: skip
    """Write the samples of a step, `first` being the next one; return which is next then.

    Between steps positions are cubic (Hermite), velocities linear; efforts hold over a step.
    """
    times, positions, velocities, efforts = samples
    k = first
    while k < times.size:
        x = times[k] / period_s - step
        if x > 1.0 + ROUNDING:
            break
        rest = 1.0 - x
        a, b = (1.0 + 2.0 * x) * rest * rest, x * x * (3.0 - 2.0 * x)
        c, d = period_s * x * rest * rest, -period_s * x * x * rest
        for i in range(after.size):
            positions[k, i] = a * before[i] + b * after[i] + c * speed_before[i] + d * speed[i]
            velocities[k, i] = rest * speed_before[i] + x * speed[i]
            efforts[k, i] = motor[i]
        k += 1
    return k


_SIGNATURE = numba.intp(
    *[tuple_of((vector, vector, vector)), vector, matrix, matrix, numba.intp, numba.boolean],
    *[numba.float64, numba.float64, tuple_of((vector, matrix, matrix, vector))],
    *[vector, vector, vector, tuple_of((vector, matrix, matrix, matrix))],
)


@functools.cache
def arm_kernel() -> Callable[..., int]:
    """Compile `run_arm` with all that it calls, whose files numba's cache does not know."""
    register_dynamics()
    sources = sources_hash(arm_control, joint_equations, sys.modules[__name__])
    run = register_jitable(run_arm)

    def roll_out(
        links: Links, nominal_bodies: Array, joints: Array, control: Array, mode: int,
        compensated: bool, period_s: float, delay_s: float, signal: Signal, position: Array,
        velocity: Array, integral: Array, samples: Samples,
    ) -> int:  # fmt: skip
        sources  # noqa: B018 - see above
        return run(
            links, nominal_bodies, joints, control, mode, compensated, period_s, delay_s, signal,
            position, velocity, integral, samples,
        )  # fmt: skip

    kernel: Callable[..., int] = numba.njit(_SIGNATURE, cache=True, nogil=True)(roll_out)
    return kernel
