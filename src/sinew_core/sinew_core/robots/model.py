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
        home = frozen_array(self.home_rad)
        object.__setattr__(self, "home_rad", home)
        n = len(self.joint_names)
        sizes = {
            "limits": self.limits.n_joints,
            "home_rad": home.size,
            "kinematic chain": self.chain.n_joints,
        }
        wrong = [f"{what} for {size}" for what, size in sizes.items() if size != n]
        if wrong:
            names = ", ".join(self.joint_names)
            raise RobotError(f"robot '{self.name}' has {n} joints ({names}) but {', '.join(wrong)}")
        lower, upper = self.limits.position_lower_rad, self.limits.position_upper_rad
        for joint, q, low, high in zip(self.joint_names, home, lower, upper, strict=True):
            if not low <= q <= high:
                raise RobotError(
                    f"robot '{self.name}': home_rad of {joint} is {q:g}: "
                    f"allowed {low:g} to {high:g}"
                )

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.joint_names)
