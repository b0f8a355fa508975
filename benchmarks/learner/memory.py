"""Resident memory of a learner that holds a million transitions of reach, in a process of its own.

`python -m benchmarks.learner.memory ours` (or `peer`) prints it in MiB.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np

TRANSITIONS = 1_000_000
EPISODE_STEPS = 100
_UPDATES = 200


def measured_mib(side: str, transitions: int = TRANSITIONS) -> float:
    """Return the resident memory of one side, MiB."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, side, str(transitions)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def ours(transitions: int) -> object:
    """Return the learner of `./sinew train`, filled with episodes of reach, after some updates."""
    from sinew_core.algorithms.parameters import DDPGParameters
    from sinew_core.algorithms.replay import Motions
    from sinew_core.training.configuration import RunConfiguration
    from sinew_core.training.environment import make_setup
    from sinew_core.training.learners import Problem, make_learner
    from sinew_core.training.rollout import Episode

    configuration = RunConfiguration.from_mapping({"algorithm": "ddpg"})
    assert isinstance(configuration.algorithm, DDPGParameters)
    parameters = dataclasses.replace(
        configuration.algorithm, replay_capacity=transitions, warmup_steps=0
    )
    problem = Problem.of(make_setup(configuration))
    learner = make_learner(problem, parameters, 0)
    rng, size, n = np.random.default_rng(0), problem.observation_size, problem.action_size
    widths = {"observation": size, "next_observation": size, "action": n, "next_joint_velocity": n}
    scalars = ("reward", "terminated", "reward_rest")
    columns = {
        field.name: rng.standard_normal(
            EPISODE_STEPS
            if field.name in scalars
            else (EPISODE_STEPS, widths.get(field.name, len("xyz")))
        ).astype(np.float32)
        for field in dataclasses.fields(Motions)
    }
    episode = Episode(transitions=Motions(**columns), total_reward=0.0, succeeded=False)
    for _ in range(transitions // EPISODE_STEPS):
        learner.learn([episode], -1)  # before the warm-up ends, it only remembers
    while learner.updates < _UPDATES:
        learner.learn([episode], transitions)
    return learner


def peer(transitions: int) -> object:
    """Return the peer with a full plain replay memory, without hindsight, after some updates."""
    from stable_baselines3 import DDPG
    from stable_baselines3.common.logger import Logger

    from benchmarks.learner.sides import BATCH_SIZE, Spaces

    model = DDPG("MlpPolicy", Spaces(), buffer_size=transitions, device="cpu")
    model.set_logger(Logger(None, []))
    replay = model.replay_buffer
    assert replay is not None
    for values in (replay.observations, replay.actions, replay.rewards, replay.next_observations):
        values[:] = 0.5  # written to, so that the system commits the pages
    for values in (replay.dones, replay.timeouts):
        values[:] = 0.0
    replay.full = True
    model.train(_UPDATES, BATCH_SIZE)
    return model


def resident_mib() -> float:
    """Return the resident memory of this process, MiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024.0


if __name__ == "__main__":
    held = {"ours": ours, "peer": peer}[sys.argv[1]](int(sys.argv[2]))
    sys.stdout.write(f"{resident_mib():.1f}\n")
    del held
