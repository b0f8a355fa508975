"""One-point joint trajectories, as a `JointTrajectoryController` of ros2_controllers takes them.

What it accepts and how it goes there is that controller's: all joints by name in any order,
positions, no velocity at the end, no efforts; a linear way for positions alone, a hold at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from trajectory_msgs.msg import JointTrajectory

from sinew_ros.stamps import NS_PER_S

_FLOAT_EPSILON = 1.1920929e-07
"""Of C++'s float, below which that controller takes a velocity for 0."""


class TrajectoryFollower:
    """The way to the point in force, from one period to the next."""

    def __init__(self, joint_names: Sequence[str], period_ns: int) -> None:
        """Name the joints, in the order of `advance`; the driver advances once a period."""
        self._index = {name: i for i, name in enumerate(joint_names)}
        self._period_ns = period_ns
        self._target: list[float] | None = None
        self._left_ns = 0

    def take(self, message: JointTrajectory) -> str:
        """Put a trajectory in force, from the next period on; return '' or why it is refused."""
        refusal = self._refusal(message)
        if not refusal:
            point = message.points[0]
            target = [0.0] * len(self._index)
            for name, position in zip(message.joint_names, point.positions, strict=True):
                target[self._index[name]] = position
            time = point.time_from_start
            self._target, self._left_ns = target, time.sec * NS_PER_S + time.nanosec
        return refusal

    def forget(self) -> None:
        """Go nowhere, until the next trajectory."""
        self._target, self._left_ns = None, 0

    def advance(self, position: Sequence[float]) -> list[float] | None:
        """Return where the arm is to be a period after this position (n,) rad.

        None before the first trajectory, and once its point has been returned.
        """
        target = self._target
        if target is None:
            return None
        if self._left_ns <= self._period_ns:
            self.forget()
            return target
        share = self._period_ns / self._left_ns
        self._left_ns -= self._period_ns
        return [q + share * (t - q) for q, t in zip(position, target, strict=True)]

    def _refusal(self, message: JointTrajectory) -> str:
        names = message.joint_names
        if sorted(names) != sorted(self._index):
            return f"joints {', '.join(names) or 'none'}, not {', '.join(self._index)}"
        if len(message.points) != 1:
            return f"{len(message.points)} points: this controller takes one"
        if message.header.stamp.sec or message.header.stamp.nanosec:
            return "a stamp: this controller begins at once, stamp 0"
        point = message.points[0]
        if len(point.positions) != len(names) or not all(map(math.isfinite, point.positions)):
            return f"{len(point.positions)} finite positions for {len(names)} joints"
        if any(abs(v) > _FLOAT_EPSILON or math.isnan(v) for v in point.velocities):
            return "a velocity at the end of the trajectory that is not zero"
        return "efforts, which no controller of positions takes" if point.effort else ""
