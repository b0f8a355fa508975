"""The equations of stage 1: what a recording says of an arm's efforts, one row per time and joint.

With the drive's own period h, a controller goes by the state at the beginning of a period, gives an
effort until its end, and publishes it then. So an effort stamped t moved the arm at t - h/2, and
answers the state at t - h and the commands of t - h/2 - delay.

| group | where | residual |
|---|---|---|
| `links` | efforts were measured | tau(t + h/2) - Y(t) c(theta) |
| `control` | efforts and commands | tau(t + h) - u(t; theta) |
| `balance` | commands only | u(t; theta) - Y(t) c(theta) |

Y with the frictions and rotors is the regressor, c the arm's constants, and u the controllers'
effort, times the motors' strength s:

| mode | u |
|---|---|
| position | s (kp (q_cmd(t + h/2 - delay) - q) - kd v + weight) |
| velocity | s (kp_v (v_cmd - v) + ki_v (integral of v_cmd - q) + constant + weight) |
| effort | s (tau_cmd + weight) |

Every term is filtered alike. The constant of a velocity loop's integral, one per joint and piece of
the recording, is removed by taking the mean away from each side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinew_core.bags.recording import Recording
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.command_spline import CommandSpline
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
_SLOW_RAD_S = 0.02
"""Below it Coulomb friction may be anything up to its value: a joint sticks."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PieceRows:
    """The filtered terms of one piece, T rows for n joints.

    Attributes:
        regressor: (T, n, 10 n) of the bodies.
        columns: (3, T, n) of Coulomb friction, viscous friction, rotor.
        position_rad, velocity_rad_s: (T, n) as the controllers see them.
        weight_nm: (T, n) that gravity compensation adds, 0 without.
        links_nm, control_nm: (T, n) measured efforts as each group takes them, or None.
        moving, unsaturated: (T, n) 1 where a joint's equation holds, else 0.
        time_s: (T,) of the commands at no delay.
        commands: None where there are none.
    """

    regressor: Array
    columns: Array
    position_rad: Array
    velocity_rad_s: Array
    weight_nm: Array
    links_nm: Array | None
    control_nm: Array | None
    moving: Array
    unsaturated: Array
    time_s: Array
    commands: CommandSpline | None


def make_rows(
    recording: Recording,
    robot: RobotModel,
    known: KnownController,
    *,
    cutoff_hz: float,
    drive_period_s: float = DRIVE_PERIOD_S,
    max_delay_s: float = MAX_DELAY_S,
) -> tuple[PieceRows, ...]:
    """Return the rows of every piece of a recording.

    Raises:
        BagError: no piece of it is long enough.
    """
    pieces = make_pieces(recording, cutoff_hz)
    return tuple(
        _piece_rows(piece, recording, robot, known, drive_period_s, max_delay_s) for piece in pieces
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
    plain = piece.filtered(piece.position_rad)
    velocity, acceleration = (
        piece.filtered(values) for values in derivatives(piece.position_rad, piece.period_s)
    )
    # Linear terms need no smoothing before the filter.
    coulomb = piece.filtered(joint_columns(motion)[0])
    commands = None
    if recording.commands is not None and recording.commands.time_s.size:
        rest = recording.position_rad[0] if known.mode == "position" else np.zeros(robot.n_joints)
        commands = CommandSpline(recording.commands, known.hold, rest, piece, max_delay_s)
    links = control = None
    unsaturated = np.ones_like(plain)
    if piece.raw_effort_nm is not None:
        links = piece.filtered(piece.effort_nm(0.5 * drive_period_s))
        late = piece.effort_nm(drive_period_s)
        control = piece.filtered(late)
        limit = _SATURATED_SHARE * robot.limits.effort_nm
        unsaturated = _clear(piece, np.abs(late) >= limit)
    return PieceRows(
        regressor=piece.filtered(body_regressor(robot, motion)),
        columns=np.array([coulomb, velocity, acceleration]),
        position_rad=plain,
        velocity_rad_s=velocity,
        weight_nm=piece.filtered(_weight(robot, motion, known)),
        links_nm=links,
        control_nm=control,
        moving=_clear(piece, np.abs(motion.velocity_rad_s) < _SLOW_RAD_S),
        unsaturated=unsaturated,
        time_s=piece.row_time_s + 0.5 * drive_period_s,
        commands=commands,
    )


def _weight(robot: RobotModel, motion: JointMotion, known: KnownController) -> Array:
    """Return the nominal arm's weight (N, n) where it is compensated."""
    if not known.gravity_compensation:
        return np.zeros_like(motion.position_rad)
    still = np.zeros_like(motion.position_rad)
    resting = JointMotion(
        position_rad=motion.position_rad, velocity_rad_s=still, acceleration_rad_s2=still
    )
    nominal = SimParams(dynamics=ArmDynamics.nominal(robot))
    weight: Array = (
        body_regressor(robot, resting) @ constants_of(robot, nominal)[: PER_BODY * robot.n_joints]
    )
    return weight


def _clear(piece: Piece, bad: NDArray[np.bool_]) -> Array:
    """Return 1 for the rows (T, n) whose filter saw little of what is bad (N, n), else 0."""
    return (piece.filtered(bad.astype(np.float64)) < 0.5).astype(np.float64)
