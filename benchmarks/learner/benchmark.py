"""How fast the learners learn and how much memory they hold, without any environment."""

from __future__ import annotations

import torch

from benchmarks.bounded import Bounded
from benchmarks.comparison import Comparison, Goal, alternate
from benchmarks.learner.memory import TRANSITIONS, measured_mib
from benchmarks.learner.sides import (
    BATCH_SIZE,
    COLLECTING,
    off_policy_parameters,
    on_policy_parameters,
    our_samples,
    our_updates,
    peer_samples,
    peer_updates,
)
from benchmarks.options import Options
from benchmarks.report import Progress, Report

PEER = "Stable-Baselines3"
UPDATES: tuple[tuple[str, int, float | None], ...] = (
    ("ddpg", 256, 1.4),
    ("ddpg", 64, 2.5),
    ("td3", 64, None),
    ("sac", 64, None),
)
"""Off-policy algorithm, hidden units, and the goal of the ratio; None only informs."""
SAMPLES: tuple[tuple[str, int, int, float | None], ...] = (
    ("ppo", 64, 10, None),
    ("ppo", 256, 10, None),
)
"""On-policy algorithm, minibatch, epochs, and the goal of the ratio; None only informs."""
MEMORY_BOUND_MIB = 1024.0
_SPEED_NOTE = (
    f"Speed: sizes of reach with seven joints, random data, batches of {BATCH_SIZE} drawn from a "
    f"replay memory, or {COLLECTING.steps} collected steps in minibatches; processor time of one "
    "thread on both sides, medians of interleaved repeats. Sampling the replay memory is part of a "
    "gradient step on both sides. Ours also remembers the step, and computes the advantages, which "
    "the peer has done before."
)
_MEMORY_NOTE = (
    f"Memory: a process that has imported its library, holds {TRANSITIONS:,} transitions of reach "
    "with seven joints, and has learned from some. Ours keeps what hindsight needs; the peer's "
    "plain replay memory does without."
)


def run(report: Report, options: Options) -> None:
    """Measure gradient steps, samples per epoch, then memory."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    repeats = 5 if options.quick else 21
    progress = Progress("learner", len(UPDATES) + len(SAMPLES) + 2)
    try:
        for algorithm, hidden_units, goal in UPDATES:
            progress.start(f"{algorithm}, {hidden_units}x{hidden_units}")
            report.put(compare_updates(algorithm, hidden_units, goal, repeats))
        for algorithm, minibatch_size, epochs, goal in SAMPLES:
            progress.start(f"{algorithm}, minibatch {minibatch_size}")
            report.put(compare_samples(algorithm, minibatch_size, epochs, goal, repeats))
        _measure_memory(report, progress)
    finally:
        progress.close()
        torch.set_num_threads(threads)


def compare_updates(
    algorithm: str, hidden_units: int, goal: float | None, repeats: int
) -> Comparison:
    """Return gradient steps/s of an off-policy algorithm beside the peer's."""
    parameters = off_policy_parameters(algorithm, hidden_units)
    ours, peer = alternate(our_updates(parameters), peer_updates(algorithm, parameters), repeats)
    size = f"{hidden_units}x{hidden_units}"
    return Comparison(
        what=f"{algorithm.upper()} of {size}, batch {BATCH_SIZE}, peer {PEER}",
        unit="gradient steps/s",
        ours=ours,
        peer=peer,
        goal=None if goal is None else Goal(bound=goal),
        notes=(_SPEED_NOTE,),
    )


def compare_samples(
    algorithm: str, minibatch_size: int, epochs: int, goal: float | None, repeats: int
) -> Comparison:
    """Return samples/s per epoch of an on-policy algorithm beside the peer's."""
    parameters = on_policy_parameters(algorithm, minibatch_size)
    ours, peer = alternate(
        our_samples(parameters, epochs), peer_samples(algorithm, parameters, epochs), repeats
    )
    return Comparison(
        what=f"{algorithm.upper()} of 64x64, minibatch {minibatch_size}, peer {PEER}",
        unit="samples/s per epoch",
        ours=ours,
        peer=peer,
        goal=None if goal is None else Goal(bound=goal),
        notes=(_SPEED_NOTE,),
    )


def _measure_memory(report: Report, progress: Progress) -> None:
    progress.start("memory, ours")
    ours = measured_mib("ours")
    report.put(
        Bounded(
            what="resident memory of the learner of reach",
            unit="MiB",
            samples=[ours],
            bound=MEMORY_BOUND_MIB,
            notes=(_MEMORY_NOTE,),
        )
    )
    progress.start("memory, peer")
    report.put(
        Comparison(
            what=f"resident memory of the learner, peer {PEER} without hindsight",
            unit="MiB",
            ours=[ours],
            peer=[measured_mib("peer")],
            notes=(_MEMORY_NOTE,),
        )
    )
