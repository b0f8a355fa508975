"""Training over the graph: how fast it is in lockstep, and whether fine-tuning there helps.

A policy that commands accelerations is trained in PyBullet on the description of a Panda. Of its
commands the description's inverse dynamics make efforts, and nothing of the arm's own corrects what
is wrong there. Then driver and filter run `ARM` in MuJoCo, as a real arm that nobody trained on.
The same targets and starts judge the policy before and after it was trained further on that arm,
over the graph, by the nodes that are deployed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from benchmarks.comparison import Comparison, Goal
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from sinew_core.evaluation import wilson_interval
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.folder import BUNDLE_FOLDER, GRAPH_TRAINING_FILE
from sinew_core.training.loop import train
from sinew_trainer.launching import Launch

SPEED, FINE_TUNING = "speed", "fine-tuning"
MODE, COMMANDS = "joint_acceleration", "joint_effort"
ARM: Mapping[str, object] = {
    "dynamics": {
        "coulomb/*": 0.02,
        "viscous/*": 0.1,
        "armature/*": 0.02,
        "motor_strength/*": 0.97,
        "payload/mass": 0.05,
        "payload/z_m": 0.03,
        "delay_s": 0.0067,
        "jitter/command_s": 0.001,
        "jitter/state_s": 0.0005,
        "sensor_noise/position_rad": 1.0e-4,
        "sensor_noise/velocity_rad_s": 2.0e-3,
    },
    "controller": {"mode": "as_commanded", "bandwidth_hz": 25.0, "gravity_compensation": True},
}
RATES = {"physics_rate_hz": 500, "state_rate_hz": 100, "filter_rate_hz": 100, "control_rate_hz": 25}
SAFETY = {"noise_rad": 0.0075, "max_latency_periods": 3, "jitter": 0.1}
_FASTEST = Goal(bound=100.0)
_RAISED = Goal(bound=0.9)
_SEEDS, _EPISODES = 3, 50
_PATIENCE_S = 90.0
"""Longer than the nodes need to start where much else is running."""
_SPEED_NOTE = (
    "Control steps a second of wall time while DDPG learns from them, from the first episode to "
    "the last, resets included; the filter runs at 100 Hz, four cycles to each control step."
)
_TUNING_NOTE = (
    "Success over the graph on the arm in MuJoCo after (ours) and before (peer) fine-tuning there; "
    "the same starts and targets, which are none of the training's. The arm gives 97 % of the "
    "effort that it is asked for, carries 50 g more than it is told, and has friction, rotors, "
    "a delay, jitter and noise."
)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Successes of so many episodes over the graph."""

    successes: int
    episodes: int

    @property
    def rate(self) -> float:
        """Share of successes."""
        return self.successes / self.episodes

    def __str__(self) -> str:
        """Say it with its interval."""
        low, high = wilson_interval(self.successes, self.episodes)
        return f"{self.successes} of {self.episodes} [{low:.0%}, {high:.0%}]"


def run(report: Report, options: Options) -> None:
    """Measure the speed, then fine-tune seed by seed."""
    parts = [part for part in (SPEED, FINE_TUNING) if options.only in part]
    seeds = options.given_seeds or (1 if options.quick else _SEEDS)
    progress = Progress("online", (SPEED in parts) + (1 + 3 * seeds) * (FINE_TUNING in parts))
    try:
        if SPEED in parts:
            progress.start("training from scratch in lockstep")
            report.put(speed(report.folder, quick=options.quick))
        if FINE_TUNING in parts:
            progress.start("training the bundle in PyBullet")
            bundle = trained(report.folder / "bundle-run", quick=options.quick)
            results = []
            for seed in range(seeds):
                results.append(fine_tuned(bundle, report.folder, seed, progress, options.quick))
                report.put(comparison(results))
    finally:
        progress.close()


def speed(folder: Path, *, quick: bool) -> Comparison:
    """Train from scratch over the graph of the nominal arm, as `./sinew train` does without it."""
    run_folder = graph_training(
        folder,
        "speed",
        {"env_steps": 1000 if quick else 3000},
        {"evaluation_period_steps": 100_000, "confirm_episodes": 1, "eval_episodes": 1},
        {},
    )
    (session,) = json.loads((run_folder / GRAPH_TRAINING_FILE).read_text())["sessions"]
    return Comparison(
        what="training from scratch in lockstep",
        unit="control steps/s",
        ours=[float(session["steps_per_s"])],
        goal=_FASTEST,
        notes=(_SPEED_NOTE,),
    )


