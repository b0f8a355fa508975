"""The equations of stage 1: what a recording says of an arm's efforts, one row per time and joint.

A controller with a period h goes by the state at the beginning of a period, the velocity being the
difference to the period before, gives an effort until its end, and publishes it then. So an effort
stamped t moves the arm as of t - h, and answers the position of t - h, the velocity of t - 3 h / 2
and the commands from t - h - delay to t - delay.

| group | where | residual |
|---|---|---|
| `links` | efforts were measured | tau(t + h) - Y(t) c(theta) |
| `control` | efforts and commands | tau(t) - u_s(t; theta) |
| `balance` | commands | u(t; theta) - Y(t) c(theta) |

Y with the frictions and rotors is the regressor, c the arm's constants, u the controllers' mean
effort and u_s that at a stamp (see `command_signal`); s is the motors' strength:

| mode | u |
|---|---|
| position | s (kp (q_cmd(t + h/2 - delay) - q) - kd v(t - h/2) + weight) |
| velocity | s (kp_v (v_cmd - v) + ki_v (integral of v_cmd - q) + constant + weight) |
| effort | s (tau_cmd + weight) |

Every term is filtered alike. The constant of a velocity loop's integral, one per joint and piece of
the recording, is removed by taking the mean away from each side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from sinew_core.bags.recording import Recording
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.command_signal import CommandSignal
from sinew_core.sysid.controller_file import KnownController
from sinew_core.sysid.preprocess import Piece, derivatives, make_pieces
from sinew_core.sysid.regressor import (
    PER_BODY,
    JointMotion,
    body_regressor,
    constants_of,
    joint_columns,
)

DRIVE_PERIOD_S = 1e-3
MAX_DELAY_S = 0.25
_SATURATED_SHARE = 0.98
_SLOW_RAD_S = 0.05
"""A joint that turns round or sticks: its friction is not that of its direction."""
_MEMORY_PERIODS = 1.5
"""Of the cutoff: how far the filter carries what happens once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PieceRows:
    """The filtered terms of one piece, T rows for n joints.

    Attributes:
        regressor: (T, n, 10 n) of the bodies.
        columns: (3, T, n) of Coulomb friction, viscous friction, rotor.
        position_rad, velocity_rad_s, acceleration_rad_s2: (T, n).
        weight_nm: (T, n) that gravity compensation adds, 0 without.
        links_nm, control_nm: (T, n) measured efforts as each group takes them, or None.
        moving, unsaturated: (T, n) 1 where a joint's equation holds, else 0.
        time_s: (T,).
        commands: None where there are none.
        drive_period_s: h.
    """

    regressor: Array
    columns: Array
    position_rad: Array
    velocity_rad_s: Array
    acceleration_rad_s2: Array
    weight_nm: Array
    links_nm: Array | None
    control_nm: Array | None
    moving: Array
    unsaturated: Array
    time_s: Array
    commands: CommandSignal | None
    drive_period_s: float


def make_rows(
    recording: Recording,
    robot: RobotModel,
    known: KnownController,
    *,
    cutoff_hz: float | None = None,
    drive_period_s: float = DRIVE_PERIOD_S,
    max_delay_s: float = MAX_DELAY_S,
) -> tuple[tuple[PieceRows, ...], ...]:
    """Return the rows of every piece of a recording, for each reading of its samples.

    Raises:
        BagError: no piece of it is long enough.
    """
    return tuple(
        tuple(
            _piece_rows(piece, recording, robot, known, drive_period_s, max_delay_s)
            for piece in pieces
        )
        for pieces in make_pieces(recording, cutoff_hz)
    )


def _piece_rows(
    piece: Piece,
    recording: Recording,
    robot: RobotModel,
    known: KnownController,
    drive_period_s: float,
    max_delay_s: float,
) -> PieceRows:
    motion = piece.motion()
    # Linear terms need no smoothing before the filter.
    terms = piece.position_rad, *derivatives(piece.position_rad, piece.period_s)
    plain, velocity, acceleration = (piece.filtered(values) for values in terms)
    coulomb = piece.filtered(joint_columns(motion)[0])
    commands = None
    if recording.commands is not None and recording.commands.time_s.size:
        rest = recording.position_rad[0] if known.mode == "position" else np.zeros(robot.n_joints)
        commands = CommandSignal(recording.commands, known.hold, rest, piece, max_delay_s)
    links = control = None
    unsaturated = np.ones_like(plain)
    if piece.raw_effort_nm is not None:
        links = piece.filtered(piece.effort_nm(drive_period_s))
        measured = piece.effort_nm(0.0)
        control = piece.filtered(measured)
        limit = _SATURATED_SHARE * robot.limits.effort_nm
        unsaturated = _clear(piece, np.abs(measured) >= limit)
    return PieceRows(
        regressor=_filtered_regressor(piece, body_regressor(robot, motion)),
        columns=np.array([coulomb, velocity, acceleration]),
        position_rad=plain,
        velocity_rad_s=velocity,
        acceleration_rad_s2=acceleration,
        weight_nm=piece.filtered(_weight(robot, motion, known)),
        links_nm=links,
        control_nm=control,
        moving=_clear(piece, np.abs(motion.velocity_rad_s) < _SLOW_RAD_S),
        unsaturated=unsaturated,
        time_s=piece.row_time_s,
        commands=commands,
        drive_period_s=drive_period_s,
    )


def _filtered_regressor(piece: Piece, regressor: Array) -> Array:
    """Return the rows (T, n, 10 n): a joint feels the bodies that it carries only."""
    rows = np.zeros_like(regressor[piece.rows])
    for joint in range(regressor.shape[1]):
        carried = slice(PER_BODY * joint, None)
        rows[:, joint, carried] = piece.filtered(regressor[:, joint, carried])
    return rows


def _weight(robot: RobotModel, motion: JointMotion, known: KnownController) -> Array:
    """Return the nominal arm's weight (N, n) where it is compensated."""
    if not known.gravity_compensation:
        return np.zeros_like(motion.position_rad)
    still = np.zeros_like(motion.position_rad)
    n = robot.n_joints
    resting = JointMotion(
        position_rad=motion.position_rad, velocity_rad_s=still, acceleration_rad_s2=still
    )
    nominal = SimParams(dynamics=ArmDynamics.nominal(robot))
    bodies: Array = constants_of(robot, nominal)[: PER_BODY * n]
    return np.asarray(body_regressor(robot, resting) @ bodies)


def _clear(piece: Piece, bad: NDArray[np.bool_]) -> Array:
    """Return 1 for the rows (T, n) whose filter saw nothing of what is bad (N, n), else 0."""
    reach = round(_MEMORY_PERIODS * piece.smooth.rate_hz / piece.smooth.cutoff_hz)
    seen = maximum_filter1d(bad.astype(np.int8), 2 * reach + 1, axis=0, mode="nearest")
    clear: Array = 1.0 - seen[piece.rows].astype(np.float64)
    return clear
