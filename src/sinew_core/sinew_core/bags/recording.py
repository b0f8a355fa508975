"""What a bag tells about the motion of one arm, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.robots.arrays import Array, frozen_array


@dataclass(frozen=True, kw_only=True)
class Defect:
    """Something wrong in a bag that does not keep it from being read.

    Attributes:
        kind: a word such as `stamp_backward`, `gap`, `nan_position`; see `sinew_core.bags.defects`.
        topic: where.
        count: how often.
        first_ns: log time of the first, in ns.
        text: one sentence, with what it was taken for.
    """

    kind: str
    topic: str
    count: int
    first_ns: int
    text: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Commands:
    """What a controller was told, m messages for n joints.

    Attributes:
        mode: `position` (rad), `velocity` (rad/s) or `effort` (N m).
        time_s: (m,) when each was recorded, not decreasing, from the recording's zero. Controller
            commands carry no stamp of their own.
        values: (m, n) in the order of the recording's joints.
        topic: where they come from.
    """

    mode: str
    time_s: Array
    values: Array
    topic: str

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        for field in ("time_s", "values"):
            object.__setattr__(self, field, frozen_array(getattr(self, field)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """The joint states of one arm, N samples of n joints in the robot's order, and its commands.

    Attributes:
        source: path of the bag, for messages.
        joint_names: the n joints.
        time_s: (N,) stamps of the joint states' headers, strictly increasing, from `zero_ns`.
        position_rad: (N, n), finite.
        velocity_rad_s: (N, n), or None where the bag has none.
        effort_nm: (N, n), or None where the bag has none.
        zero_ns: what `time_s` counts from, in ns.
        commands: None where the bag has none.
        gaps: (k,) indices of samples that follow a gap; motion is continuous between them only.
        robot_description: URDF in the bag, empty where there is none.
        defects: all that is wrong, in the order found.
    """

    source: str
    joint_names: tuple[str, ...]
    time_s: Array
    position_rad: Array
    velocity_rad_s: Array | None
    effort_nm: Array | None
    zero_ns: int
    commands: Commands | None
    gaps: tuple[int, ...] = ()
    robot_description: str = ""
    defects: tuple[Defect, ...] = ()

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        for field in ("time_s", "position_rad", "velocity_rad_s", "effort_nm"):
            values = getattr(self, field)
            if values is not None:
                object.__setattr__(self, field, frozen_array(values))
