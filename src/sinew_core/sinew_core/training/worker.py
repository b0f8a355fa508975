"""A worker: `python -m sinew_core.training.worker FILE_DESCRIPTOR`, started by `WorkerPool`."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from sinew_core.environments.arm import ArmEnv
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_environment
from sinew_core.training.jobs import Job
from sinew_core.training.workers import serve


class _Runner:
    """Makes the environment at the first job, so that its errors are answers."""

    def __init__(self, configuration: dict[str, object]) -> None:
        self._configuration = configuration
        self._env: ArmEnv | None = None

    def __call__(self, job: Job[object]) -> object:
        if self._env is None:
            configuration = RunConfiguration.from_mapping(self._configuration)
            self._env = make_environment(configuration, render_mode="rgb_array")
        return job.run(self._env)


def main() -> None:
    """Serve the pipe whose descriptor is the argument."""
    with Connection(int(sys.argv[1])) as pipe:
        serve(pipe, _Runner(pipe.recv()))


if __name__ == "__main__":
    main()
