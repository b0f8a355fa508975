r"""Fourier motions that tell as much as possible about the parameters asked for.

Maximised is log det(F + F_0 + I), with the Fisher information F of the efforts in units of each
parameter's scale, F_0 that of the motions planned before, and I for prior knowledge as uncertain
as the scale itself, so that parameters which no motion shows do no harm (D-optimality; J. Swevers
et al. 1997 minimise the condition number of the regressor instead, which does not see noise).

Every candidate is feasible by construction in positions, velocities, accelerations and jerks: each
joint is scaled by itself until it touches a limit. What exceeds the motors' efforts or comes too
near to an obstacle falls behind all that does not. The search is CMA-ES (N. Hansen 2016).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.excitation.fourier import FourierMotion, coordinate_count, fourier_shapes
from sinew_core.sysid.excitation.limits import MotionLimits
from sinew_core.sysid.excitation.obstacles import Clearance
from sinew_core.sysid.excitation.sensitivity import EffortSensitivity

_SAMPLES_PER_HARMONIC = 16
_BETWEEN = float(np.cos(np.pi / _SAMPLES_PER_HARMONIC))
"""Between samples a trigonometric polynomial exceeds their largest by 1 / this at most (H. Ehlich
and K. Zeller 1964)."""
_POSTURES_PER_HARMONIC = 4
"""Where distances are measured of every candidate; of one that is the best so far, everywhere."""
_RANDOM_TRIES = 20
_WORSE = 1e4
"""What puts a motion that is not allowed behind every one that is."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a motion is planned for.

    Attributes:
        robot: the arm.
        model: its efforts, and the parameters asked for.
        limits: of the motion.
        clearance: to obstacles.
        noise_nm: standard deviation of a measured effort.
        rate_hz: of the samples that will be measured.
    """

    robot: RobotModel
    model: EffortSensitivity
    limits: MotionLimits
    clearance: Clearance
    noise_nm: float
    rate_hz: int

    def information(self, position: Array, velocity: Array, acceleration: Array) -> Array:
        """Return the information (p, p) of samples (N, n)."""
        _, columns = self.model.evaluate(position, velocity, acceleration)
        return self.model.information(columns, self.noise_nm)

    def lack_m(self, position: Array, velocity: Array) -> float:
        """Return what a motion (N, n), and braking from it, lacks of its clearance; 0: nothing."""
        stops = self.limits.stops_rad(position, velocity)
        return self.clearance.lack_m(np.vstack([position, stops]))


def log_det(information: Array) -> float:
    """Return log det(F + I) of an information (p, p) in units of the scales."""
    return float(np.linalg.slogdet(information + np.eye(len(information)))[1])


class FourierSearch:
    """The space of the motions of one period, and what each of them is worth."""

    def __init__(self, problem: Problem, *, period_s: float, harmonics: int, before: Array) -> None:
        """Take the information `before` (p, p) of the motions that are planned already."""
        self._problem, self._period_s, self._before = problem, period_s, before
        self._size = (coordinate_count(harmonics), problem.robot.n_joints)
        samples = _SAMPLES_PER_HARMONIC * harmonics
        phase = np.arange(samples) / samples
        self._shapes = fourier_shapes(phase, harmonics)
        # Bernstein: two derivatives multiply the maximum by the highest frequency squared at most.
        self._jerk_gain = (2.0 * np.pi * harmonics / period_s) ** 2
        self._weight = period_s * problem.rate_hz / samples
        self._postures = slice(0, None, samples // (_POSTURES_PER_HARMONIC * harmonics))

    @property
    def dimensions(self) -> int:
        """How many numbers a motion is."""
        return self._size[0] * self._size[1]

    def motion(self, numbers: Array) -> FourierMotion:
        """Return the motion of a point (dimensions,), as large as each joint's limits allow."""
        coordinates = numbers.reshape(self._size)
        coordinates = coordinates * self._shares(coordinates)
        return FourierMotion(
            home_rad=self._problem.robot.home_rad,
            coordinates=coordinates,
            period_s=self._period_s,
        )

    def _shares(self, coordinates: Array) -> Array:
        """Return (n,): the largest amplitude of each joint within its limits."""
        limits, period_s = self._problem.limits, self._period_s
        position, velocity, acceleration = (shape @ coordinates for shape in self._shapes)
        home = self._problem.robot.home_rad
        jerk = np.abs(velocity).max(axis=0) / period_s * self._jerk_gain
        quotients = [
            position.max(axis=0) / (limits.upper_rad - home),
            -position.min(axis=0) / (home - limits.lower_rad),
            np.abs(velocity).max(axis=0) / period_s / limits.velocity_rad_s,
            np.abs(acceleration).max(axis=0) / period_s**2 / limits.acceleration_rad_s2,
            jerk / limits.jerk_rad_s3,
        ]
        shares: Array = _BETWEEN / np.maximum(np.max(quotients, axis=0), 1e-9)
        return shares

    def worth(self, motion: FourierMotion) -> float:
        """Return log det of the information with a motion, less what its efforts are too high."""
        problem, period_s = self._problem, motion.period_s
        position, velocity, acceleration = (s @ motion.coordinates for s in self._shapes)
        effort, columns = problem.model.evaluate(
            motion.home_rad + position, velocity / period_s, acceleration / period_s**2
        )
        information = self._weight * problem.model.information(columns, problem.noise_nm)
        over = float((np.abs(effort) / problem.limits.effort_nm).max()) - 1.0
        excess = _WORSE * (1.0 + over) if over > 0.0 else 0.0
        return log_det(self._before + information) - excess

    def lack_m(self, motion: FourierMotion, *, everywhere: bool) -> float:
        """Return how much nearer to an obstacle a motion comes than it may, 0 for not at all."""
        picked = slice(None) if everywhere else self._postures
        position = motion.home_rad + self._shapes[0][picked] @ motion.coordinates
        velocity = self._shapes[1][picked] @ motion.coordinates / motion.period_s
        return self._problem.lack_m(position, velocity)


