"""Hyper-parameters of the algorithms, one file each, readable without torch."""

from sinew_core.algorithms.parameters.ddpg import DDPGParameters
from sinew_core.algorithms.parameters.ppo import PPOParameters
from sinew_core.parameters import Parameters

__all__ = ["ALGORITHMS", "PARAMETERS", "DDPGParameters", "PPOParameters"]

PARAMETERS: dict[str, type[Parameters]] = {
    "ddpg": DDPGParameters,
    "ppo": PPOParameters,
}
"""The parameter class of each algorithm, which is also the name of its section."""

ALGORITHMS = tuple(PARAMETERS)
