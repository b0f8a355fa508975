"""From accelerations of the joints to the efforts that give them: computed torque, with damping.

The law (Luh, Walker and Paul 1980, "Resolved-acceleration control of mechanical manipulators";
Siciliano et al. 2009, Robotics, equation 8.57) for an arm that compensates gravity itself:

    effort = M(q) a + C(q, v) v,   a = scale * (action - v / speed)

It undoes the couplings between joints, whose inertias differ a thousandfold, so that each action
moves its own joint alone and all joints alike. The damping gives an action a speed that it leads
to: `speed` at 1, rest at 0. Without it an untrained policy swings the arm at its limits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.dynamics import inverse_dynamics, rotate_joints
from sinew_core.robots.kinematics import KinematicChain
from sinew_core.specs import AccelerationMotion

_NO_GRAVITY = (0.0, 0.0, 0.0)


class JointAccelerationSolver:
    """Makes joint efforts of an action; the lists inside are used again and again."""

    def __init__(
        self, chain: KinematicChain, motion: AccelerationMotion, scale_rad_s2: Sequence[float]
    ) -> None:
        """Take the kinematics, the masses and damping, and what an action of 1 stands for."""
        n = len(scale_rad_s2)
        self._coefficients = list(chain.coefficients)
        self._bodies = list(motion.bodies)
        self._scale = np.array(scale_rad_s2, dtype=np.float64)
        self._per_speed = 1.0 / motion.speed_rad_s
        self._rotations, self._wrenches = [0.0] * (9 * n), [0.0] * (6 * n)

    def solve(self, action: Array, q: Array, velocity: Array, out: Array) -> Array:
        """Return efforts (n,) N m, in `out`, for an action (n,) at q (n,) rad and (n,) rad/s."""
        effort = (self._scale * (action - self._per_speed * velocity)).tolist()
        rotate_joints(q.tolist(), self._coefficients, self._rotations)
        inverse_dynamics(
            self._rotations,
            velocity.tolist(),
            effort,
            self._coefficients,
            self._bodies,
            _NO_GRAVITY,
            self._wrenches,
            effort,
        )
        out[:] = effort
        return out
