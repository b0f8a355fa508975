"""Domain randomisation: distributions of an arm's dynamics, read from YAML."""

from __future__ import annotations

from sinew_core.randomisation.assumptions import (
    CONTROLLER_MODES,
    check_assumptions,
    check_controller,
    needed_assumptions,
)
from sinew_core.randomisation.randomisation import Randomisation, read_randomisation

__all__ = [
    "CONTROLLER_MODES",
    "Randomisation",
    "check_assumptions",
    "check_controller",
    "needed_assumptions",
    "read_randomisation",
]
