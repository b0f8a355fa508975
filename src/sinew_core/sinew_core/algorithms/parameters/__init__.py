"""Hyper-parameters of the algorithms, one file each, readable without torch."""

from sinew_core.algorithms.parameters.a2c import A2CParameters
from sinew_core.algorithms.parameters.ddpg import DDPGParameters
from sinew_core.algorithms.parameters.dqn import DQNParameters
from sinew_core.algorithms.parameters.ppo import PPOParameters
from sinew_core.algorithms.parameters.reinforce import REINFORCEParameters
from sinew_core.algorithms.parameters.sac import SACParameters
from sinew_core.algorithms.parameters.td3 import TD3Parameters
from sinew_core.parameters import Parameters

__all__ = [
    "ALGORITHMS",
    "PARAMETERS",
    "A2CParameters",
    "DDPGParameters",
    "DQNParameters",
    "PPOParameters",
    "REINFORCEParameters",
    "SACParameters",
    "TD3Parameters",
]

PARAMETERS: dict[str, type[Parameters]] = {
    "ddpg": DDPGParameters,
    "ppo": PPOParameters,
    "a2c": A2CParameters,
    "reinforce": REINFORCEParameters,
    "dqn": DQNParameters,
    "sac": SACParameters,
    "td3": TD3Parameters,
}
"""The parameter class of each algorithm, which is also the name of its section."""

ALGORITHMS = tuple(PARAMETERS)
