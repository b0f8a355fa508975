"""How long an episode may last where the environment does not say so itself."""

from __future__ import annotations

from typing import Any

import gymnasium

from sinew_core.errors import ConfigError

ENDLESS_STEPS = 10_000
"""Steps after which an episode without any time limit counts as one that will not end."""


def refuse_endless(env: gymnasium.Env[Any, Any], steps: int, remedy: str) -> None:
    """Refuse an episode that goes on after `steps`, unless the environment has a time limit.

    Raises:
        ConfigError: with this remedy.
    """
    if steps < ENDLESS_STEPS:
        return
    spec = env.spec
    if spec is None or spec.max_episode_steps is None:
        name = spec.id if spec else type(env.unwrapped).__name__
        raise ConfigError(
            f"{name} has no time limit, and an episode has not ended after {steps:,} steps: "
            f"{remedy}, or register it with max_episode_steps"
        )
