"""What to command so that an arm follows a motion: planned commands, and a gentle correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.excitation.reference import Reference
from sinew_core.sysid.excitation.rejoin import Rejoin
from sinew_core.sysid.excitation.sensitivity import EffortSensitivity


def planned_commands(
    mode: str, reference: Reference, model: EffortSensitivity, *, gravity_compensation: bool
) -> Array:
    """Return the commands (N, n) of an arm that follows a motion exactly.

    A command holds for one period, so it is what takes the arm to the next sample: its position,
    the mean velocity until there, or the effort of the mean acceleration.
    """
    q, v = reference.position_rad, reference.velocity_rad_s
    period_s = float(reference.time_s[1] - reference.time_s[0])
    following, faster = np.vstack([q[1:], q[-1:]]), np.vstack([v[1:], v[-1:]])
    if mode == "joint_position":
        return following
    if mode == "joint_velocity":
        return (following - q) / period_s
    effort, _ = model.evaluate(q, v, (faster - v) / period_s)
    if gravity_compensation:
        still = np.zeros_like(q)
        effort = effort - model.evaluate(q, still, still)[0]
    return effort


class Follower:
    """Commands for an arm on its way along a motion.

    Positions are sent as planned, the drive follows them by itself; with a `rejoin` they are led
    back to the plan where the safety filter has changed one. Velocities are those planned with a
    correction of the position. Efforts are those planned with a correction by position,
    velocity and the integral of the position's error, which overcomes friction that is not known:

        tau = planned + M(q) (3 p e' + 3 p^2 e + p^3 integral of e),   (s + p)^3 = 0

    Attributes:
        error_rad: (n,) planned less measured position of the last call.
        rate: by how many samples the motion goes on after it.
    """

    def __init__(
        self,
        mode: str,
        robot: RobotModel,
        reference: Reference,
        commands: Array,
        *,
        model: EffortSensitivity,
        correction_per_s: float,
        rejoin: Rejoin | None = None,
    ) -> None:
        """Take the planned `commands` (N, n) of `reference`.

        Args:
            mode: action mode.
            robot: whose efforts are clipped to its limits.
            reference: the motion.
            commands: of `planned_commands`.
            model: of the arm, for its inertia.
            correction_per_s: how fast an error of the position is made up for: the pole of
                velocities; the triple pole of efforts is ten times as fast.
            rejoin: for positions, told what the filter changes.
        """
        self._mode, self._commands = mode, commands
        self._position, self._velocity = reference.position_rad, reference.velocity_rad_s
        self._period_s = float(reference.time_s[1] - reference.time_s[0])
        self._pole, self._model, self._rejoin = correction_per_s, model, rejoin
        self._highest = robot.limits.effort_nm
        self.error_rad = np.zeros(robot.n_joints)
        self.rate = 1.0
        self._sum = np.zeros(robot.n_joints)

    @property
    def samples(self) -> int:
        """How many commands there are."""
        return len(self._commands)

    def command(
        self, sample: float, position_rad: Sequence[float], velocity_rad_s: Sequence[float]
    ) -> list[float]:
        """Return what to send (n,) at a sample, for an arm measured at (n,) rad, rad/s.

        A motion that was held up goes on from between two samples.
        """
        now, planned = _between(self._position, sample), _between(self._commands, sample)
        self.error_rad = error = now - np.array(position_rad)
        if self._mode == "joint_velocity":
            planned = planned + self._pole * error
        elif self._rejoin is not None:
            planned = self._rejoin.next(now, planned)
            self.rate = self._rejoin.rate
        elif self._mode == "joint_effort":
            slower = _between(self._velocity, sample) - np.array(velocity_rad_s)
            planned = planned + self._correction(np.array(position_rad), error, slower)
            planned = np.clip(planned, -self._highest, self._highest)
        commands: list[float] = planned.tolist()
        return commands

    def _correction(self, position: Array, error: Array, slower: Array) -> Array:
        """Return the efforts (n,) of the acceleration that makes up for errors (n,)."""
        pole = 10.0 * self._pole
        self._sum += error * self._period_s
        wanted = 3.0 * pole * slower + 3.0 * pole**2 * error + pole**3 * self._sum
        two = np.array([position, position])
        effort, _ = self._model.evaluate(two, np.zeros_like(two), np.array([wanted, 0.0 * wanted]))
        correction: Array = effort[0] - effort[1]
        return correction


def _between(rows: Array, sample: float) -> Array:
    """Return a row (n,), or what is on the straight line to the next."""
    whole = int(sample)
    share = sample - whole
    row: Array = rows[whole]
    return (1.0 - share) * row + share * rows[min(whole + 1, len(rows) - 1)] if share else row
