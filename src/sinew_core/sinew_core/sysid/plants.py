"""The simulation that an identification runs on."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from sinew_core.bags.recording import Recording
from sinew_core.errors import UnstableError
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.arm_control import (
    DAMPING,
    STIFFNESS,
    STRENGTH,
    check_stability,
    control_rows,
)
from sinew_core.simulation.engine_plant import EnginePlant
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.options import IdentifyOptions
from sinew_core.sysid.parametrisation import Parametrisation
from sinew_core.sysid.rollouts import (
    Job,
    Moves,
    RolloutPool,
    moves_or_none,
    thread_pool,
    worker_count,
)

HIGHEST_RATE_HZ = 20000
_DERIVATIVE_RATE_HZ = 1000
"""Of the steps that derivatives are taken by: fine enough to tell where to go, though not where the
fit ends, which goes by residuals at the rate asked for."""
_POSES = 20
_MARGIN = 1.25


def make_pool(
    robot: RobotModel, params: SimParams, recording: Recording, options: IdentifyOptions
) -> RolloutPool:
    """Return what runs the roll-outs, at a rate at which an arm's controllers are stable.

    Raises:
        UnstableError: no rate is high enough for the gains.
    """
    motion = recording.position_rad
    rate_hz = needed_rate_hz(robot, params, motion, options.physics_rate_hz)
    if options.engine == "compiled":
        least_hz = min(_DERIVATIVE_RATE_HZ, rate_hz)
        rough_hz = needed_rate_hz(robot, params, motion, least_hz)
        rough = Plant(robot, rough_hz) if rough_hz < rate_hz else None
        return thread_pool(Plant(robot, rate_hz), options.workers, rough_plant=rough)
    # Engines are driven step by step by the interpreter, so each needs a process; spawned, since
    # forking a process that has threads is unsafe.
    executor = ProcessPoolExecutor(
        worker_count(options.workers),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_engine,
        initargs=(options.engine, robot, rate_hz),
    )
    return RolloutPool(executor, _run_in_engine)


_engines: list[EnginePlant] = []
"""The one of this worker process."""


def _start_engine(name: str, robot: RobotModel, physics_rate_hz: int) -> None:
    # Ctrl-C reaches workers too, but is for who gave them their jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _engines.append(EnginePlant(name, robot, physics_rate_hz))


def _run_in_engine(job: Job) -> Moves | None:
    return moves_or_none(_engines[0], job)


def steadied(
    parametrisation: Parametrisation, position_rad: Array, rate_hz: int
) -> Parametrisation:
    """Return the same with a start whose controllers are stable at a physics rate, if rotors do it.

    The real controllers are stable on the real arm, so a start on which they are not has rotors
    that are too light. Finer steps would hide that, and simulate controllers that react sooner than
    those of the arm: half a millisecond under a stiff gain is as much as its friction. Rotors of
    D h / 2 + K h² / 4 are always enough, see `check_stability`.

    Args:
        parametrisation: with the start.
        position_rad: (N, n) of the motion.
        rate_hz: of the steps.
    """
    robot, params = parametrisation.robot, parametrisation.params(parametrisation.start)
    if params.controller is None:
        return parametrisation
    rows = control_rows(robot, params.controller, params.dynamics)
    try:
        _check_stability(robot, params, rows, position_rad, rate_hz)
    except UnstableError:
        pass
    else:
        return parametrisation
    period_s = _MARGIN / rate_hz
    enough = rows[STRENGTH] * (
        0.5 * period_s * rows[DAMPING] + 0.25 * period_s * period_s * rows[STIFFNESS]
    )
    start = np.array(parametrisation.start)
    for joint, least in zip(robot.joint_names, enough.tolist(), strict=True):
        place = parametrisation.index(f"armature/{joint}")
        if place is not None:
            start[place] = max(start[place], least)
    return parametrisation.with_start(start)


def needed_rate_hz(robot: RobotModel, params: SimParams, position_rad: Array, least_hz: int) -> int:
    """Return the physics rate, doubled from the least one until the controllers are stable.

    Args:
        robot: the nominal arm.
        params: the arm and its controllers.
        position_rad: (N, n) of the motion, along which inertias differ.
        least_hz: what is asked for.

    Raises:
        UnstableError: beyond 20 kHz.
    """
    if params.controller is None:
        return least_hz
    rows = control_rows(robot, params.controller, params.dynamics)
    rate_hz = least_hz
    while True:
        try:
            _check_stability(robot, params, rows, position_rad, rate_hz)
        except UnstableError:
            if rate_hz >= HIGHEST_RATE_HZ:
                raise
            rate_hz = min(2 * rate_hz, HIGHEST_RATE_HZ)
        else:
            return rate_hz


def _check_stability(
    robot: RobotModel, params: SimParams, rows: Array, position_rad: Array, rate_hz: int
) -> None:
    """Check with some margin that the controllers do not diverge along a motion (N, n)."""
    places = np.linspace(0, len(position_rad) - 1, _POSES).astype(int)
    check_stability(robot, params.dynamics, rows, int(rate_hz / _MARGIN), position_rad[places])
