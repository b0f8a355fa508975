"""A search for hyper-parameters: many short trainings, the poor ones ended early."""

from sinew_core.training.sweep.parameters import SweepParameters
from sinew_core.training.sweep.space import Space
from sinew_core.training.sweep.study import Interrupted, Sweep, Trial

__all__ = ["Interrupted", "Space", "Sweep", "SweepParameters", "Trial"]
