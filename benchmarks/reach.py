"""Training time until 95 % of 200 fresh episodes succeed, without exploration.

The task is panda-gym's reach: 5 cm, first touch, its box, 50 decisions at 25 Hz. Every side trains
on one thread in this process. Only training is on the clock; the same code judges all sides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.comparison import Comparison, Goal
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from benchmarks.trainers import OurTrainer, Sb3Trainer
from benchmarks.trial import Trainer, Trial, time_to_success
from sinew_core.training.seeds import Seeds

ALGORITHMS = ("ddpg", "ppo")
EVERY_STEPS = {"ddpg": 250, "ppo": 1000}
LIMIT_S = 300.0
SIDES: dict[str, Callable[[str, int], Trainer]] = {
    "ours": OurTrainer,
    "panda-gym": partial(Sb3Trainer, on_our_env=False),
    "our environment": partial(Sb3Trainer, on_our_env=True),
}
GOALS = {"panda-gym": Goal(bound=10.0), "our environment": Goal(bound=1.0)}
_WARM_UP_STEPS = 600
"""Enough for a first update on every side."""
_NAMES = {"ddpg": "DDPG with hindsight", "ppo": "PPO"}
_NOTE = (
    "Processor time in which training reaches 95 % of 200 fresh episodes, one sample for each "
    "seed. Every side computes on one thread and waits for nothing, so on an idle machine this is "
    "the time on the wall. The time of the evaluations is left out on both sides, and what a side "
    "compiles or loads at first comes before its clock. DDPG may be judged every 250 environment "
    "steps, PPO every 1000. Hyper-parameters are the same for all seeds."
)


def run(report: Report, options: Options) -> None:
    """Train with every seed on every side in turn, so that all meet the same machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    progress = Progress("reach", options.seeds * len(ALGORITHMS) * len(SIDES))
    try:
        for algorithm in ALGORITHMS:
            _warm_up(algorithm)
            trials: dict[str, list[Trial]] = {side: [] for side in SIDES}
            for seed, side in itertools.product(range(options.seeds), SIDES):
                progress.start(f"{_NAMES[algorithm]}, seed {seed}: {_title(side)}")
                trials[side].append(run_trial(algorithm, side, seed, LIMIT_S))
                if side != "ours":
                    report.put(compare(algorithm, side, trials["ours"], trials[side]))
    finally:
        progress.close()
        torch.set_num_threads(threads)


def run_trial(algorithm: str, side: str, seed: int, limit_s: float) -> Trial:
    """Train one side once."""
    trainer = SIDES[side](algorithm, seed)
    try:
        return time_to_success(
            trainer, Seeds(seed).fresh, every_steps=EVERY_STEPS[algorithm], limit_s=limit_s
        )
    finally:
        trainer.close()


def compare(algorithm: str, side: str, ours: list[Trial], peer: list[Trial]) -> Comparison:
    """Return the line of one algorithm beside one peer, with the seeds done so far."""
    return Comparison(
        what=f"{_NAMES[algorithm]} to 95 % success, peer {_title(side)}",
        unit="s of training",
        ours=[t.seconds for t in ours],
        peer=[t.seconds for t in peer],
        goal=GOALS[side],
        speed_up=True,
        limit=LIMIT_S,
        notes=(_NOTE, _spent("ours", algorithm, ours), _spent(_title(side), algorithm, peer)),
    )


def _spent(whose: str, algorithm: str, trials: list[Trial]) -> str:
    runs = "; ".join(f"{t.env_steps:,} and {t.wall_s:.1f} s" for t in trials)
    return f"{_NAMES[algorithm]}, {whose}: environment steps and time on the wall by seed: {runs}."


def _title(side: str) -> str:
    return "ours" if side == "ours" else f"Stable-Baselines3 on {side}"


def _warm_up(algorithm: str) -> None:
    """Make every side compile and load what it needs."""
    for make in SIDES.values():
        trainer = make(algorithm, 0)
        while trainer.advance() < _WARM_UP_STEPS:
            pass
        trainer.close()
