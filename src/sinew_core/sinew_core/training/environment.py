"""The environment that a run's configuration describes."""

from __future__ import annotations

from sinew_core.environments.arm import ArmEnv
from sinew_core.training.configuration import RunConfiguration


def make_environment(configuration: RunConfiguration, *, render_mode: str | None = None) -> ArmEnv:
    """Start the environment; training, evaluation and every worker make theirs here."""
    train = configuration.train
    return ArmEnv(
        train.robot,
        train.urdf,
        train.engine,
        train.action_mode,
        task_parameters=configuration.reach,
        rates=configuration.rates,
        safety=configuration.safety,
        render_mode=render_mode,
    )