def random_motion(search: FourierSearch, rng: np.random.Generator) -> tuple[FourierMotion, float]:
    """Return the first random motion that is allowed, and its worth: what a search has to beat.

    Raises:
        ConfigError: there is none.
    """
    for _ in range(_RANDOM_TRIES):
        motion = _allowed(search, search.motion(rng.normal(size=search.dimensions)))
        worth = search.worth(motion)
        if worth > -_WORSE and search.lack_m(motion, everywhere=True) <= 0.0:
            return motion, worth
    raise ConfigError(
        f"no motion around home was found in {_RANDOM_TRIES} tries that keeps off floor, boxes and "
        "the arm itself within the efforts: choose another home_rad, or lower safety.clearance_m"
    )


def best_motion(
    search: FourierSearch,
    *,
    seed: int,
    evaluations: int,
    deadline_s: float,
    check: Callable[[], None] = lambda: None,
) -> tuple[FourierMotion, float, int]:
    """Return the best motion found, its worth, and how many were tried.

    The same seed and number of evaluations give the same motion, unless the steady clock passes
    `deadline_s` before they are done. What `check` raises ends the search.
    """
    from cmaes import CMA  # brings scipy.stats: 2 s that a start without a search need not wait

    optimiser = CMA(mean=np.zeros(search.dimensions), sigma=1.0, seed=seed)
    best, highest = random_motion(search, np.random.default_rng(seed))
    tried = 1
    while tried < evaluations and time.monotonic() < deadline_s:
        check()
        points = [optimiser.ask() for _ in range(optimiser.population_size)]
        motions = [search.motion(point) for point in points]
        worths = _ranked(search, motions)
        tried += len(points)
        leader = int(np.argmax(worths))
        if worths[leader] > highest:
            lack_m = search.lack_m(motions[leader], everywhere=True)
            if lack_m > 0.0:
                worths[leader] -= _WORSE * (1.0 + lack_m)
            else:
                best, highest = motions[leader], worths[leader]
        optimiser.tell([(p, -w) for p, w in zip(points, worths, strict=True)])
    return best, highest, tried


def _ranked(search: FourierSearch, motions: list[FourierMotion]) -> list[float]:
    """Return the worths, measuring distances until half of the motions are known to be clear.

    The others, all of them worth less, count for the search as not clear either way.
    """
    worths = [search.worth(motion) for motion in motions]
    clear = 0
    for i in np.argsort(worths)[::-1]:
        if clear >= len(motions) // 2:
            worths[i] -= _WORSE
            continue
        lack_m = search.lack_m(motions[i], everywhere=False)
        if lack_m > 0.0:
            worths[i] -= _WORSE * (1.0 + lack_m)
        else:
            clear += 1
    return worths


def _allowed(search: FourierSearch, motion: FourierMotion) -> FourierMotion:
    """Return a motion made smaller until it keeps off everything."""
    for _ in range(40):
        if search.lack_m(motion, everywhere=True) <= 0.0 and search.worth(motion) > -_WORSE:
            break
        motion = motion.scaled(0.9)
    return motion
