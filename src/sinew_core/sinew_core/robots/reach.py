"""Where a tool can go: inverse kinematics for positions, and a box of targets found with it."""

from __future__ import annotations

import numpy as np

from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array
from sinew_core.robots.kinematics import KinematicChain
from sinew_core.robots.limits import JointLimits
from sinew_core.robots.model import Box

_DAMPING = 0.05
_LARGEST_STEP_RAD = 0.3


def solve_position(
    chain: KinematicChain,
    limits: JointLimits,
    target_m: Array,
    start_rad: Array,
    *,
    margin_rad: float = 0.05,
    tolerance_m: float = 1e-3,
    max_iterations: int = 200,
) -> Array | None:
    """Find joint positions (n,) rad that put the tool at a point, by damped least squares.

    Every iterate is clipped to the position limits less `margin_rad` (Wampler 1986, with clipping).

    Args:
        chain: the arm.
        limits: its limits, of which only the positions count.
        target_m: (3,) in the base frame.
        start_rad: (n,) where the search begins.
        margin_rad: distance that the solution keeps from the position limits.
        tolerance_m: distance from the target that counts as reached.
        max_iterations: steps before the search gives up.

    Returns:
        The solution, or None when the search did not come within `tolerance_m`.
    """
    lower = limits.position_lower_rad + margin_rad
    upper = limits.position_upper_rad - margin_rad
    q = np.clip(start_rad, lower, upper)
    for _ in range(max_iterations):
        error = target_m - chain.tool_position(q)
        distance = float(np.linalg.norm(error))
        if distance <= tolerance_m:
            return q
        jacobian = chain.jacobian(q)[:3]
        damping = (_DAMPING * min(1.0, distance / 0.1)) ** 2 + 1e-9
        step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping * np.eye(3), error)
        longest = float(np.abs(step).max())
        q = np.clip(q + step * min(1.0, _LARGEST_STEP_RAD / max(longest, 1e-12)), lower, upper)
    return None


def default_reach_box(chain: KinematicChain, limits: JointLimits, home_rad: Array) -> Box:
    """Return a box whose corners, faces' centres and centre are all reachable from home.

    For robots whose file gives no box: cubes around tool positions of random postures (always the
    same ones) are tried, from 0.2 times the arm's length downwards.

    Raises:
        RobotError: when no box is found; the remedy is to give `reach_box_m`.
    """
    rng = np.random.default_rng(0)
    length_m = float(np.linalg.norm(chain.origins[1:, :3, 3], axis=1).sum())
    length_m += float(np.linalg.norm(chain.tool[:3, 3]))
    lower, upper = limits.position_lower_rad, limits.position_upper_rad
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, 8).T
    points = np.vstack([np.zeros(3), np.eye(3), -np.eye(3), corners])
    for fraction in (0.2, 0.1, 0.05, 0.02):
        half = fraction * length_m
        for _ in range(20):
            posture = 0.5 * home_rad + 0.5 * rng.uniform(lower, upper)
            centre = chain.tool_position(posture)
            targets = centre + half * points
            if half > 0.0 and all(
                solve_position(chain, limits, t, posture, max_iterations=50) is not None
                for t in targets
            ):
                return Box(lower_m=centre - half, upper_m=centre + half)
    raise RobotError(
        "no box of reachable targets was found for this robot: give reach_box_m in a robot .yaml"
    )
