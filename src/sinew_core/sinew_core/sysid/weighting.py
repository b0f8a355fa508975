"""How much each signal counts in a fit: by its noise, or where the model is wrong by what is left.

The noise of a signal is what is new in every sample of the difference between measurement and
simulation (`noise`): the raw signal may have edges of its own, such as the efforts of a stiff
controller whose commands come in steps.

Where the residuals stay larger than the noise, the model lacks something. The noise is no measure
of the trust in a signal then, and each is weighted by its residuals' own scatter instead, so that
no signal outvotes another by a precision that the model does not have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sinew_core.bags.recording import Recording
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.arm_control import STIFFNESS, control_rows
from sinew_core.sysid.least_squares import Fit
from sinew_core.sysid.noise import noise_sigma
from sinew_core.sysid.options import IdentifyOptions
from sinew_core.sysid.output_error import OutputError, Weights

LEAST_NOISE_RAD = 1e-5
"""No simulation is trusted beyond it: less than a thousandth of a degree."""
LEAST_NOISE_OF_EFFORT = 1e-4
"""Likewise, as a share of a joint's effort limit, beside what its controller makes of that."""
_WRONG = 1.5
"""Chi-square per sample from which on signals are weighted by their residuals."""
_SAME_WEIGHTS = 0.03
"""Change of weights, relatively, that is not worth another fit."""
_EDGES = 1.1
"""Noise left over that is so many times the raw signal's is the simulation's."""
_FEWEST = 200
"""Samples of a piece from which on noise is estimated by what is left over."""


def least_noise(robot: RobotModel, arm: SimParams) -> Weights:
    """Return the deviations below which no simulation of an arm is trusted.

    A controller of stiffness K turns an error of the position into K times as much effort, so that
    efforts are trusted to K times what positions are, and to a share of the motor's limit.
    """
    position = np.full(robot.n_joints, LEAST_NOISE_RAD)
    effort = LEAST_NOISE_OF_EFFORT * robot.limits.effort_nm
    if arm.controller is not None:
        rows = control_rows(robot, arm.controller, arm.dynamics)
        effort = np.hypot(effort, rows[STIFFNESS] * LEAST_NOISE_RAD)
    return Weights(position_rad=position, effort_nm=effort)


def first_noise(recording: Recording, least: Weights, options: IdentifyOptions) -> Weights:
    """Return the noise of the raw signals, or what the user says; the least that is trusted."""
    position = _position_noise(recording.time_s, recording.position_rad, least, options)
    if recording.effort_nm is None or not options.use_effort or recording.commands is None:
        return Weights(position_rad=position, effort_nm=None)
    effort = _effort_noise(recording.time_s, recording.effort_nm, least, options)
    return Weights(position_rad=position, effort_nm=effort)


def noise_left(
    problem: OutputError,
    known: Weights,
    theta: Array,
    own: Sequence[Array],
    least: Weights,
    options: IdentifyOptions,
) -> Weights:
    """Return the noise of what a simulation leaves over; what is known where it diverges."""
    residuals = problem.residuals(theta, own)
    pieces = problem.pieces
    longest = int(np.argmax([piece.time_s.size for piece in pieces]))
    if residuals is None or pieces[longest].time_s.size < _FEWEST:
        return known
    left = problem.channels(residuals[longest], longest) * problem.weights.row()
    time_s, n = pieces[longest].time_s, known.position_rad.size
    position = _position_noise(time_s, left[:, :n], least, options)
    effort = None
    if known.effort_nm is not None:
        effort = _effort_noise(time_s, left[:, n:], least, options)
    change = Weights(position_rad=position, effort_nm=effort).row() / known.row()
    return known.times(np.where(change > _EDGES, 1.0, change))


def _position_noise(
    time_s: Array, signal: Array, least: Weights, options: IdentifyOptions
) -> Array:
    given = options.position_noise_rad
    found = np.full(signal.shape[1], given) if given else noise_sigma(time_s, signal)
    return np.maximum(found, least.position_rad)


def _effort_noise(time_s: Array, signal: Array, least: Weights, options: IdentifyOptions) -> Array:
    assert least.effort_nm is not None
    given = options.effort_noise_nm
    found = np.full(signal.shape[1], given) if given else noise_sigma(time_s, signal)
    return np.maximum(found, least.effort_nm)


def rows_of(problem: OutputError, fit: Fit) -> Array:
    """Return all residuals (k, channels)."""
    blocks = enumerate(fit.blocks)
    return np.vstack([problem.channels(block.residual, i) for i, block in blocks])


def chi2_of(problem: OutputError, fit: Fit, noise: Weights) -> float:
    """Return the mean square of residuals over the noise, less one for each unknown."""
    rows = rows_of(problem, fit) * problem.weights.row() / noise.row()
    unknowns = fit.shared.size + sum(own.size for own in fit.own)
    return float((rows**2).sum() / max(1, rows.size - unknowns))


def weights_of(problem: OutputError, fit: Fit, noise: Weights) -> Weights:
    """Return the noise, or where the model is wrong each signal's scatter, the noise at least."""
    if chi2_of(problem, fit, noise) <= _WRONG:
        return noise
    rows = rows_of(problem, fit) * problem.weights.row() / noise.row()
    return noise.times(np.maximum(1.0, np.sqrt(np.mean(rows**2, axis=0))))


def similar(first: Weights, second: Weights) -> bool:
    """Tell whether no weight differs by more than is worth another fit."""
    return bool((np.abs(first.row() / second.row() - 1.0) < _SAME_WEIGHTS).all())


def residual_rad_of(problem: OutputError, fit: Fit) -> Array:
    """Return the root mean square (n,) of a fit's residuals in position."""
    n = problem.pieces[0].position_rad.shape[1]
    rows = rows_of(problem, fit)[:, :n] * problem.weights.position_rad
    residual: Array = np.sqrt(np.mean(rows**2, axis=0))
    return residual
