"""Certified braking against the worst drives and wishes: true postures, distances and jerk.

The filter runs as the node runs it. Distances are those of the collision model at the true posture,
at every sample and at one instant between each two.
"""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import numpy as np

from benchmarks.safety import kernels, plant, world
from benchmarks.safety.cases import ROBOTS, Case, draw_case
from benchmarks.safety.plant import Array, Bits, Counts
from benchmarks.safety.runs import Totals, generator
from benchmarks.safety.world import Arm, Limiter
from sinew_core.collision import CollisionModel
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety import equations as eq
from sinew_core.safety.certified import CertifiedVelocityFilter
from sinew_core.safety.filter import FilterFault, FilterResult
from sinew_core.safety.parameters import SafetyParameters

ARMS = 2
DISTANCE_TOLERANCE_M = 1e-7
"""Distances are exact within 1e-8 m."""
_WORKSPACES_M: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = (
    ((), ()),
    ((-0.6, -0.6, 0.05), (0.7, 0.6, 1.1)),
)
_BOXES_M: tuple[tuple[float, ...], ...] = ((), (0.45, -0.3, 0.0, 0.9, 0.3, 0.25))


class Checked:
    """One robot under one parameter set: its filter, drive, collision model, and what was found."""

    def __init__(self, seed: int, index: int) -> None:
        """Draw robot and assumptions."""
        rng = np.random.default_rng([seed, index])
        robot = load_robot(ROBOTS[rng.integers(len(ROBOTS))])
        drawn = draw_case(rng)
        parameters = _with_surroundings(rng, drawn.parameters)
        self.case = Case(limits=robot.limits, parameters=parameters, period_s=drawn.period_s)
        self.limiter: Limiter = world.velocity_limiter(self.case)
        self.distances = CollisionModel(robot, parameters)
        workspace = [pair.kind.value == "workspace" for pair in self.distances.pairs]
        self.keep_m = np.where(workspace, 0.0, parameters.clearance_m)
        self.filter = CertifiedVelocityFilter(
            robot.limits, parameters, self.case.period_s, self.distances
        )
        p = parameters
        shrunk = p.jerk_scale * (1.0 - p.jitter) ** 2 / (1.0 + p.gain_error)
        self.jerk_rad_s3 = robot.limits.jerk_rad_s3 * shrunk
        self.home_rad = robot.home_rad
        self.rng = rng
        self.bits: Bits = generator(seed, index)
        self.counts, self.measures = world.new_totals()

    def run(self) -> tuple[Case, Counts, Array]:
        """Push some arms about and bring each to rest; return what was found."""
        arm: Arm = world.make_arm(self.limiter)
        for _ in range(ARMS):
            self._begin(arm)
            accelerations = np.zeros(len(arm.out))
            for k in range(300 if self.case.period_s >= 0.005 else 1000):
                lossy = (k // 20) % 2 == 1
                kernels.sense_and_ask()(self.bits, self.limiter, arm, k, lossy)
                fresh = k > 0 and not (lossy and self.rng.random() < 0.3)
                measured = arm.measured.tolist() if fresh else None
                result = self.filter.step(arm.desired.tolist(), measured)
                accelerations = self._cycle(arm, k, result, accelerations)
                if result.fault is FilterFault.OBSERVER_EMPTY:
                    break
            self._come_to_rest(arm, k, accelerations)
            self.counts[world.EPISODES] += 1
        return self.case, self.counts, self.measures

    def _begin(self, arm: Arm) -> None:
        """Put the arm at rest: home, or a posture around it that is clear of everything.

        Off the margins, which take up drift: from a limit itself it would lead straight outside.
        """
        posture = self.home_rad
        low, high = self.limiter.joints[eq.LOWER], self.limiter.joints[eq.UPPER]
        for _ in range(20):
            tried = np.clip(self.home_rad + self.rng.normal(0.0, 0.6, len(low)), low, high)
            if (self._room_m(tried) > 0.03).all():
                posture = tried
                break
        kernels.begin_at()(self.bits, self.limiter, arm, posture)
        self.filter.reset(arm.measured.tolist())

    def _cycle(self, arm: Arm, k: int, result: FilterResult, accelerations: Array) -> Array:
        """Check one command, move the drives by it, and check where they are."""
        counts, period_s = self.counts, self.case.period_s
        arm.before[:] = arm.out
        arm.out[:] = result.command
        arm.causes[:] = result.causes
        counts[world.STEPS] += len(arm.out)
        if result.fault in (FilterFault.BOUNDS_CONFLICT, FilterFault.OBSERVER_EMPTY):
            counts[world.INFEASIBLE] += 1
        changes = (arm.out - arm.before) / period_s
        jerk = np.abs(changes - accelerations) / period_s
        # A change of speed is rounded by 1e-15 rad/s, twice divided by the period.
        allowed = self.jerk_rad_s3 + world.TOLERANCE * max(1.0, 1e-3 / period_s**2)
        if self.case.parameters.limit_jerk:
            counts[world.TOO_JERKY] += int((jerk > allowed).sum())
        kernels.check_and_move()(self.bits, self.limiter, arm, k + 1, counts, self.measures)
        between = kernels.posture_between()(self.limiter, arm, k + 1, self.rng.random())
        for posture in (arm.plant[plant.X], between):
            room = float(self._room_m(posture).min(initial=math.inf))
            self.measures[world.CLEAREST] = min(self.measures[world.CLEAREST], room)
            counts[world.TOO_CLOSE] += room < -DISTANCE_TOLERANCE_M
        return changes

    def _come_to_rest(self, arm: Arm, k: int, accelerations: Array) -> None:
        """Fall silent: the filter must bring the arm to rest within all limits."""
        unable = [math.nan] * len(arm.out)
        speed = self.case.limits.velocity_rad_s.max()
        most = 4 * math.ceil(speed / self.limiter.joints[eq.SPEED_STEP].min()) + 2000
        for _ in range(most):
            if not (arm.out.any() or accelerations.any()):
                return
            k += 1
            arm.desired[:] = math.nan
            result = self.filter.step(unable, None)
            accelerations = self._cycle(arm, k, result, accelerations)
        self.counts[world.NOT_AT_REST] += 1

    def _room_m(self, posture_rad: Array) -> Array:
        return np.array(self.distances.distances_m(posture_rad.tolist())) - self.keep_m


def _with_surroundings(rng: np.random.Generator, p: SafetyParameters) -> SafetyParameters:
    lower, upper = _WORKSPACES_M[rng.integers(2)]
    return dataclasses.replace(
        p,
        jerk_scale=float(rng.choice([0.01, 0.1, 1.0])),
        limiting=str(rng.choice(["joint", "scale"])),
        clearance_m=float(rng.choice([0.0, 0.01, 0.03])),
        workspace_lower_m=lower,
        workspace_upper_m=upper,
        forbidden_boxes_m=_BOXES_M[rng.integers(2)],
    )


def run_one(seed: int, index: int) -> tuple[Case, Counts, Array]:
    """Search one drawn parameter set, in a process of its own."""
    return Checked(seed, index).run()


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def search_certified(seed: int, steps: int) -> Iterator[Totals]:
    """Search drawn parameter sets on all cores until there are `steps`; yield totals after each."""
    workers = len(os.sched_getaffinity(0))
    totals, start, drawn = Totals(), time.perf_counter(), 0
    pending: deque[Future[tuple[Case, Counts, Array]]] = deque()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=_ignore_interrupts) as pool:
        try:
            while totals.steps < steps:
                while len(pending) < 2 * workers:
                    pending.append(pool.submit(run_one, seed, drawn))
                    drawn += 1
                totals.add(*pending.popleft().result())
                totals.wall_s = time.perf_counter() - start
                yield totals
        finally:
            for future in pending:
                future.cancel()
