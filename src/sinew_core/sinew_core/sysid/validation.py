"""Motion that was not fitted, simulated with the nominal and with the identified arm."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from sinew_core.bags.recording import Defect
from sinew_core.robots.arrays import Array, frozen_array
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.identification import HeldOut
from sinew_core.sysid.least_squares import Box, least_squares
from sinew_core.sysid.output_error import OutputError, Weights
from sinew_core.sysid.parametrisation import Parametrisation
from sinew_core.sysid.pieces import Piece
from sinew_core.sysid.rollouts import Job, RolloutPool

_NOTHING = frozen_array([])
_BEGINNING_S = 2.0
"""Under a closed controller a start matters, and is told, no longer."""
_NO_BOX = Box(lower=_NOTHING, upper=_NOTHING, prior_mean=_NOTHING, prior_sigma=_NOTHING)


class Given:
    """An arm with nothing left to fit, as `OutputError` takes it."""

    lower = upper = step = _NOTHING

    def __init__(self, arm: SimParams) -> None:
        """Take the arm."""
        self._arm = arm

    def params(self, theta: Array) -> SimParams:
        """Return the arm."""
        return self._arm


def predicted(
    arm: SimParams, pool: RolloutPool, pieces: Sequence[Piece], weights: Weights, *, forgets: bool
) -> Array:
    """Return the positions (N, n) of an arm over pieces of motion, nan where it diverges.

    Nothing but the state that each piece starts in is taken from the measured positions.

    Raises:
        KeyboardInterrupt: Ctrl-C, while the starts are fitted too.
    """
    told_by = [_beginning(piece) for piece in pieces] if forgets else pieces
    problem = OutputError(Given(arm), pool, told_by, weights, forgets=forgets)
    fit = least_squares(problem, _NOTHING, problem.starts(), _NO_BOX, max_steps=5)
    if fit.ended == "interrupted":  # whoever asked waits for the end of all of it
        raise KeyboardInterrupt
    n = pieces[0].position_rad.shape[1]
    jobs = [
        Job(
            piece=piece,
            params=arm,
            position_rad=start[:n],
            velocity_rad_s=start[n:],
            samples=piece.time_s.size,
        )
        for piece, start in zip(pieces, fit.own, strict=True)
    ]
    return np.vstack(
        [
            np.full(piece.position_rad.shape, np.nan) if moves is None else moves.position_rad
            for piece, moves in zip(pieces, pool.run(jobs), strict=True)
        ]
    )


def _beginning(piece: Piece) -> Piece:
    """Return what of a piece tells its start."""
    count = int(np.searchsorted(piece.time_s, piece.time_s[0] + _BEGINNING_S, side="right"))
    return dataclasses.replace(
        piece,
        time_s=piece.time_s[:count],
        position_rad=piece.position_rad[:count],
        effort_nm=None if piece.effort_nm is None else piece.effort_nm[:count],
    )


def nominal_arm(parametrisation: Parametrisation, found: SimParams) -> SimParams:
    """Return the arm of the description behind the controllers that were found.

    What is not known of the controllers has no nominal value: both arms have what was found.
    """
    nominal, given = parametrisation.nominal_params(), parametrisation.known.gains
    known = nominal.controller
    if known is None or found.controller is None:
        return nominal
    gains = {}
    for name, values in found.controller.gains.items():
        gain = given.get(name)
        gains[name] = values if gain is None else np.where(np.isnan(gain), values, gain)
    return dataclasses.replace(nominal, controller=dataclasses.replace(known, gains=gains))


def held_out(
    nominal: tuple[SimParams, RolloutPool],
    identified: tuple[SimParams, RolloutPool],
    pieces: Sequence[Piece],
    weights: Weights,
    *,
    forgets: bool,
    from_s: float,
    source: str,
    defects: tuple[Defect, ...] = (),
) -> HeldOut:
    """Return the motion from a time on beside its simulations.

    The root mean squares are against what was measured, so the noise of the measurement is the
    least that they can be; `error_against` compares with the true motion where that is known.

    Args:
        nominal: arm of the robot's description, and what simulates it.
        identified: arm that was found, likewise.
        pieces: of the motion; they may begin before `from_s`, for the controllers to settle.
        weights: noise, by which the starts are fitted.
        forgets: whether a controller is closed around the arm.
        from_s: what is compared begins here.
        source: where the motion comes from.
        defects: of a recording of its own.
    """
    time_s = np.concatenate([piece.time_s for piece in pieces])
    measured = np.vstack([piece.position_rad for piece in pieces])
    compared = time_s >= from_s
    simulated = [
        predicted(arm, pool, pieces, weights, forgets=forgets)[compared]
        for arm, pool in (nominal, identified)
    ]
    return HeldOut(
        time_s=time_s[compared],
        measured_rad=measured[compared],
        nominal_rad=simulated[0],
        identified_rad=simulated[1],
        rmse_rad=rmse(simulated[1], measured[compared]),
        nominal_rmse_rad=rmse(simulated[0], measured[compared]),
        source=source,
        defects=defects,
    )


def rmse(first: Array, second: Array) -> float:
    """Return the root mean square of a difference."""
    return float(np.sqrt(np.mean((first - second) ** 2)))


def error_against(result: HeldOut, time_s: Array, position_rad: Array) -> float:
    """Return the identified arm's root mean square error (rad) against a motion without noise.

    Args:
        result: held-out motion.
        time_s: (m,) increasing, on the clock of the recording.
        position_rad: (m, n) true positions; interpolated, so best at the same stamps.
    """
    columns = zip(position_rad.T, result.identified_rad.T, strict=True)
    errors = [np.interp(result.time_s, time_s, true) - found for true, found in columns]
    return float(np.sqrt(np.mean(np.square(errors))))
