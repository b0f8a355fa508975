"""What the rest of the stack knows about a robot."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array, frozen_array
from sinew_core.robots.kinematics import KinematicChain
from sinew_core.robots.limits import JointLimits


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Box:
    """An axis-aligned box in the base frame.

    Attributes:
        lower_m: (3,) m.
        upper_m: (3,) m.

    Raises:
        RobotError: unless both have three finite numbers, the lower below the upper.
    """

    lower_m: Array
    upper_m: Array

    def __post_init__(self) -> None:
        """Freeze the corners."""
        lower, upper = frozen_array(self.lower_m), frozen_array(self.upper_m)
        good = lower.shape == upper.shape == (3,) and np.isfinite([lower, upper]).all()
        if not good or (lower >= upper).any():
            raise RobotError(
                f"box from {lower.tolist()} to {upper.tolist()} m: "
                "expected three finite numbers each, the lower below the upper"
            )
        object.__setattr__(self, "lower_m", lower)
        object.__setattr__(self, "upper_m", upper)

    def contains(self, position_m: Sequence[float] | Array) -> bool:
        """Tell whether a point (3,) m lies in the box, its faces included."""
        point = np.asarray(position_m)
        return bool((point >= self.lower_m).all() and (point <= self.upper_m).all())

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw a point (3,) m uniformly."""
        return rng.uniform(self.lower_m, self.upper_m)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RobotModel:
    """A manipulator: n revolute joints in series, their limits, and where its tool can go.

    Attributes:
        joint_names: in order from base to tool; all arrays of the stack follow it.
        home_rad: (n,) rest posture inside the limits.
        urdf_text: the description that the engines load.
        reach_box: targets (base frame), all reachable.
        assumed_limits: names of the limits that no source gave and documented defaults replace.
    """

    name: str
    joint_names: tuple[str, ...]
    limits: JointLimits
    home_rad: Array
    base_link: str
    tool_link: str
    urdf_text: str
    chain: KinematicChain
    reach_box: Box
    assumed_limits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the parts fit.

        Raises:
            RobotError: when numbers of joints differ, or home is outside the limits.
        """
        object.__setattr__(self, "home_rad", frozen_array(self.home_rad))
        check_fit(self.name, self.joint_names, self.limits, self.home_rad)
        if self.chain.n_joints != self.n_joints:
            raise RobotError(
                f"robot '{self.name}' has {self.n_joints} joints but its kinematic chain "
                f"{self.chain.n_joints}: expected as many"
            )

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.joint_names)


def check_fit(name: str, joint_names: Sequence[str], limits: JointLimits, home_rad: Array) -> None:
    """Raise `RobotError` when limits or home (n,) do not fit the joints, or home is outside."""
    n = len(joint_names)
    for what, size in (("limits", limits.n_joints), ("home_rad", home_rad.size)):
        if size != n:
            raise RobotError(
                f"robot '{name}' has {n} joints ({', '.join(joint_names)}) but {what} for {size}: "
                "give one value per joint"
            )
    lower, upper = limits.position_lower_rad, limits.position_upper_rad
    for joint, q, low, high in zip(joint_names, home_rad, lower, upper, strict=True):
        if not low <= q <= high:
            raise RobotError(
                f"robot '{name}': home_rad of {joint} is {q:g}: allowed {low:g} to {high:g}"
            )
