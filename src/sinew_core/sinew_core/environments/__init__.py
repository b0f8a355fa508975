"""Gymnasium environments; importing this package registers them.

- `sinew/Reach-v0`: `ArmEnv`, a flat observation.
- `sinew/ReachGoal-v0`: `ArmGoalEnv`, a dictionary observation, for hindsight replay elsewhere.
"""

from __future__ import annotations

import gymnasium

from sinew_core.environments.arm import ArmEnv
from sinew_core.environments.goal import ArmGoalEnv
from sinew_core.environments.safe import SafeEnv

__all__ = ["ArmEnv", "ArmGoalEnv", "SafeEnv"]

for _name, _entry in (
    ("sinew/Reach-v0", "sinew_core.environments.arm:ArmEnv"),
    ("sinew/ReachGoal-v0", "sinew_core.environments.goal:ArmGoalEnv"),
):
    # The passive checker costs as much as a filter cycle in every step; the tests run the full one.
    gymnasium.register(_name, entry_point=_entry, disable_env_checker=True)
