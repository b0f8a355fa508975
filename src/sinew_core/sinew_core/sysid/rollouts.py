"""Many roll-outs of one arm at once, in the same order whatever finishes first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
class Job:
    """One roll-out: which piece, which arm, from where, and for how many of the piece's samples."""

    piece: Piece
    params: SimParams
    position_rad: Array
    velocity_rad_s: Array
    samples: int


class RolloutPool:
    """Threads that run roll-outs on one plant."""

    def __init__(self, plant: ArmPlant, workers: int = 0) -> None:
        """Start so many threads; 0 for as many as there are cores for this process."""
        self._plant = plant
        count = workers or len(os.sched_getaffinity(0))
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="rollout")

    def run(self, jobs: Sequence[Job]) -> list[Moves | None]:
        """Return the motion of every job, None where it diverged.

        Ctrl-C leaves the jobs that have not begun undone.
        """
        futures = [self._threads.submit(self._roll_out, job) for job in jobs]
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
        """End the threads after the roll-outs under way."""
        self._threads.shutdown(cancel_futures=True)

    def _roll_out(self, job: Job) -> Moves | None:
        try:
            moves = roll_out(self._plant, job)
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
    piece, start = job.piece, (job.position_rad, job.velocity_rad_s)
    time, driving = piece.time_s[: job.samples], piece.driving
    if piece.replays:
        return plant.replay_efforts(job.params, driving.time_s, driving.values, *start, time)
    return plant.roll_out(job.params, driving, *start, time)
