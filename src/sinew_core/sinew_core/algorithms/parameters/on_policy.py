"""What the on-policy algorithms share: the two networks and their steps, and what is collected."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.algorithms.parameters.nudges import NudgeParameters
from sinew_core.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class OnPolicyParameters(NudgeParameters):
    """Actor and critic of an on-policy algorithm."""

    hidden_units: int = parameter(64, "units of each of the two hidden layers", minimum=1)
    hidden_gain: float = parameter(
        1.0,
        "scale of the first weights of hidden layers, which are of ±1/sqrt(fan-in); 2.45 is He's",
        minimum=0.0,
    )
    learning_rate: float = parameter(1e-3, "Adam step of the actor at first", minimum=0.0)
    critic_learning_rate: float = parameter(3e-3, "Adam step of the critic", minimum=0.0)
    final_learning_rate: float = parameter(2e-4, "Adam step of the actor at last", minimum=0.0)
    learning_rate_steps: int = parameter(50_000, "steps from first to last", minimum=1)
    gamma: float = parameter(0.93, "discount of a control period", minimum=0.0, maximum=1.0)
    episodes_per_iteration: int = parameter(8, "episodes collected by one policy", minimum=1)
    action_friction: float = parameter(
        0.8, "weight of the mean absolute action in the actor's loss, if continuous", minimum=0.0
    )
    entropy_weight: float = parameter(0.0, "weight of the entropy bonus", minimum=0.0)
    maximum_gradient_norm: float = parameter(0.5, "bound of the gradient's norm", minimum=0.0)
    initial_log_std: float = parameter(-0.7, "log of the deviation at first, if continuous")
    normalise_observations: bool = parameter(False, "scale observations by running statistics")
