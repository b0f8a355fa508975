"""The limits of a robot's joints: what the safety filter holds and the engines saturate at."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from sinew_core.errors import RobotError, suggest
from sinew_core.robots.arrays import Array, as_numbers, frozen_array


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class JointLimits:
    """Limits of n joints, each a read-only float64 array (n,) in SI units.

    Velocity, acceleration, jerk, effort and effort rate are symmetric: ± the value. Sequences of
    numbers are accepted and copied.

    Raises:
        RobotError: names every value that is not finite, not positive, or not in order.
    """

    position_lower_rad: Array
    position_upper_rad: Array
    velocity_rad_s: Array
    acceleration_rad_s2: Array
    jerk_rad_s3: Array
    effort_nm: Array
    effort_rate_nm_s: Array

    def __post_init__(self) -> None:
        """Validate, and turn each field into a read-only array."""
        lists = {name: as_numbers(getattr(self, name)) for name in LIMIT_NAMES}
        problems = [
            f"{name} is {getattr(self, name)!r}: expected a list of numbers, one per joint"
            for name, values in lists.items()
            if not values
        ]
        if not problems:
            problems = _violations({name: values or [] for name, values in lists.items()})
        if problems:
            raise RobotError("joint limits: " + "; ".join(problems))
        for name, values in lists.items():
            object.__setattr__(self, name, frozen_array(values or []))

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.velocity_rad_s)

    def to_mapping(self) -> dict[str, list[float]]:
        """Return plain lists of floats by field name, as YAML and JSON hold them."""
        return {name: getattr(self, name).tolist() for name in LIMIT_NAMES}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], source: str) -> JointLimits:
        """Build from plain lists by field name; every field is needed, unknown names are refused.

        Raises:
            RobotError: for unknown and missing names and for every violation, `source` in front.
        """
        check_limit_names(mapping, source)
        missing = [name for name in LIMIT_NAMES if name not in mapping]
        if missing:
            raise RobotError(f"{source}: limits lack {', '.join(missing)}: add them")
        try:
            return cls(**{name: mapping[name] for name in LIMIT_NAMES})  # type: ignore[arg-type]  # validated in __post_init__
        except RobotError as error:
            raise RobotError(f"{source}: {error}") from None


LIMIT_NAMES: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(JointLimits))


def check_limit_names(mapping: Mapping[str, object], source: str) -> None:
    """Raise `RobotError` with a suggestion for each name that is not a limit."""
    unknown = [
        f"unknown limit '{name}': {suggest(str(name), LIMIT_NAMES)}"
        for name in mapping
        if name not in LIMIT_NAMES
    ]
    if unknown:
        raise RobotError(f"{source}: " + "; ".join(unknown))


def _violations(lists: Mapping[str, list[float]]) -> list[str]:
    sizes = {name: len(values) for name, values in lists.items()}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        return [f"{found}: expected one value per joint in each"]
    problems = []
    for name, values in lists.items():
        is_position = name.startswith("position")
        for index, value in enumerate(values):
            if not math.isfinite(value):
                problems.append(f"{name}[{index}] is {value}: expected a finite number")
            elif not is_position and value <= 0.0:
                problems.append(f"{name}[{index}] is {value}: expected a positive number")
    pairs = zip(lists["position_lower_rad"], lists["position_upper_rad"], strict=True)
    problems.extend(
        f"position_lower_rad[{index}] is {lower}: expected below the upper limit {upper}"
        for index, (lower, upper) in enumerate(pairs)
        if lower >= upper
    )
    return problems
