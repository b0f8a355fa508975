"""Jobs of the training loop in the environment of a graph, where an operator may step in."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.evaluation import Outcome, judge_episode
from sinew_core.training.graph.environment import Closed, GraphEnv, Interrupted
from sinew_core.training.jobs import (
    GOLDEN_PAIRS,
    CollectJob,
    Job,
    JudgeJob,
    ObserveJob,
    PictureJob,
)
from sinew_core.training.rollout import Episode, Recorder

if TYPE_CHECKING:
    from sinew_core.algorithms.exploration import Explorer


def run_job(env: GraphEnv, job: Job[object]) -> object:
    """Do what a job asks for.

    Golden pairs are of what was seen last, which moves no arm once more; nothing can be drawn.

    Raises:
        Closed: the world ends, and what the job was to make would be half of it.
    """
    if isinstance(job, CollectJob):
        return _collect(env, job)
    if isinstance(job, JudgeJob):
        policy = NumpyPolicy(job.network)
        return [_judge(env, policy, seed) for seed in job.seeds]
    if isinstance(job, ObserveJob):
        return env.seen(GOLDEN_PAIRS)
    assert isinstance(job, PictureJob)
    return None


def collect_episode(env: GraphEnv, explorer: Explorer, seed: int) -> Episode:
    """Run a training episode; one that is interrupted ends with its last undisturbed step.

    Nothing terminates there, so what is learned from that step looks beyond it, as where the time
    is up. An episode without such a step begins again.
    """
    while True:
        recorder = Recorder()
        with contextlib.suppress(Interrupted):
            recorder.run(env, explorer, seed)
        steps = env.end()
        if steps:
            return recorder.episode(steps)


def _collect(env: GraphEnv, job: CollectJob) -> list[Episode]:
    """Return the episodes until the world ends: the learner can go on with fewer."""
    episodes: list[Episode] = []
    with contextlib.suppress(Closed):
        for seed in job.seeds:
            episodes.append(collect_episode(env, job.explorer, seed))
    return episodes


def _judge(env: GraphEnv, policy: NumpyPolicy, seed: int) -> Outcome:
    """Judge by an episode; one that was disturbed says nothing, and begins again."""
    while True:
        length = -1
        with contextlib.suppress(Interrupted):
            outcome = judge_episode(env, policy.act, seed)
            length = outcome.length
        if env.end() == length:
            return outcome
