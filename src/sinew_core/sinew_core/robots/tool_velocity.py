"""From a velocity of the tool to velocities of the joints, by a damped Jacobian.

The law (Nakamura and Hanafusa 1986, "Inverse kinematic solutions with singularity robustness for
robot manipulator control"; Wampler 1986): with J the (6, n) Jacobian whose angular rows are
weighted by a length w, the joint velocities minimise

    |J q' - x|² + damping² |q' - r|²,   that is   q' = r + Jᵀ (J Jᵀ + damping² I)⁻¹ (x - J r).

The damping bounds them, in a singularity too: no gain of the inverse exceeds 1 / (2 damping). Asked
for is x = (v, w k |v| e): the tool's velocity v and, as a secondary aim that w weighs, turning back
to the orientation of the home position. There e = ½ Σ cross(a_i, b_i) over the axes a_i of the tool
and b_i of the tool at home (Luh, Walker and Paul 1980), as long as the sine of the angle between
them. The redundant joints are drawn to home by r = k |v| (home - q). Last, where a joint would
exceed its speed, all are slowed by one factor, which keeps the direction of the tool.

Departures: the damping is constant, where Nakamura and Hanafusa, and Chiaverini et al. 1994, let it
grow near singularities only. It makes the tool slower where the arm can hardly move, which whoever
closes the loop over the tool's position corrects, and the bound holds everywhere. Orientation and
posture return by k for each metre of the tool's way, not by time, so that a velocity of zero is
rest.
"""

from __future__ import annotations

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.kinematics import KinematicChain
from sinew_core.specs import ToolMotion

_AXES = 6


class ToolVelocitySolver:
    """Makes joint velocities of a tool's velocity; the arrays inside are used again and again."""

    def __init__(self, chain: KinematicChain, motion: ToolMotion) -> None:
        """Take the kinematics, and how the tool is to move.

        Raises:
            ValueError: for a motion of another number of joints.
        """
        self._chain = chain
        self._weight_m, self._return_per_m = motion.rotation_weight_m, motion.return_per_m
        self._home = np.array(motion.home_rad)
        self._speed = np.array(motion.joint_speed_rad_s)
        self._axes_home = _axes(chain.joint_frames(motion.home_rad))
        self._damping = motion.damping_m**2 * np.eye(_AXES)
        self._aim = np.zeros(_AXES)

    def solve(self, velocity_m_s: Array, q: Array, out: Array) -> Array:
        """Return joint velocities (n,) rad/s, in `out`, for a velocity (3,) m/s at q (n,) rad."""
        aim = self._aim
        frames = self._chain.joint_frames(q.tolist())
        jacobian = self._chain.jacobian_of(frames)
        jacobian[3:] *= self._weight_m
        x, y, z = velocity_m_s.tolist()
        back_rad_s = self._return_per_m * (x * x + y * y + z * z) ** 0.5
        aim[:3] = velocity_m_s
        aim[3:] = _turn(_axes(frames), self._axes_home)
        aim[3:] *= self._weight_m * back_rad_s
        np.subtract(self._home, q, out=out)
        out *= back_rad_s
        aim -= jacobian @ out
        normal = jacobian @ jacobian.T
        normal += self._damping
        out += jacobian.T @ np.linalg.solve(normal, aim)
        # Where no joint is too fast the factor is 1; a velocity that is not a number stays one.
        out /= np.maximum(1.0, np.max(np.abs(out) / self._speed))
        return out


def _axes(frames: list[float]) -> tuple[float, ...]:
    """Return the axes of the last joint's frame, with which the tool turns: nine, row by row."""
    xx, xy, xz, _, yx, yy, yz, _, zx, zy, zz, _ = frames[-12:]
    return xx, xy, xz, yx, yy, yz, zx, zy, zz


def _turn(axes: tuple[float, ...], aim: tuple[float, ...]) -> tuple[float, float, float]:
    """Return ½ Σ cross(a_i, b_i) over the columns of two rotations: the axis times the sine."""
    x, y, z = axes[:3], axes[3:6], axes[6:]
    u, v, w = aim[:3], aim[3:6], aim[6:]
    return (
        0.5 * (_dot(y, w) - _dot(z, v)),
        0.5 * (_dot(z, u) - _dot(x, w)),
        0.5 * (_dot(x, v) - _dot(y, u)),
    )


def _dot(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