def trained(folder: Path, *, quick: bool) -> Path:
    """Train the policy that is fine-tuned; return its bundle."""
    configuration = RunConfiguration.from_mapping(
        {
            "action_mode": MODE,
            "env_steps": 2000 if quick else 15_000,
            "eval_episodes": 20,
            "safety": SAFETY,
        },
        "bench online",
    )
    if not (folder / BUNDLE_FOLDER).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        train(
            configuration,
            on_progress=lambda _: None,
            should_stop=lambda: False,
            run_folder=folder,
        )
    return folder / BUNDLE_FOLDER


def fine_tuned(
    bundle: Path, folder: Path, seed: int, progress: Progress, quick: bool
) -> tuple[Judged, Judged]:
    """Judge a bundle on the arm, train it further there, and judge it again."""
    arm = folder / "arm.yaml"
    arm.write_text(yaml.safe_dump(dict(ARM), sort_keys=False))
    there = {"mode": COMMANDS, "engine": "mujoco", "sim_params": arm}
    progress.start(f"seed {seed}: before")
    before = judged(folder, f"before-{seed}", bundle, there, quick=quick)
    progress.start(f"seed {seed}: fine-tuning over the graph")
    steps = {"env_steps": 1000 if quick else 4000, "bundle": bundle, "seed": seed, "critic": "new"}
    judging = {
        "evaluation_period_steps": 1000,
        "confirm_episodes": 20,
        "eval_episodes": 1,
        "target_success_rate": 0.95,
        "exploration": 0.2,
        "frozen_updates": 1500,
    }
    run_folder = graph_training(folder, f"tuned-{seed}", {**there, **steps}, judging, SAFETY)
    progress.start(f"seed {seed}: after")
    return before, judged(folder, f"after-{seed}", run_folder / BUNDLE_FOLDER, there, quick=quick)


def comparison(results: Sequence[tuple[Judged, Judged]]) -> Comparison:
    """Return the line of all seeds so far."""
    shown = "; ".join(f"{before} to {after}" for before, after in results)
    return Comparison(
        what="fine-tuning: success on the arm, after and before",
        unit="success",
        ours=[after.rate for _, after in results],
        peer=[before.rate for before, _ in results],
        goal=_RAISED,
        goal_is_for_ours=True,
        notes=(_TUNING_NOTE, f"Seed by seed, with 95 % intervals: {shown}."),
    )


def graph_training(
    folder: Path,
    name: str,
    arguments: Mapping[str, object],
    judging: Mapping[str, object],
    safety: Mapping[str, object],
) -> Path:
    """Train over the graph; return the run folder."""
    config = folder / f"{name}.yaml"
    nodes: dict[str, Mapping[str, object]] = {
        "sim_driver": RATES,
        "safety_filter": {**RATES, "safety": dict(safety)} if safety else RATES,
        "graph_trainer": {**judging, "patience_s": _PATIENCE_S},
    }
    config.write_text(_parameter_file(nodes))
    given = {"run": name, "output": folder, "overwrite": True, "config": config, **arguments}
    _launched("train_graph", given, folder / f"{name}-graph.log")
    return folder / name


def judged(
    folder: Path, name: str, bundle: Path, there: Mapping[str, object], *, quick: bool
) -> Judged:
    """Judge a bundle over the graph, always by the same starts and targets."""
    output, config = folder / f"{name}.json", folder / f"{name}.yaml"
    nodes: dict[str, Mapping[str, object]] = {
        "sim_driver": RATES,
        "safety_filter": {**RATES, "safety": dict(SAFETY)},
        "evaluator": {"patience_s": _PATIENCE_S},
    }
    config.write_text(_parameter_file(nodes))
    episodes = 10 if quick else _EPISODES
    given = {"bundle": bundle, "episodes": episodes, "seed": 12345, "output": output, **there}
    _launched("deploy_sim", {**given, "config": config}, folder / f"{name}-graph.log")
    figures = cast("Mapping[str, int]", json.loads(output.read_text()))
    return Judged(successes=figures["successes"], episodes=figures["episodes"])


def _launched(name: str, arguments: Mapping[str, object], log: Path) -> None:
    """Run a launch file to its end, which Ctrl-C brings, too.

    Beside the log lies a ROS home of its name, which must not be a run folder.
    """
    launch = Launch(name, arguments, log, _domain_id())
    try:
        launch.wait()
    finally:
        launch.stop()


def _parameter_file(nodes: Mapping[str, Mapping[str, object]]) -> str:
    content = {f"/**/{name}": {"ros__parameters": dict(v)} for name, v in nodes.items() if v}
    return yaml.safe_dump(content, sort_keys=False)


def _domain_id() -> int:
    given = os.environ.get("ROS_DOMAIN_ID")
    return int(given) if given else 1 + os.getpid() % 84
