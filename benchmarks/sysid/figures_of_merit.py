"""How far an identification is from the arm that was recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.rollout import Motion
from sinew_core.sysid.identification import Estimate, Identification

SHARP = 0.01
"""A parameter counts as sharp whose predicted sigma is below this share of its value."""


@dataclass(frozen=True, kw_only=True)
class Miss:
    """One estimate beside the truth."""

    estimate: Estimate
    truth: float

    @property
    def relative(self) -> float:
        """Return the error as a share of the truth."""
        return abs(self.estimate.value - self.truth) / abs(self.truth)

    @property
    def z(self) -> float:
        """Return the error in standard deviations."""
        return (self.estimate.value - self.truth) / self.estimate.sigma

    @property
    def sharp(self) -> bool:
        """Tell whether the prediction is sharp."""
        return self.estimate.sigma < SHARP * abs(self.truth)


def misses(robot: RobotModel, found: Identification, truth: SimParams) -> list[Miss]:
    """Return every estimate that is called identifiable beside its true value."""
    values = truth.dynamics.values(robot)
    if truth.controller is not None:
        for name, gains in truth.controller.gains.items():
            joints = (f"{name}/{joint}" for joint in robot.joint_names)
            values.update(zip(joints, gains.tolist(), strict=True))
    return [
        Miss(estimate=estimate, truth=values[estimate.name])
        for estimate in found.estimates
        if estimate.identifiable
    ]


def worst(found: list[Miss], prefix: str) -> float:
    """Return the largest relative error of one kind, 0 where none was identifiable."""
    return max((m.relative for m in found if m.estimate.name.startswith(prefix)), default=0.0)


def median_sharp(found: list[Miss]) -> float:
    """Return the median relative error of the sharp ones, nan for none."""
    sharp = [m.relative for m in found if m.sharp]
    return float(np.median(sharp)) if sharp else math.nan


def rms_z(found: list[Miss]) -> float:
    """Return the root mean square of the errors in standard deviations."""
    return math.sqrt(sum(m.z**2 for m in found) / len(found)) if found else math.nan


def rmse(motion: Motion, truth: Motion) -> float:
    """Return the root mean square error of positions, rad, over all samples and joints."""
    error: Array = motion.position_rad - truth.position_rad
    return float(np.sqrt(np.mean(error**2)))
