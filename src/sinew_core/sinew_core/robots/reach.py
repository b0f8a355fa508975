"""Where a tool can go: inverse kinematics for positions, and a box of targets found with it."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array
from sinew_core.robots.kinematics import KinematicChain
from sinew_core.robots.limits import JointLimits
from sinew_core.robots.model import Box, RobotModel

_DAMPING = 0.05
_LARGEST_STEP_RAD = 0.3

# Centres of candidate boxes relative to the arm's length: ahead, left, right and behind.
_CENTRES = np.array(
    [
        (side_x * reach, side_y * reach, height)
        for side_x, side_y in ((1, 0), (0, 1), (0, -1), (-1, 0))
        for reach in (0.4, 0.5, 0.3)
        for height in (0.3, 0.4, 0.2)
    ]
)
# A cube's corners, face centres and centre, from -1 to 1; the far corners fail first.
_PROBES = np.vstack(
    [
        np.stack(np.meshgrid(*([[1.0, -1.0]] * 3)), axis=-1).reshape(8, 3),
        np.eye(3),
        -np.eye(3),
        np.zeros((1, 3)),
    ]
)


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


@functools.lru_cache(maxsize=16)
def work_postures(robot: RobotModel) -> tuple[Array, ...]:
    """Return home and postures (n,) rad that bring the tool to the corners of the reach box.

    A corner that is not found from home, as of a box that was given too wide, is left out.
    """
    box = robot.reach_box
    corners = np.array(list(itertools.product(*zip(box.lower_m, box.upper_m, strict=True))))
    found = (solve_position(robot.chain, robot.limits, c, robot.home_rad) for c in corners)
    return (robot.home_rad, *(posture for posture in found if posture is not None))


def default_reach_box(chain: KinematicChain, limits: JointLimits, home_rad: Array) -> Box:
    """Return a cube whose corners, face centres and centre are reachable from near home.

    For robots whose file gives no box. Cubes in front of the arm (+x) are tried first, then to its
    other sides, then around the tool in random postures (always the same ones).

    Raises:
        RobotError: when no box is found; the remedy is to give `reach_box_m`.
    """
    # Joints of many turns go everywhere within one turn to each side.
    lower = np.maximum(limits.position_lower_rad, home_rad - 2.0 * np.pi)
    upper = np.minimum(limits.position_upper_rad, home_rad + 2.0 * np.pi)
    # Off the home posture, since a straight arm is singular there.
    bent = np.clip(home_rad + 0.3, lower, upper)
    length_m = float(np.linalg.norm(chain.origins[:, :3, 3], axis=1).sum())
    length_m += float(np.linalg.norm(chain.tool[:3, 3]))
    rng = np.random.default_rng(0)
    postures = 0.5 * home_rad + 0.5 * rng.uniform(lower, upper, size=(20, chain.n_joints))
    candidates = [(length_m * centre, bent) for centre in _CENTRES]
    candidates += [(chain.tool_position(posture), posture) for posture in postures]
    for half_m in (0.15 * length_m, 0.1 * length_m, 0.05 * length_m, 0.02 * length_m):
        for centre_m, start_rad in candidates:
            if half_m > 0.0 and _reaches_all(chain, limits, centre_m + half_m * _PROBES, start_rad):
                return Box(lower_m=centre_m - half_m, upper_m=centre_m + half_m)
    raise RobotError(
        "no box of reachable targets was found for this robot: give reach_box_m in a robot .yaml"
    )


def _reaches_all(
    chain: KinematicChain, limits: JointLimits, targets_m: Array, start_rad: Array
) -> bool:
    return all(
        solve_position(chain, limits, target_m, start_rad, max_iterations=60) is not None
        for target_m in targets_m
    )
