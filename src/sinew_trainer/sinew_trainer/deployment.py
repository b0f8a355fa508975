"""The parameter file with which a policy is deployed as it was trained: `runs/NAME/deploy.yaml`."""

from __future__ import annotations

from pathlib import Path

import yaml

from sinew_core.files import write_atomically
from sinew_core.specs import command_mode
from sinew_core.training.configuration import RunConfiguration

# The watchdogs' smallest values in periods, and what they are where the rates allow it.
_COMMAND_TIMEOUT_S, _COMMAND_PERIODS = 0.1, 2.5
_STATE_TIMEOUT_S, _STATE_PERIODS = 0.03, 3.0


def deployment(configuration: RunConfiguration) -> dict[str, object]:
    """Return the parameters of the four nodes: mode, rates, limits and task as trained."""
    rates = configuration.rates
    all_rates = rates.to_mapping()
    mapping = configuration.to_mapping()
    watchdog = {
        "command_timeout_s": max(_COMMAND_TIMEOUT_S, _COMMAND_PERIODS / rates.control_rate_hz),
        "state_timeout_s": max(_STATE_TIMEOUT_S, _STATE_PERIODS / rates.state_rate_hz),
    }
    mode, task = command_mode(configuration.train.action_mode), configuration.train.task
    nodes = {
        "sim_driver": {"mode": mode, **all_rates, "task_name": task, "task": mapping[task]},
        "safety_filter": {
            "mode": mode,
            **all_rates,
            "watchdog": watchdog,
            "safety": mapping["safety"],
        },
        "policy": {
            "mode": mode,
            "filter_rate_hz": rates.filter_rate_hz,
            "control_rate_hz": rates.control_rate_hz,
        },
    }
    return {f"/**/{name}": {"ros__parameters": values} for name, values in nodes.items()}


def write_deployment(path: Path, configuration: RunConfiguration) -> None:
    """Write the parameter file."""
    write_atomically(path, yaml.safe_dump(deployment(configuration), sort_keys=False))
