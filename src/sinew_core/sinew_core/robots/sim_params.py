"""One arm as system identification finds it and a simulation takes it: dynamics and controllers."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics


@dataclass(frozen=True, kw_only=True, eq=False)
class SimParams:
    """An arm's dynamics, and its joint controllers; without them its drives are ideal."""

    dynamics: ArmDynamics
    controller: ArmController | None = None
