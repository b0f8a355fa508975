"""Many roll-outs of one arm at once, in the same order whatever finishes first."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import numpy as np

from sinew_core.bags.recording import Commands
from sinew_core.errors import ConfigError
from sinew_core.robots.arrays import Array
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.pieces import Piece

_FARTHEST_RAD = 1e3
"""A joint that gets farther has diverged."""


class Moves(Protocol):
    """How an arm moved in a roll-out."""

    @property
    def position_rad(self) -> Array:
        """(k, n) at the sample times."""

    @property
    def effort_nm(self) -> Array:
        """(k, n) of the motors."""


class ArmPlant(Protocol):
    """An arm in a simulation, see `sinew_core.simulation.rollout`."""

    @property
    def physics_rate_hz(self) -> int:
        """Of its steps."""

    def roll_out(
        self,
        params: SimParams,
        commands: Commands,
        start_position_rad: Array,
        start_velocity_rad_s: Array,
        sample_time_s: Array,
    ) -> Moves:
        """Simulate the arm under its controllers."""

    def replay_efforts(
        self,
        params: SimParams,
        effort_time_s: Array,
        effort_nm: Array,
        start_position_rad: Array,
        start_velocity_rad_s: Array,
        sample_time_s: Array,
    ) -> Moves:
        """Simulate the arm under efforts that were measured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moved:
    """Motion (k, n) at the sample times of a piece, see `Moves`."""

    position_rad: Array
    effort_nm: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """One roll-out: which piece, which arm, from where, and for how many of the piece's samples.

    The state is that at the first sample; a roll-out begins a physics step before. For an effort is
    that of the motors until its sample: that of the first would else be of a step too late, under
    another command, which can be a thousand times the noise of an effort.
    """

    piece: Piece
    params: SimParams
    position_rad: Array
    velocity_rad_s: Array
    samples: int


class RolloutPool:
    """Runs roll-outs on several threads or processes.

    Attributes:
        rough: the same with coarser steps, enough for derivatives; itself where there is none.
    """

    def __init__(
        self,
        executor: Executor,
        run: Callable[[Job], Moves | None],
        run_roughly: Callable[[Job], Moves | None] | None = None,
    ) -> None:
        """Take what runs jobs, how one is run, and how in coarser steps."""
        self._executor, self._run_one = executor, run
        self.rough = self if run_roughly is None else RolloutPool(executor, run_roughly)

    def run(self, jobs: Sequence[Job]) -> list[Moves | None]:
        """Return the motion of every job, None where it diverged.

        Ctrl-C leaves the jobs that have not begun undone.
        """
        futures = [self._executor.submit(self._run_one, job) for job in jobs]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def __enter__(self) -> RolloutPool:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End after the roll-outs under way."""
        self._executor.shutdown(cancel_futures=True)


def worker_count(workers: int = 0) -> int:
    """Return how many roll-outs run at a time; for 0 as many as this process has cores."""
    return workers or len(os.sched_getaffinity(0))


def thread_pool(
    plant: ArmPlant, workers: int = 0, *, rough_plant: ArmPlant | None = None
) -> RolloutPool:
    """Return threads that share plants; of use where their roll-outs release the interpreter.

    Args:
        plant: what is simulated.
        workers: threads, 0 for one on each core.
        rough_plant: the same arm in coarser steps, for derivatives.
    """
    executor = ThreadPoolExecutor(worker_count(workers), thread_name_prefix="rollout")
    plants = (plant,) if rough_plant is None else (plant, rough_plant)
    return RolloutPool(executor, *(functools.partial(moves_or_none, each) for each in plants))


def moves_or_none(plant: ArmPlant, job: Job) -> Moves | None:
    """Run one job; None where the motion diverges."""
    try:
        moves = roll_out(plant, job)
    except ConfigError:
        # The plant tells so that a motion diverged, or that with such gains it would.
        return None
    sound = np.isfinite(moves.position_rad).all() and np.isfinite(moves.effort_nm).all()
    near = bool(sound) and float(np.abs(moves.position_rad).max()) < _FARTHEST_RAD
    return moves if near else None


def roll_out(plant: ArmPlant, job: Job) -> Moves:
    """Run one job.

    Raises:
        ConfigError: the motion diverges, or the plant cannot take the job.
    """
    piece, driving = job.piece, job.piece.driving
    lead_s = 1.0 / plant.physics_rate_hz
    time = np.concatenate([piece.time_s[:1] - lead_s, piece.time_s[: job.samples]])
    start = (job.position_rad - lead_s * job.velocity_rad_s, job.velocity_rad_s)
    if piece.replays:
        moves = plant.replay_efforts(job.params, driving.time_s, driving.values, *start, time)
    else:
        moves = plant.roll_out(job.params, driving, *start, time)
    return Moved(position_rad=moves.position_rad[1:], effort_nm=moves.effort_nm[1:])
