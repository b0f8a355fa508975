"""The velocity drive of the MuJoCo engine, compiled: MuJoCo has no actuator that does this.

A velocity actuator clips its explicit force before the implicit solution, so a stiff one with an
effort limit chatters, and a soft one sags. This drive computes in every physics step the efforts
that bring all joints to their target speed, tau = M (v_target - v) / h + c, between the two halves
of MuJoCo's step, where M and the bias c are known. Where an effort would exceed its limit it solves
the box-constrained problem of ideal motors: full effort where saturated, else the target speed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import llvmlite.binding  # type: ignore[import-untyped]  # has no types
import mujoco
import numba
import numpy as np
from numba import types

from sinew_core.robots.arrays import Array

_MAX_SWEEPS = 1000
_SWEEP_TOLERANCE = 1e-12
"""rad/s: the sweeps end when no joint's speed is corrected by more."""


def _load_library() -> None:
    """Make MuJoCo's own shared library known to the compiler by its symbols."""
    folder = Path(mujoco.__file__).parent
    names = ("libmujoco.so*", "libmujoco*.dylib", "mujoco.dll")
    library = next(path for name in names for path in sorted(folder.glob(name)))
    llvmlite.binding.load_library_permanently(str(library))


def _symbol(name: str, *arguments: types.Type) -> Callable[..., None]:
    return cast(Callable[..., None], types.ExternalFunction(name, types.void(*arguments)))


_load_library()
_POINTER = types.intp
_step1 = _symbol("mj_step1", _POINTER, _POINTER)
_step2 = _symbol("mj_step2", _POINTER, _POINTER)
_mul_m = _symbol("mj_mulM", _POINTER, _POINTER, _POINTER, _POINTER)
_solve_m = _symbol("mj_solveM", _POINTER, _POINTER, _POINTER, _POINTER, types.int32)


@numba.njit(cache=True)
def drive(
    model: int,
    data: int,
    n_steps: int,
    period_s: float,
    position: Array,
    velocity: Array,
    bias: Array,
    load: Array,
    applied: Array,
    lower: Array,
    upper: Array,
    limit: Array,
    target: Array,
) -> None:
    """Advance towards the target speeds.

    Args:
        model: address of the mjModel.
        data: address of the mjData.
        n_steps: physics steps.
        period_s: duration of one.
        position: view (n,) of qpos.
        velocity: view (n,) of qvel.
        bias: qfrc_bias (m,): that of the arm's joints, then that of what stands before it.
        load: (n,) N m, what contacts did to the joints in the step before, which is made up for:
            zeros where nothing touches, else a view of qfrc_constraint.
        applied: view (n,) of qfrc_applied, written.
        lower: (n,) rad, the stops.
        upper: (n,) rad.
        limit: (n,) N m.
        target: (n,) rad/s.
    """
    n, n_free = target.size, bias.size
    aim, effort, acceleration = np.empty(n), np.empty(n_free), np.zeros(n_free)
    bound = np.empty(n)
    for _ in range(n_steps):
        _step1(model, data)
        saturated = False
        for i in range(n):
            # A joint that pushes against its stop goes nowhere, whatever it is told.
            pressed = (position[i] <= lower[i] and target[i] < 0.0) or (
                position[i] >= upper[i] and target[i] > 0.0
            )
            aim[i] = 0.0 if pressed else target[i]
            bound[i] = np.inf if pressed else limit[i]
            acceleration[i] = (aim[i] - velocity[i]) / period_s
        _mul_m(model, data, effort.ctypes.data, acceleration.ctypes.data)
        for i in range(n):
            effort[i] += bias[i] - load[i]
            saturated |= abs(effort[i]) > bound[i]
        if saturated:
            _saturate(model, data, period_s, velocity, bias, load, bound, aim, effort)
        for i in range(n):
            applied[i] = effort[i] if bound[i] < np.inf else np.sign(target[i]) * limit[i]
        _step2(model, data)


@numba.njit(cache=True)
def _saturate(
    model: int,
    data: int,
    period_s: float,
    velocity: Array,
    bias: Array,
    load: Array,
    bound: Array,
    aim: Array,
    effort: Array,
) -> None:
    """Write the (n,) efforts of ideal motors with bounds, by projected Gauss-Seidel sweeps."""
    n, n_free = aim.size, bias.size
    inverse = np.empty((n_free, n_free))
    identity = np.eye(n_free)
    _solve_m(model, data, inverse.ctypes.data, identity.ctypes.data, n_free)
    following = np.empty(n)
    for i in range(n):
        effort[i] = min(max(effort[i], -bound[i]), bound[i])
    for i in range(n):
        following[i] = velocity[i]
        for j in range(n):
            following[i] += period_s * inverse[i, j] * (effort[j] + load[j] - bias[j])
    for _ in range(_MAX_SWEEPS):
        change = 0.0
        for i in range(n):
            wanted = effort[i] + (aim[i] - following[i]) / (period_s * inverse[i, i])
            delta = min(max(wanted, -bound[i]), bound[i]) - effort[i]
            effort[i] += delta
            for j in range(n):
                following[j] += period_s * inverse[j, i] * delta
            change = max(change, abs(period_s * inverse[i, i] * delta))
        if change < _SWEEP_TOLERANCE:
            break
