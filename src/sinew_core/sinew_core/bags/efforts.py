"""Check that efforts are those of an arm, joint by joint: N m, of the right sign, and measured.

What holds the arm's weight is known, so it is looked for in what was measured. For the arm as a
whole that is plain; for a single joint friction, acceleration and an unknown payload may look like
another scale, so a joint is only told wrong where none of them can explain it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.bags.checks import is_given
from sinew_core.bags.defects import Findings
from sinew_core.bags.samples import GAP_PERIODS, Samples
from sinew_core.bags.stamps import topic_of
from sinew_core.bags.storage import Integers, seconds
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.dynamics import dynamics_rows, inverse_dynamics, rotate_joints
from sinew_core.robots.inertia import Body, carried_bodies
from sinew_core.robots.model import RobotModel

_RATIO = (0.4, 2.5)
_EXPLAINED = (0.7, 1.4)
"""Ratios of all joints with a payload that explains them."""
_LEAST_NM = 2.0
_LEAST_OF_JOINT_NM = 3.0
_LEAST_SHARE = 0.05
"""Share of its largest effort that a joint has to hold for a scale of its own."""
_FRICTION_SHARE = 0.1
"""Share of its largest effort that friction never is."""
_LIMIT_FACTOR = 3.0
_SAMPLES = 200
_MOVING_RAD = 0.01
_HALF_WINDOW_S = 0.05
_STICTION_RAD_S = 0.02
_PAYLOADS = np.linspace(0.0, 0.5, 21)
"""As shares of the arm's mass; the strongest arms carry half of their own."""
_INERTIAS = (0.0, 0.01, 0.02)
"""Of motors at their joints, in kg m² for each N m of the largest effort."""
_NO_WEIGHT = 0.15
_NOTHING = 1e-3
"""Motions below this, in N m, rad/s or rad/s², are those of a still arm."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Held:
    """Some samples of an arm, k of them.

    Attributes:
        index: (k,) of the samples.
        effort: (k, n) N m as measured.
        weight: (k, n) N m that hold the arm.
    """

    index: Integers
    effort: Array
    weight: Array


def usable_effort(
    samples: Samples,
    joint_names: Sequence[str],
    robot: RobotModel | None,
    place: str,
    findings: Findings,
) -> bool:
    """Tell whether efforts are there and, for a known robot, hold its weight at every joint."""
    if not is_given(samples, samples.effort, "effort", place, findings):
        return False
    held = None if robot is None else _held(samples, robot)
    problems = _silent(samples, held, joint_names)
    if robot is not None and held is not None and not problems:
        problems = _beyond_limits(samples, robot) or _wrong_scale(samples, held, robot)
    for kind, text in problems:
        count, first_ns = len(samples.effort), samples.log_ns[0]
        findings.add(kind, topic_of(place), count, first_ns, text)
    return not problems


def holding_efforts(
    robot: RobotModel, position_rad: Array, bodies: Sequence[Body] | None = None
) -> Array:
    """Return the efforts (N, n) N m that hold a robot, or other bodies, at positions (N, n) rad."""
    rest = np.zeros_like(position_rad)
    return _moving_efforts(robot, position_rad, rest, rest, bodies)


def _moving_efforts(
    robot: RobotModel,
    position_rad: Array,
    velocity_rad_s: Array,
    acceleration_rad_s2: Array,
    bodies: Sequence[Body] | None = None,
) -> Array:
    """Return the efforts (N, n) N m of a motion."""
    chain, rows, gravity = dynamics_rows(robot, bodies)
    n = robot.n_joints
    rotations, wrenches, efforts = [0.0] * (9 * n), [0.0] * (6 * n), [0.0] * n
    found = []
    motion = (position_rad, velocity_rad_s, acceleration_rad_s2)
    for q, v, a in zip(*(each.tolist() for each in motion), strict=True):
        rotate_joints(q, chain, rotations)
        inverse_dynamics(rotations, v, a, chain, rows, gravity, wrenches, efforts)
        found.append(list(efforts))
    return np.array(found).reshape(-1, n)


def _held(samples: Samples, robot: RobotModel) -> _Held:
    """Return samples from all of the motion."""
    n = len(samples.position)
    chosen = np.unique(np.linspace(0, n - 1, min(n, _SAMPLES)).astype(int))
    chosen = chosen[np.isfinite(samples.effort[chosen]).all(axis=1)]
    weight = holding_efforts(robot, samples.position[chosen])
    return _Held(index=chosen, effort=samples.effort[chosen], weight=weight)


def _silent(
    samples: Samples, held: _Held | None, joint_names: Sequence[str]
) -> list[tuple[str, str]]:
    """Return the joints whose effort is exactly 0 though they move, or hold something."""
    needed = np.ptp(samples.position, axis=0) > _MOVING_RAD
    if held is not None and held.index.size:
        needed |= _rms(held.weight) > _LEAST_NM
    silent = needed & ~np.nan_to_num(samples.effort).any(axis=0)
    if not silent.any():
        return []
    names = ", ".join(name for name, is_so in zip(joint_names, silent, strict=True) if is_so)
    return [("no_effort", f"the effort of {names} is 0 throughout")]


def _beyond_limits(samples: Samples, robot: RobotModel) -> list[tuple[str, str]]:
    size = np.nanquantile(np.abs(samples.effort), 0.99, axis=0)
    over = size > _LIMIT_FACTOR * robot.limits.effort_nm
    if not over.any():
        return []
    j = int(over.argmax())
    text = (
        f"the effort of {robot.joint_names[j]} reaches {size[j]:.4g}, the arm has "
        f"{robot.limits.effort_nm[j]:.4g} N m"
    )
    return [("effort_units", text)]


def _wrong_scale(samples: Samples, held: _Held, robot: RobotModel) -> list[tuple[str, str]]:
    """Return what of the arm's weight is not in its efforts: of the whole arm, else of joints."""
    motion = _motion(samples, held, robot)
    if not motion.effort.size:
        return []
    ratios = _joint_ratios(motion, robot)
    told = ~np.isnan(ratios)
    wrong = {
        name: ratio
        for name, ratio in zip(robot.joint_names, ratios.tolist(), strict=True)
        if not np.isnan(ratio) and not _is_within(ratio, _RATIO)
    }
    if not told.any():
        # Of an arm that moves one way, say: friction is not what many joints hold at once.
        ratios = motion.plain_ratios()
        told = ~np.isnan(ratios)
    elif len(wrong) < max(2, told.sum()):
        return [(_kind(r), f"the effort of {name} is {_told(r)}") for name, r in wrong.items()]
    ratio = float(np.median(ratios[told])) if told.any() else 1.0
    return [] if _is_within(ratio, _RATIO) else [(_kind(ratio), f"efforts are {_told(ratio)}")]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Motion:
    """Samples of a motion, k of them.

    Attributes:
        effort: (k, n) N m as measured.
        position, velocity, acceleration: (k, n) in rad, rad/s, rad/s².
        weight: (k, n) N m that hold the arm.
        inertial: (k, n) N m beside them, which move it.
        largest_nm: (n,) of the joints.
    """

    effort: Array
    position: Array
    velocity: Array
    acceleration: Array
    weight: Array
    inertial: Array
    largest_nm: Array

    def ratios(self) -> Array:
        """Return how much of its weight each joint (n,) holds; nan where that does not show.

        Of the weight only that part counts which neither friction nor motion resembles. Where too
        little is left, all but friction counts, whatever inertia the motor has.
        """
        friction = [self.velocity, np.tanh(self.velocity / _STICTION_RAD_S)]
        own = _without(self.weight, [self.inertial, self.acceleration, *friction])
        all_own = _without(self.weight + self.inertial, friction)
        of_motor = _without(self.largest_nm * self.acceleration, friction)
        tries = np.stack([_ratios(self.effort, all_own + i * of_motor) for i in _INERTIAS])
        best = np.abs(tries - 1.0).argmin(axis=0)
        whole = np.take_along_axis(tries, best[None], axis=0)[0]
        if_moved = self._told(whole, np.minimum(_rms(self.weight), _rms(all_own)))
        told = self._told(_ratios(self.effort, own), _rms(own))
        return np.where(np.isnan(told), if_moved, told)

    def plain_ratios(self) -> Array:
        """Return the same where neither shows: of all that was measured, friction included."""
        expected = self.weight + self.inertial
        return self._told(_ratios(self.effort, expected), _rms(self.weight))

    def _told(self, ratios: Array, size_nm: Array) -> Array:
        """Return ratios of efforts (n,) of this size; nan where friction may have made them."""
        is_large = size_nm > np.maximum(_LEAST_OF_JOINT_NM, _LEAST_SHARE * self.largest_nm)
        is_good = (ratios >= _RATIO[0]) & (ratios <= _RATIO[1])
        is_off = np.abs(ratios - 1.0) * size_nm > _FRICTION_SHARE * self.largest_nm
        return np.where(is_large & (is_good | is_off), ratios, np.nan)


