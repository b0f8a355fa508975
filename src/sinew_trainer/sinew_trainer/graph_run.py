"""The run folder of a training over the graph: a new one, or one to go on with."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

from sinew_core.bundle.reader import load_bundle
from sinew_core.errors import ConfigError, RunError
from sinew_core.files import write_atomically, write_json
from sinew_core.runs import create_run_folder
from sinew_core.training.checkpoints.resume import finished, read_configuration
from sinew_core.training.configuration import RunConfiguration, read_parameter_file
from sinew_core.training.folder import CONFIGURATION_FILE
from sinew_core.training.graph.start import START_FILE, START_FOLDER
from sinew_trainer.graph_parameters import GraphTrainParameters

_BUNDLE_CONFIGURATION = "training.yaml"
_CHOSEN = (
    "output",
    "overwrite",
    "seed",
    "env_steps",
    "evaluation_period_steps",
    "target_success_rate",
    "confirm_episodes",
    "eval_episodes",
)


def prepare_run(p: GraphTrainParameters) -> tuple[Path, RunConfiguration]:
    """Return the run folder with its configuration in it.

    Raises:
        RunError: the run exists, or is finished and cannot be gone on with.
        ConfigError: the bundle's algorithm or engine cannot be trained over the graph.
    """
    if p.resume:
        folder = Path(p.resume)
        configuration = read_configuration(folder)
        reason = finished(folder, configuration)
        if reason:
            raise RunError(f"{folder} is finished, there is nothing to resume: {reason}")
        return folder, configuration
    configuration = _configuration(p)
    name = configuration.train.run_name(datetime.datetime.now(tz=datetime.timezone.utc))
    if p.bundle:
        load_bundle(p.bundle)
    folder = create_run_folder(Path(p.output), name, overwrite=p.overwrite)
    if p.bundle:
        shutil.copytree(p.bundle, folder / START_FOLDER)
        write_json(folder / START_FILE, {"frozen_updates": p.frozen_updates})
    write_atomically(folder / CONFIGURATION_FILE, configuration.to_yaml())
    return folder, configuration


def _configuration(p: GraphTrainParameters) -> RunConfiguration:
    chosen = {name: getattr(p, name) for name in _CHOSEN} | {"run": p.run}
    if not p.bundle:
        own = {"robot": p.robot, "algorithm": p.algorithm, "action_mode": p.action_mode}
        return RunConfiguration.from_mapping({**own, **chosen}, "arguments")
    given = read_parameter_file(Path(p.bundle) / _BUNDLE_CONFIGURATION)
    algorithm = str(given.get("algorithm"))
    if algorithm not in ("ddpg", "td3"):
        raise ConfigError(
            f"bundle {p.bundle} is of {algorithm}: fine-tuning over the graph takes ddpg or td3, "
            "whose deployed actor is the one that learns"
        )
    noise = {f"{algorithm}.{name}": p.exploration for name in ("noise_start", "noise_end")}
    # The arm is the driver's; a run's own would be a simulated one.
    arm = {"sim_params": "", "randomisation": "", "every_episodes": 0, "eval_randomised": False}
    warm = {f"{algorithm}.warmup_noise": p.exploration}
    mapping = {**given, **arm, **chosen}
    flat = RunConfiguration.from_mapping(mapping, p.bundle).to_mapping()
    section = flat[algorithm]
    assert isinstance(section, dict)
    section |= {k.partition(".")[2]: v for k, v in (noise | warm).items()}
    return RunConfiguration.from_mapping(flat, p.bundle)
