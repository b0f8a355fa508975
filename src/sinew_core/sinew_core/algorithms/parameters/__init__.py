"""Hyper-parameters of the algorithms, one file each, readable without torch."""

from sinew_core.algorithms.parameters.ddpg import DDPGParameters
from sinew_core.algorithms.parameters.ppo import PPOParameters
from sinew_core.algorithms.parameters.sac import SACParameters
from sinew_core.algorithms.parameters.td3 import TD3Parameters
from sinew_core.parameters import Parameters

__all__ = [
    "ALGORITHMS",
    "PARAMETERS",
    "DDPGParameters",
    "PPOParameters",
    "SACParameters",
    "TD3Parameters",
]

PARAMETERS: dict[str, type[Parameters]] = {
    "ddpg": DDPGParameters,
    "ppo": PPOParameters,
    "sac": SACParameters,
    "td3": TD3Parameters,
}
"""The parameter class of each algorithm, which is also the name of its section."""

ALGORITHMS = tuple(PARAMETERS)
