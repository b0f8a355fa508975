"""How long a cycle of the safety node's filter takes: plain Python, seven joints, one arm.

The arm follows its commands exactly. It is pushed about at random up to its speed limits, or
pressed against what it must keep off: every second the command turns to another direction, which
it holds until the filter has brought the arm to rest there.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters

SEED = 21
WARM_UP = 200
"""Cycles that are not counted: the first ones meet cold caches."""
HOLD_S = {"random": 0.25, "pressing": 1.0}
"""How long a command is held."""
WITHOUT_PAIRS = SafetyParameters(self_collision=False, floor=False)
WITH_PAIRS = SafetyParameters(
    workspace_lower_m=(-0.6, -0.6, 0.05), workspace_upper_m=(0.6, 0.6, 0.9)
)


@dataclass(frozen=True)
class Cycles:
    """What is timed: `wishes` is one of HOLD_S."""

    robot: str
    mode: str
    rate_hz: float
    parameters: SafetyParameters
    wishes: str

    def __str__(self) -> str:
        """Return the line's name."""
        pairs = "self-collision, floor, workspace" if self.parameters.floor else "no distances"
        jerk = "" if self.parameters.limit_jerk else ", no jerk limit"
        mode = self.mode.removeprefix("joint_")
        return f"{self.robot}, {mode} at {self.rate_hz:g} Hz, {pairs}{jerk}, {self.wishes} commands"


def cases() -> Iterator[Cycles]:
    """Return all that is timed: first without distances, then with them."""
    for rate_hz in (100.0, 1000.0):
        for mode in ("joint_velocity", "joint_position"):
            for limit_jerk in (False, True):
                parameters = dataclasses.replace(WITHOUT_PAIRS, limit_jerk=limit_jerk)
                yield Cycles("panda", mode, rate_hz, parameters, "random")
    for robot in ("panda", "iiwa14"):
        for rate_hz in (100.0, 1000.0):
            for wishes in HOLD_S:
                yield Cycles(robot, "joint_velocity", rate_hz, WITH_PAIRS, wishes)


def time_cycles(case: Cycles, cycles: int) -> list[float]:
    """Return the duration of each cycle in µs."""
    robot, period_s = load_robot(case.robot), 1.0 / case.rate_hz
    limiter = make_filter(case.mode, robot, case.parameters, period_s)
    limiter.reset(robot.home_rad.tolist())
    wishes = _wishes(case, robot, np.random.default_rng(SEED))
    position = robot.home_rad.tolist()
    velocities = case.mode == "joint_velocity"
    took: list[float] = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(WARM_UP + cycles):
            wish = next(wishes)
            if not velocities:
                wish = [q + period_s * v for q, v in zip(position, wish, strict=True)]
            start = time.perf_counter()
            command = limiter.step(wish, position).command
            took.append((time.perf_counter() - start) * 1e6)
            if velocities:
                command = tuple(q + period_s * v for q, v in zip(position, command, strict=True))
            position = list(command)
    finally:
        gc.enable()
    return took[WARM_UP:]


def _wishes(case: Cycles, robot: RobotModel, rng: np.random.Generator) -> Iterator[Sequence[float]]:
    """Return velocities (n,) rad/s, one a cycle."""
    limit = robot.limits.velocity_rad_s
    while True:
        direction = rng.uniform(-1.2, 1.2, limit.size)
        if case.wishes == "pressing":
            direction = np.sign(direction)
        wish = (direction * limit).tolist()
        for _ in range(round(HOLD_S[case.wishes] * case.rate_hz)):
            yield wish
