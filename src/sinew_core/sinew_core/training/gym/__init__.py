"""Training on any Gymnasium environment whose spaces are boxes or discrete."""

from sinew_core.training.gym.configuration import GymConfig, GymConfiguration
from sinew_core.training.gym.tabular import TabularTraining
from sinew_core.training.gym.training import GymTraining

__all__ = ["GymConfig", "GymConfiguration", "GymTraining", "TabularTraining"]