def _motion(samples: Samples, held: _Held, robot: RobotModel) -> _Motion:
    """Return those samples whose velocity and acceleration are known."""
    q, v, a, known = _states(samples, held.index)
    weight = held.weight[known]
    return _Motion(
        effort=held.effort[known],
        position=q,
        velocity=v,
        acceleration=a,
        weight=weight,
        inertial=_moving_efforts(robot, q, v, a) - weight,
        largest_nm=robot.limits.effort_nm,
    )


def _joint_ratios(motion: _Motion, robot: RobotModel) -> Array:
    """Return how many times its weight each joint (n,) holds; nan where that does not show.

    Where joints hold another weight, but all of them that of a payload, it is theirs.
    """
    ratios = motion.ratios()
    shows = ~np.isnan(ratios)
    if _are_within(ratios[shows], _RATIO):
        return ratios
    q, v, a = motion.position, motion.velocity, motion.acceleration
    arm = dataclasses.replace(ArmDynamics.nominal(robot), payload_mass_kg=1.0).bodies(robot)
    weight = holding_efforts(robot, q, arm) - motion.weight
    inertial = _moving_efforts(robot, q, v, a, arm) - motion.weight - motion.inertial - weight
    for mass_kg in _PAYLOADS * sum(body.mass for body in carried_bodies(robot)):
        loaded = dataclasses.replace(
            motion,
            weight=motion.weight + mass_kg * weight,
            inertial=motion.inertial + mass_kg * inertial,
        ).ratios()
        tells = shows & ~np.isnan(loaded)
        if 2 * tells.sum() >= shows.sum() and _are_within(loaded[tells], _EXPLAINED):
            return np.where(tells, loaded, np.nan)
    return ratios


