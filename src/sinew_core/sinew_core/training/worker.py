"""A worker: `python -m sinew_core.training.worker FILE_DESCRIPTOR`, started by `WorkerPool`."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.environments.arm import ArmEnv
from sinew_core.evaluation import Outcome, judge_episode
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_environment
from sinew_core.training.rollout import Episode, run_episode
from sinew_core.training.workers import CollectJob, JudgeJob, serve


class _Runner:
    """Makes the environment at the first job, so that its errors are answers."""

    def __init__(self, configuration: dict[str, object]) -> None:
        self._configuration = configuration
        self._env: ArmEnv | None = None

    def __call__(self, job: CollectJob | JudgeJob) -> list[Episode] | list[Outcome]:
        if self._env is None:
            self._env = make_environment(RunConfiguration.from_mapping(self._configuration))
        env, policy = self._env, NumpyPolicy(job.network)
        if isinstance(job, CollectJob):
            return [run_episode(env, policy, job.exploration, seed) for seed in job.seeds]
        return [judge_episode(env, policy.act, seed) for seed in job.seeds]


def main() -> None:
    """Serve the pipe whose descriptor is the argument."""
    with Connection(int(sys.argv[1])) as pipe:
        serve(pipe, _Runner(pipe.recv()))


if __name__ == "__main__":
    main()
