"""Hyper-parameters of tabular Q-learning."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter


@dataclass(frozen=True, kw_only=True)
class QLearningParameters(Parameters):
    """Hyper-parameters of Q-learning in a table."""

    gamma: float = parameter(0.95, "discount of a step", minimum=0.0, maximum=1.0)
    initial_value: float = parameter(0.0, "Q of all states and actions at first")
    schedule: str = parameter(
        "exponential",
        "how learning rate and epsilon move from first to last",
        choices=("exponential", "linear"),
    )
    learning_rate: float = parameter(
        0.1, "share of the error that is learned at first", minimum=1e-6, maximum=1.0
    )
    final_learning_rate: float = parameter(0.1, "that share at last", minimum=1e-6, maximum=1.0)
    epsilon_start: float = parameter(
        1.0, "share of random actions at first", minimum=1e-6, maximum=1.0
    )
    epsilon_end: float = parameter(
        0.1, "share of random actions at last", minimum=1e-6, maximum=1.0
    )
    schedule_steps: int = parameter(50_000, "environment steps from first to last", minimum=1)
