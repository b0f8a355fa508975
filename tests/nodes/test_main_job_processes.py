"""`./sinew train` with all of its processes: it goes on as asked, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.graph, pytest.mark.beside, pytest.mark.timeout(700)]

TINY = {
    "run": "first",
    "env_steps": 60,
    "evaluation_period_steps": 50,
    "confirm_episodes": 2,
    "eval_episodes": 2,
    "target_success_rate": 1.0,
    "checkpoint_period_s": 0.001,
    "reach.episode_s": 0.4,
    "reach.hold_s": 0.1,
    "ddpg.warmup_steps": 20,
    "ddpg.batch_size": 16,
}
"""Hardly any of these short episodes succeeds, so that all steps that are allowed are needed."""
NO_GRAPH = {"graph_episodes": 0, "realtime_episodes": 0}
WITHIN_S = 200.0
MARK = "SINEW_TEST_OF_PROCESSES"


class Job:
    """The command, and whatever it starts, which is found by a mark in its environment."""

    def __init__(self, folder: Path, environment: dict[str, str], **values: object) -> None:
        self._mark = f"{MARK}={folder}"
        self._log = folder / "job.log"
        words = [f"{name}:={value}" for name, value in {**values, **NO_GRAPH}.items()]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sinew_trainer.main_job", *words],
                env={**environment, MARK: str(folder)},
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def alive(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self._mark in path.read_text(errors="replace").split("\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def until(self, reached, what):
        deadline_s = time.monotonic() + WITHIN_S
        while not reached():
            assert time.monotonic() < deadline_s, f"no {what}:\n{self.output}"
            time.sleep(0.05)

    def end(self, number: int) -> int:
        assert self.process.poll() is None, self.output
        self.process.send_signal(number)
        return self.process.wait(WITHIN_S)


@pytest.fixture
def start(tmp_path, environment):
    jobs = []

    def begin(**values):
        jobs.append(Job(tmp_path, environment, **values))
        return jobs[-1]

    yield begin
    for job in jobs:
        for pid in job.alive():
            os.kill(pid, signal.SIGKILL)


def steps_of(folder):
    try:
        return json.loads((folder / "progress.json").read_text())["env_steps"]
    except (OSError, ValueError):
        return 0


def test_it_goes_on_for_as_long_as_asked_and_every_end_ends_all_of_it(start, tmp_path):
    folder = tmp_path / "runs" / "first"
    job = start(**TINY)
    assert job.process.wait(WITHIN_S) == 0, job.output
    assert not json.loads((folder / "training.json").read_text())["stopped"]
    steps = steps_of(folder)
    for number, status in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        job = start(resume=folder, env_steps=200_000, eval_episodes=200)  # as is the default
        job.until(lambda steps=steps: steps_of(folder) > steps, "steps after the last ones")
        assert job.end(number) == status, job.output
        if number != signal.SIGKILL:
            assert job.alive() == []
            assert f"go on with ./sinew train resume:={folder}" in job.output
        job.until(lambda job=job: job.alive() == [], "end of all processes")
        told = json.loads((folder / "training.json").read_text())
        assert told["stopped"]
        assert told["env_steps"] > steps
        steps = told["env_steps"]