def _states(samples: Samples, index: Integers) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Return position, velocity and acceleration (k', n) of parabolas about samples (k,).

    The last array (k,) tells which samples have enough neighbours without a gap between them.
    """
    time_s = seconds(samples.stamp_ns - samples.stamp_ns[0])
    period_s = float(np.median(np.diff(time_s))) if time_s.size > 1 else 0.0
    half = max(2, round(_HALF_WINDOW_S / period_s)) if period_s else 2
    known = (index >= half) & (index + half < time_s.size)
    rows = index[known][:, None] + np.arange(-half, half + 1)
    whole = np.diff(time_s[rows], axis=1).max(axis=1, initial=0.0) < GAP_PERIODS * period_s
    known[known], rows = whole, rows[whole]
    # In units of the window, so that the three columns are of one size.
    span_s = half * period_s or 1.0
    at = (time_s[rows] - time_s[rows[:, half]][:, None]) / span_s
    powers = at[:, :, None] ** np.arange(3)
    moments = powers.transpose(0, 2, 1)
    found = np.linalg.solve(moments @ powers, moments @ samples.position[rows])
    return found[:, 0], found[:, 1] / span_s, 2.0 * found[:, 2] / span_s**2, known


def _without(values: Array, likes: Sequence[Array]) -> Array:
    """Return what is left of values (k, n) without all that resembles one of `likes` (k, n)."""
    left: Array = values.copy()
    for j in range(values.shape[1]):
        columns = np.column_stack([like[:, j] for like in likes])
        size = _rms(columns)
        columns = columns[:, size > _NOTHING] / size[size > _NOTHING]
        left[:, j] -= columns @ np.linalg.lstsq(columns, values[:, j], rcond=None)[0]
    return left


def _ratios(measured: Array, expected: Array) -> Array:
    """Return how many times what was expected (k, n) is in what was measured, by joint (n,)."""
    square = np.maximum((expected**2).sum(axis=0), np.finfo(float).tiny)
    return np.asarray((measured * expected).sum(axis=0) / square)


def _rms(values: Array) -> Array:
    return np.asarray(np.sqrt((values**2).mean(axis=0)))


def _is_within(ratio: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= ratio <= bounds[1]


def _are_within(ratios: Array, bounds: tuple[float, float]) -> bool:
    return all(_is_within(ratio, bounds) for ratio in ratios.tolist())


def _kind(ratio: float) -> str:
    return "effort_sign" if ratio < -_RATIO[0] else "effort_units"


def _told(ratio: float) -> str:
    hint = ", as where a driver leaves the weight out" if abs(ratio) < _NO_WEIGHT else ""
    return f"{ratio:.3g} times what holds the arm's weight{hint}"
