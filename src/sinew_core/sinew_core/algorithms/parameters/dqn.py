"""Hyper-parameters of DQN."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.nudges import NudgeParameters
from sinew_core.algorithms.parameters.off_policy import OffPolicyParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class DQNParameters(OffPolicyParameters, NudgeParameters):
    """Hyper-parameters of DQN with hindsight."""

    nudges: tuple[float, ...] = parameter(
        (0.2, 1.0),
        "sizes of the nudges of one joint that the policy chooses among, as shares of action 1",
        minimum=1e-3,
        maximum=1.0,
    )
    batch_size: int = parameter(64, "transitions of an update", minimum=1)
    hidden_units: int = parameter(64, "units of each of the two hidden layers", minimum=1)
    learning_rate: float = parameter(1e-3, "Adam step at first", minimum=0.0)
    learning_rate_updates: int = parameter(
        20_000, "updates over which the Adam step falls linearly", minimum=1
    )
    final_learning_rate_share: float = parameter(
        0.1, "share of the Adam step that is left then", minimum=0.0, maximum=1.0
    )
    gamma: float = parameter(0.93, "discount of a control period", minimum=0.0, maximum=1.0)
    double: bool = parameter(True, "the online network chooses what the target network values")
    target_rate: float = parameter(
        0.01, "share of the online in the target network when it moves", minimum=0.0, maximum=1.0
    )
    target_period: int = parameter(
        1, "updates between its moves; copies have target_rate 1", minimum=1
    )
    maximum_gradient_norm: float = parameter(10.0, "bound of the gradient's norm", minimum=0.0)
    epsilon_schedule: str = parameter(
        "exponential", "how the share of random actions falls", choices=("exponential", "linear")
    )
    epsilon_start: float = parameter(
        1.0, "share of random actions at first", minimum=1e-6, maximum=1.0
    )
    epsilon_end: float = parameter(
        0.02, "share of random actions at last", minimum=1e-6, maximum=1.0
    )
    epsilon_steps: int = parameter(5_000, "environment steps from first to last", minimum=1)
    epsilon_persistence: float = parameter(
        3.0, "mean number of decisions that a random action lasts", minimum=1.0
    )

    def check(self) -> list[str]:
        """Return violations: a table of no nudge."""
        return [] if self.nudges else ["nudges is empty: DQN chooses among them, give a size"]
