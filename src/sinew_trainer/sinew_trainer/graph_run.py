"""The run folder of a training over the graph: a new one, or one to go on with."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sinew_core.bundle.reader import Bundle, load_bundle
from sinew_core.errors import ConfigError, RunError
from sinew_core.files import write_json
from sinew_core.specs import command_mode
from sinew_core.training.checkpoints.resume import finished, resumed_configuration
from sinew_core.training.config import Resume
from sinew_core.training.configuration import RunConfiguration, flatten, read_parameter_file
from sinew_core.training.environment import make_setup
from sinew_core.training.folder import GRAPH_TRAINING_FILE
from sinew_core.training.graph.start import keep_start, learner_of
from sinew_trainer.graph_parameters import ENV_STEPS, GRAPH_ALGORITHMS, GraphTrainParameters
from sinew_trainer.run_folder import create_run, go_on_with

_BUNDLE_CONFIGURATION = "training.yaml"
_CHOSEN = (
    "run",
    "output",
    "overwrite",
    "seed",
    "env_steps",
    "evaluation_period_steps",
    "target_success_rate",
    "confirm_episodes",
    "eval_episodes",
    "checkpoint_period_s",
)
_OWN = ("robot", "urdf", "algorithm", "action_mode")
_ARM_ELSEWHERE = {"sim_params": "", "randomisation": "", "every_episodes": 0}
"""The arm is the driver's, whatever a configuration was trained with."""


@dataclass(frozen=True, kw_only=True)
class GraphRun:
    """A run folder with its configuration in it, words on what it begins with, despite what."""

    folder: Path
    configuration: RunConfiguration
    start: str
    despite: tuple[str, ...] = ()


def prepare_run(p: GraphTrainParameters, found: Mapping[str, object]) -> GraphRun:
    """Return the run that the parameters ask for.

    `found` is what the safety filter was told: `mode`, `shadow`, and `rates` and `safety`, under
    which the policy is trained, whatever a configuration says.

    Raises:
        RunError: the run exists, is finished, or was trained with another filter; or the filter
            sends nothing to the arm.
        ConfigError: bundle and filter do not fit, or cannot be trained over the graph.
    """
    if found["shadow"]:
        raise RunError(
            f"{p.safety_filter} has shadow true: nothing that is learned from would reach the arm, "
            "start it with shadow:=false"
        )
    if p.resume:
        return _resumed(p, found)
    bundle = load_bundle(p.bundle) if p.bundle else None
    configuration = _configuration(p, found, bundle)
    _check(configuration, found, bundle)
    critic = learner_of(Path(p.bundle)) if bundle and p.critic == "kept" else b""
    start = ""
    if bundle:
        whose = "that of its run's last checkpoint" if critic else "a new one"
        start = f", beginning with {p.bundle}, the critic is {whose}"

    def prepare(folder: Path) -> None:
        write_json(folder / GRAPH_TRAINING_FILE, {"sessions": []})
        if bundle:
            keep_start(
                folder,
                Path(p.bundle),
                critic,
                frozen_updates=p.frozen_updates,
                exploration=p.exploration,
            )

    now = datetime.datetime.now(tz=datetime.timezone.utc)
    folder = create_run(configuration, now, prepare)
    return GraphRun(folder=folder, configuration=configuration, start=start)


def _resumed(p: GraphTrainParameters, found: Mapping[str, object]) -> GraphRun:
    folder = Path(p.resume)
    despite = Resume(resume=p.resume, resume_despite=p.resume_despite).despite
    configuration = resumed_configuration(folder, _given(p), despite, over_graph=True)
    reason = finished(folder, configuration)
    if reason:
        raise RunError(f"{folder} is finished, there is nothing to resume: {reason}")
    stored = flatten(configuration.to_mapping())
    now = flatten({name: found[name] for name in ("rates", "safety")})
    other = [f"{n} is {stored.get(n)}, not {v}" for n, v in now.items() if stored.get(n, v) != v]
    if other:
        raise RunError(
            f"{folder} was trained with another safety filter: {', '.join(other)}: give the filter "
            "the run's values, or begin a new run with its bundle"
        )
    _check(configuration, found, None)
    go_on_with(folder, configuration, despite)
    return GraphRun(folder=folder, configuration=configuration, start=", going on", despite=despite)


def _given(p: GraphTrainParameters) -> dict[str, object]:
    """Return the parameters of the training that differ from their defaults.

    The launch file gives some that nobody chose: at its default a parameter counts as not given.
    """
    plain = GraphTrainParameters()
    return {n: getattr(p, n) for n in (*_OWN, *_CHOSEN) if getattr(p, n) != getattr(plain, n)}


def _configuration(
    p: GraphTrainParameters, found: Mapping[str, object], bundle: Bundle | None
) -> RunConfiguration:
    source = p.training or p.bundle or "arguments"
    given: dict[str, object] = {}
    if bundle:
        given |= flatten(read_parameter_file(bundle.folder / _BUNDLE_CONFIGURATION))
    if p.training:
        given |= flatten(read_parameter_file(Path(p.training)))
    own = {"robot": p.robot, "urdf": p.urdf}
    if not bundle:
        own |= {"algorithm": p.algorithm, "action_mode": p.action_mode or p.mode}
    chosen = {name: getattr(p, name) for name in _CHOSEN} | {"env_steps": p.env_steps or ENV_STEPS}
    filtered = flatten({name: found[name] for name in ("rates", "safety")})
    mapping = {**given, **own, **chosen, **filtered, **_ARM_ELSEWHERE, "eval_randomised": False}
    algorithm = str(mapping["algorithm"])
    if algorithm not in GRAPH_ALGORITHMS:
        raise ConfigError(
            f"{source} is of {algorithm}: training over the graph takes one of "
            f"{', '.join(GRAPH_ALGORITHMS)}, which learn from every step more than once"
        )
    if bundle:
        names = ("noise_start", "noise_end") if algorithm != "sac" else ()
        mapping |= {f"{algorithm}.{n}": p.exploration for n in (*names, "warmup_noise")}
    return RunConfiguration.from_mapping(mapping, source)


def _check(
    configuration: RunConfiguration, found: Mapping[str, object], bundle: Bundle | None
) -> None:
    """Refuse what the filter does not take, and a bundle that means something else here.

    Raises:
        ConfigError: with what, found and expected.
    """
    mode = command_mode(configuration.train.action_mode)
    if mode != found["mode"]:
        raise ConfigError(
            f"the policy commands {mode}, the safety filter takes {found['mode']}: start filter, "
            f"driver and trainer with mode:={mode}"
        )
    if bundle is None:
        return
    setup, trained = make_setup(configuration), bundle.specification
    rates = {"control_rate_hz": (setup.rates.control_rate_hz, trained.rates.control_rate_hz)}
    for name, (ours, theirs) in {
        **rates,
        "joints": (setup.robot.joint_names, bundle.manifest.joint_names),
        "observation": (setup.observation_spec.to_mapping(), trained.observation.to_mapping()),
        "action": (setup.action_spec.to_mapping(), trained.action.to_mapping()),
    }.items():
        if ours != theirs:
            raise ConfigError(
                f"{name} of bundle {bundle.folder} is {theirs}, here it is {ours}: take the robot, "
                "rates and action parameters that it was trained with"
            )
