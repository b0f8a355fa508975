"""One arm recorded, read back from its bag and identified, as a user would."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.sysid import motions
from benchmarks.sysid.arms import drawn_arm
from benchmarks.sysid.figures_of_merit import Miss, misses, rmse
from benchmarks.sysid.motions import Answer
from benchmarks.sysid.recorded import write_recording
from benchmarks.sysid.stribeck import SERVO_RATE_HZ
from sinew_core.bags.reader import read_recording
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.controller_file import KnownController, unknown_controller
from sinew_core.sysid.identification import Identification
from sinew_core.sysid.identify import identify
from sinew_core.sysid.options import IdentifyOptions

FITTED = ("mass/*", "coulomb/*", "viscous/*", "armature/*", "delay_s")
HELD_OUT_S = 20.0
_HELD_OUT_SEED = 1_000_000
_NOMINAL_RATE_HZ = 10_000
"""Without its rotors the wrist is so light that the loops need finer steps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What came of one bag.

    Attributes:
        found: by the fit.
        misses: of what it calls identifiable.
        rmse_rad: of the identified arm against the true one, both without noise, on another motion.
        nominal_rmse_rad: of the robot's description.
    """

    found: Identification
    misses: list[Miss]
    rmse_rad: float
    nominal_rmse_rad: float


def matched(robot: RobotModel, seed: int, duration_s: float) -> Case:
    """Identify an arm whose law the fit knows."""
    params = drawn_arm(robot, seed)
    answers = [
        motions.matched(robot, params, motions.planned(robot, length_s, of))
        for length_s, of in ((duration_s, 0), (HELD_OUT_S, _HELD_OUT_SEED))
    ]
    return _identified(robot, params, answers, seed, known_loops(params))


def mismatched(robot: RobotModel, seed: int, duration_s: float) -> Case:
    """Identify an arm whose friction and clocks are others; the rate of its loops is known."""
    params = drawn_arm(robot, seed)
    answers = [
        motions.mismatched(robot, params, motions.planned(robot, length_s, of), seed)
        for length_s, of in ((duration_s, 0), (HELD_OUT_S, _HELD_OUT_SEED))
    ]
    known = known_loops(params)
    return _identified(robot, params, answers, seed, known, rate_hz=SERVO_RATE_HZ)


def quiet(robot: RobotModel, seed: int, duration_s: float) -> Case:
    """Identify an arm of which hardly anything moved."""
    params = drawn_arm(robot, seed)
    answer = motions.matched(robot, params, motions.quiet(robot, duration_s))
    return _identified(robot, params, [answer], seed, known_loops(params))


def positions_only(robot: RobotModel, seed: int, duration_s: float) -> Case:
    """Identify an arm of whose efforts and gains nothing is known."""
    params = drawn_arm(robot, seed)
    answer = motions.matched(robot, params, motions.planned(robot, duration_s, 0))
    known = unknown_controller("position")
    return _identified(robot, params, [answer], seed, known, efforts=False)


def known_loops(params: SimParams) -> KnownController:
    """Return all that there is to know of an arm's controllers."""
    controller = params.controller
    assert controller is not None
    return KnownController(
        mode=controller.mode,
        hold=controller.hold,
        gravity_compensation=controller.gravity_compensation,
        gains=dict(controller.gains),
    )


def _identified(
    robot: RobotModel,
    params: SimParams,
    answers: list[Answer],
    seed: int,
    known: KnownController,
    *,
    efforts: bool = True,
    rate_hz: int = motions.PHYSICS_RATE_HZ,
) -> Case:
    with tempfile.TemporaryDirectory(prefix="sinew-bench-") as temporary:
        recordings = []
        for number, answer in enumerate(answers):
            bag = Path(temporary) / f"bag{number}"
            write_recording(bag, robot, answer, seed + number, efforts=efforts)
            recordings.append(read_recording(bag, robot.joint_names))
        found = identify(
            recordings[0],
            robot,
            known,
            IdentifyOptions(parameters=FITTED, seed=seed, physics_rate_hz=rate_hz),
            held_out=recordings[1] if len(recordings) > 1 else None,
        )
    commands, sample_s, truth = answers[-1]
    still = np.zeros(robot.n_joints)
    nominal = SimParams(dynamics=ArmDynamics.nominal(robot), controller=params.controller)
    after, before = (
        rmse(Plant(robot, rate).roll_out(each, commands, robot.home_rad, still, sample_s), truth)
        for each, rate in ((found.params, rate_hz), (nominal, _NOMINAL_RATE_HZ))
    )
    return Case(
        found=found,
        misses=misses(robot, found, params),
        rmse_rad=after,
        nominal_rmse_rad=before,
    )
