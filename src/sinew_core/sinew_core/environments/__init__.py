"""Gymnasium environments; importing this package registers them.

- `sinew/Reach-v0`: `ArmEnv`, a flat observation.
- `sinew/ReachGoal-v0`: `ArmGoalEnv`, a dictionary observation, for hindsight replay elsewhere.
- `sinew/Push-v0`, `sinew/PushGoal-v0`: the same for each other task of `sinew_core.tasks.TASKS`.

Those of push act by `tool_velocity`, which `action_mode` changes.
"""

from __future__ import annotations

import gymnasium

from sinew_core.environments.arm import ArmEnv
from sinew_core.environments.goal import ArmGoalEnv
from sinew_core.environments.safe import SafeEnv
from sinew_core.tasks import TASKS

__all__ = ["ArmEnv", "ArmGoalEnv", "SafeEnv"]

for _task, _kind in TASKS.items():
    for _suffix, _entry in (("", "arm:ArmEnv"), ("Goal", "goal:ArmGoalEnv")):
        gymnasium.register(
            f"sinew/{_task.capitalize()}{_suffix}-v0",
            entry_point=f"sinew_core.environments.{_entry}",
            kwargs={"task": _task, "action_mode": _kind.action_mode},
            # The passive checker costs as much as a filter cycle in every step; the tests run the
            # full one.
            disable_env_checker=True,
        )
