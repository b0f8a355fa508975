"""Parameters of the safety filter: what is assumed about the arm, and how much of it is used."""

from __future__ import annotations

import dataclasses

from sinew_core.parameters import Parameters, parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class SafetyParameters(Parameters):
    """Assumptions about the drive and the measurements under which the limits are guaranteed.

    The defaults suit the simulated arms in lockstep (no jitter, no latency). Their velocity drives
    have the effort limits of the real ones: a step of the command takes a few milliseconds where an
    effort saturates, more against gravity than with it, so that the joint lags (`interpolation`)
    and is displaced by up to half a milliradian a step (`noise_rad`, `drift_rad_s`). At more than
    half the acceleration limits of all joints at once the efforts do not always suffice to follow;
    the observer then rightly stops the arm. The speed left is 99 % of the limit.
    """

    margin_rad: float = parameter(
        0.005, "Distance kept from every position limit", unit="rad", minimum=0.0, maximum=0.5
    )
    noise_rad: float = parameter(
        1e-3, "Largest error of a measured position", unit="rad", minimum=0.0, maximum=0.1
    )
    tracking_error_rad: float = parameter(
        0.02,
        "Position commands: how far the drive may be off what it was sent, age apart",
        unit="rad",
        minimum=0.0,
        maximum=0.25,
    )
    drift_rad_s: float = parameter(
        0.005,
        "Largest velocity error of the drive that does not scale with the command",
        unit="rad/s",
        minimum=0.0,
        maximum=0.1,
    )
    gain_error: float = parameter(
        0.005, "Largest relative velocity error of the drive", minimum=0.0, maximum=0.2
    )
    jitter: float = parameter(
        0.0, "Largest relative deviation of a filter period", minimum=0.0, maximum=0.5
    )
    max_latency_periods: int = parameter(
        0,
        "Largest age of a measured position plus the delay of a command",
        unit="filter periods",
        minimum=0,
        maximum=64,
    )
    dead_time_periods: float = parameter(
        0.0,
        "How long the driver holds the last command when the filter dies, before it brakes",
        unit="filter periods",
        minimum=0.0,
        maximum=100.0,
    )
    interpolation: float = parameter(
        0.5,
        "Largest part of a period's motion that comes after it: 0 a driver that holds the "
        "velocity, 0.5 one that interpolates linearly or lags, or an unknown one",
        minimum=0.0,
        maximum=0.5,
    )
    velocity_scale: float = parameter(
        1.0, "Part of the robot's velocity limits that may be used", minimum=0.01, maximum=1.0
    )
    acceleration_scale: float = parameter(
        0.5, "Part of the robot's acceleration limits that may be used", minimum=0.01, maximum=1.0
    )
    recovery_speed_rad_s: float = parameter(
        0.05,
        "Largest inward speed of a joint that is outside its position limits",
        unit="rad/s",
        minimum=0.001,
        maximum=0.5,
    )
    limiting: str = parameter(
        "joint",
        "What an unsafe command becomes: each joint by itself, or the whole command scaled towards "
        "braking, which keeps its direction",
        choices=("joint", "scale"),
    )
    limit_jerk: bool = parameter(True, "Whether the jerk limits hold")
    jerk_scale: float = parameter(
        1.0, "Part of the robot's jerk limits that may be used", minimum=0.01, maximum=1.0
    )
    self_collision: bool = parameter(True, "Whether parts of the arm keep off each other")
    floor: bool = parameter(True, "Whether the moving parts of the arm keep above the floor")
    floor_height_m: float = parameter(
        0.0, "Height of the floor, base frame", unit="m", minimum=-10.0, maximum=10.0
    )
    workspace_lower_m: tuple[float, ...] = parameter(
        (), "Lower corner of the box that the tool stays in, base frame; empty: none", unit="m"
    )
    workspace_upper_m: tuple[float, ...] = parameter((), "Upper corner of that box", unit="m")
    forbidden_boxes_m: tuple[float, ...] = parameter(
        (),
        "Boxes that no moving part enters, base frame: lower and upper corner of each, six numbers "
        "a box",
        unit="m",
    )
    clearance_m: float = parameter(
        0.01,
        "Distance kept between parts of the arm, to the floor and to forbidden boxes",
        unit="m",
        minimum=0.0,
        maximum=0.5,
    )

    def check(self) -> list[str]:
        """Return the boxes that are none."""
        problems = []
        lower, upper = self.workspace_lower_m, self.workspace_upper_m
        if (lower or upper) and not _is_box(lower, upper):
            problems.append(
                f"workspace_lower_m {list(lower)} and workspace_upper_m {list(upper)}: "
                "expected three numbers each, the lower below the upper"
            )
        boxes = self.forbidden_boxes_m
        corners = [(boxes[i : i + 3], boxes[i + 3 : i + 6]) for i in range(0, len(boxes), 6)]
        problems += [
            f"forbidden_boxes_m: box {i} from {list(low)} to {list(high)}: "
            "expected three numbers each, the lower below the upper"
            for i, (low, high) in enumerate(corners)
            if not _is_box(low, high)
        ]
        return problems


def _is_box(lower: tuple[float, ...], upper: tuple[float, ...]) -> bool:
    return len(lower) == len(upper) == 3 and all(
        low < high for low, high in zip(lower, upper, strict=True)
    )
