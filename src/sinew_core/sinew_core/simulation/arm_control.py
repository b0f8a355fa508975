"""The laws of an arm's joint controllers, compiled: for roll-outs and for the engines alike.

A controller sees its commands as a signal of the time at which they were sent: steps (`zoh`), or
from each command on a straight line to it, which takes one command period (`linear`). A physics
step of h that begins at t goes by that signal from t - delay to t - delay + h: a command that
arrives within the step counts for the rest of it, so the motion is a continuous function of the
delay, not one of whole steps. The state is that at the step's beginning, as a sampled controller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numba.extending import register_jitable

from sinew_core.errors import ConfigError, UnstableError
from sinew_core.robots import dynamics
from sinew_core.robots.arm_controller import GAINS, MODES, ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.inertia import Body, carried_bodies
from sinew_core.robots.model import RobotModel
from sinew_core.robots.reach import work_postures
from sinew_core.robots.sim_params import SimParams

POSITION, VELOCITY, EFFORT = range(len(MODES))
STIFFNESS, DAMPING, STRENGTH, LIMIT = range(4)
"""Rows of what a joint's controller has. Of a velocity loop the stiffness is that of the integral,
which acts on the way that the joint lags behind."""

Signal = tuple[Array, Array, Array, Array]

LONG_AGO_S = -1e300


def control_rows(robot: RobotModel, controller: ArmController, arm: ArmDynamics) -> Array:
    """Return the rows (4, n) of what each joint's controller and motor have.

    Raises:
        ConfigError: for a gain that is missing, of another length, negative or not finite.
    """
    rows = np.zeros((4, robot.n_joints))
    for name in GAINS[controller.mode]:
        gains = controller.gains.get(name)
        if gains is None or gains.shape != (robot.n_joints,):
            found = "missing" if gains is None else f"{gains.size} values"
            raise ConfigError(
                f"controller: {name} is {found}: a {controller.mode} controller of {robot.name} "
                f"needs one for each of its {robot.n_joints} joints"
            )
        if not (np.isfinite(gains).all() and (gains >= 0.0).all()):
            raise ConfigError(
                f"controller: {name} is {gains.tolist()}: expected finite numbers from 0 up"
            )
        rows[STIFFNESS if name in ("kp", "ki_v") else DAMPING] = gains
    rows[STRENGTH] = arm.motor_strength
    rows[LIMIT] = robot.limits.effort_nm
    return rows


def check_controllers(robot: RobotModel, params: SimParams, physics_rate_hz: int) -> None:
    """Check the joint controllers of an arm, where it has any, all over where its tool works.

    Raises:
        ConfigError: wrong gains, or gains too high for the physics rate.
    """
    if params.controller is not None:
        rows = control_rows(robot, params.controller, params.dynamics)
        check_stability(robot, params.dynamics, rows, physics_rate_hz, work_postures(robot))


def check_stability(
    robot: RobotModel,
    arm: ArmDynamics,
    rows: Array,
    physics_rate_hz: int,
    postures: Iterable[Array],
) -> None:
    """Check that the controllers, which go by the state before a step, diverge in no posture.

    With stiffness K, damping D, inertia M with rotors, and viscous friction B, semi-implicit Euler
    is stable where 4 (M + h B) - 2 h D - h² K is positive definite.

    Raises:
        UnstableError: it is not at one of (n,) rad; names the joint and the least rate that works.
    """
    inertias = [_inertia(robot, arm, posture) for posture in postures]

    def first_unstable(rate_hz: int) -> Array | None:
        period_s = 1.0 / rate_hz
        return next((m for m in inertias if not _stable(m, arm, rows, period_s)), None)

    inertia = first_unstable(physics_rate_hz)
    if inertia is None:
        return
    low, high = physics_rate_hz, 2 * physics_rate_hz
    while first_unstable(high) is not None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if first_unstable(middle) is None:
            high = middle
        else:
            low = middle
    share = rows[DAMPING] / np.diag(inertia)
    worst = int(np.argmax(share))
    raise UnstableError(
        f"physics_rate_hz {physics_rate_hz} is too low for the controller of "
        f"{robot.joint_names[worst]}, damping {rows[DAMPING, worst]:g} N m s/rad on an inertia of "
        f"{inertia[worst, worst]:.3g} kg m²: use {high} or more, smaller gains, or heavier rotors"
    )


def _inertia(robot: RobotModel, arm: ArmDynamics, position_rad: Array) -> Array:
    n = robot.n_joints
    chain, bodies, _ = dynamics.dynamics_rows(robot, arm.bodies(robot))
    rotations, composites, matrix = [0.0] * (9 * n), [0.0] * (10 * n), [0.0] * (n * n)
    dynamics.rotate_joints(position_rad.tolist(), chain, rotations)
    dynamics.inertia_matrix(rotations, chain, bodies, composites, matrix)
    return np.reshape(matrix, (n, n)) + np.diag(arm.armature_kg_m2)


def _stable(inertia: Array, arm: ArmDynamics, rows: Array, period_s: float) -> bool:
    gains = 2.0 * period_s * rows[DAMPING] + period_s * period_s * rows[STIFFNESS]
    free = 4.0 * (inertia + period_s * np.diag(arm.viscous_nm_s_rad))
    return bool(np.linalg.eigvalsh(free - np.diag(rows[STRENGTH] * gains)).min() > 0.0)


def resting_integral(
    robot: RobotModel, params: SimParams, rows: Array, position_rad: Array
) -> Array:
    """Return the integral (n,) N m of velocity loops that hold the arm at rest at (n,) rad.

    That is the arm's weight less what is compensated, by motors of their strength, as far as the
    effort limits go. A loop without an integral holds nothing.
    """
    held = _weight(robot, params.dynamics.bodies(robot), position_rad) / rows[STRENGTH]
    if params.controller is not None and params.controller.gravity_compensation:
        held -= _weight(robot, carried_bodies(robot), position_rad)
    held[rows[STIFFNESS] == 0.0] = 0.0
    clipped: Array = np.clip(held, -rows[LIMIT], rows[LIMIT])
    return clipped


def _weight(robot: RobotModel, carried: Sequence[Body], position_rad: Array) -> Array:
    chain, bodies, gravity = dynamics.dynamics_rows(robot, carried)
    n = robot.n_joints
    rotations, still, effort = [0.0] * (9 * n), [0.0] * n, [0.0] * n
    dynamics.rotate_joints(position_rad.tolist(), chain, rotations)
    dynamics.inverse_dynamics(
        rotations, still, still, chain, bodies, gravity, [0.0] * (6 * n), effort
    )
    return np.array(effort)


@register_jitable
def commanded_efforts(
    mode: int, rows: Array, signal: Signal, count: int, index: int, begin_s: float,
    period_s: float, position: Array, velocity: Array, weight: Array, integral: Array,
    wanted: Array, motor: Array,
) -> int:  # fmt: skip
    """Write the mean of the motors' efforts (n,) N m over a physics step.

    Args:
        mode: what the commands are.
        rows: of `control_rows`.
        signal: when each of m commands was sent (m,), not decreasing, the first long ago; where
            the signal is then (m, n); the command (m, n); how long it takes there (m,), 0: none.
        count: how many of the m count.
        index: of a command not after the step's beginning, such as what was returned before.
        begin_s: of the step, at the age of the commands.
        period_s: of the step.
        position: at its beginning.
        velocity: at its beginning.
        weight: N m that gravity compensation adds.
        integral: of velocity loops, advanced.
        wanted: written on the way.
        motor: written.

    Returns:
        The command that was in force when the step began.
    """
    time_s, starts, ends, rise_s = signal
    while index + 1 < count and time_s[index + 1] <= begin_s:
        index += 1
    motor[:] = 0.0
    k, begin, step_end = index, begin_s, begin_s + period_s
    while True:
        last = k + 1 >= count or time_s[k + 1] >= step_end
        end = step_end if last else time_s[k + 1]
        risen = min(max(time_s[k] + rise_s[k], begin), end)
        if risen > begin:
            share = (0.5 * (begin + risen) - time_s[k]) / rise_s[k]
            for i in range(wanted.size):
                wanted[i] = starts[k, i] + share * (ends[k, i] - starts[k, i])
            part = (risen - begin) / period_s
            add_efforts(
                mode, rows, part, period_s, wanted, position, velocity, weight, integral, motor
            )
        if end > risen:
            # The whole step, which most are, counts as such, whatever the rounding of its end.
            part = 1.0 if last and risen == begin_s else (end - risen) / period_s
            add_efforts(
                mode, rows, part, period_s, ends[k], position, velocity, weight, integral, motor
            )
        if last:
            return index
        k, begin = k + 1, end


@register_jitable
def add_efforts(
    mode: int, rows: Array, part: float, period_s: float, wanted: Array, position: Array,
    velocity: Array, weight: Array, integral: Array, motor: Array,
) -> None:  # fmt: skip
    """Add the motors' efforts (n,) N m under one command, for the part of a step that it holds.

    The integral (n,) N m of a velocity loop takes in the error before it acts, which makes the loop
    the PD controller of the way that the joint lags; it stays within the effort limits.
    """
    for i in range(position.size):
        stiffness, damping, limit = rows[STIFFNESS, i], rows[DAMPING, i], rows[LIMIT, i]
        if mode == POSITION:
            effort = stiffness * (wanted[i] - position[i]) - damping * velocity[i]
        elif mode == VELOCITY:
            error = wanted[i] - velocity[i]
            reached = integral[i] + part * period_s * stiffness * error
            integral[i] = min(max(reached, -limit), limit)
            effort = damping * error + integral[i]
        else:
            effort = wanted[i]
        effort += weight[i]
        motor[i] += part * (rows[STRENGTH, i] * min(max(effort, -limit), limit))


def command_signal(time_s: Array, values: Array, rest: Array, *, hold: str) -> Signal:
    """Return times (m + 1,), starts, ends (m + 1, n) and rises (m + 1,) of a signal of m commands.

    Before the first one it rests at (n,). The command period is the median of what lies between
    two commands.
    """
    times = np.concatenate([[LONG_AGO_S], time_s])
    ends = np.ascontiguousarray(np.vstack([rest, values]))
    rise_s = np.zeros(times.size)
    if hold == "linear":
        rise_s[1:] = command_period_s(time_s)
    starts = np.vstack([ends[:1], ends[:-1]])
    cut_short = np.flatnonzero(np.diff(times) < rise_s[:-1]) + 1
    for k in cut_short.tolist():
        share = (times[k] - times[k - 1]) / rise_s[k - 1]
        starts[k] = starts[k - 1] + share * (ends[k - 1] - starts[k - 1])
    return times, starts, ends, rise_s


def command_period_s(time_s: Array) -> float:
    """Return the median of what lies between commands sent at (m,) s; 0 for less than two."""
    return float(np.median(np.diff(time_s))) if time_s.size > 1 else 0.0
