"""Environment steps per second on one core, through the whole Gymnasium interface.

Both sides decide at 25 Hz over physics at 500 Hz, take random actions, and count the resets at the
ends of episodes of 50 steps. Ours runs its safety filter at 100 Hz all the while. Time is that of
the processor, so that what else runs on the machine counts less; neither side waits for anything.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import sinew_core.environments  # noqa: F401 - registers ours
from benchmarks.comparison import Comparison, Goal, alternate
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from sinew_core.robots.catalogue import load_robot
from sinew_core.simulation import make_engine
from sinew_core.simulation.silence import silent_stdout
from sinew_core.tasks.reach import ReachParameters

Env = gymnasium.Env[Any, Any]  # of either library

ROBOTS = ("panda", "iiwa14")
MODES = (
    ("joint_velocity", "pybullet", 2.2),
    ("joint_effort", "pybullet", 4.5),
    ("joint_velocity", "mujoco", 7.0),
)
PEER = "panda-gym PandaReach-v3"
PHYSICS_RATE_HZ = 500
STEPS_PER_CYCLE = 5
_ACTIONS = 1000
_ENVIRONMENT_NOTE = (
    "Environments: one step is a decision at 25 Hz over physics at 500 Hz, with random actions, "
    "resets counted; ours with its safety filter at 100 Hz. The peer simulates a Panda beside "
    "either robot of ours, and commands its tool. All times are processor times of one core."
)
_PHYSICS_NOTE = (
    "Physics alone: one step of 2 ms while the arm holds still; ours in calls of 5 steps, its "
    "command included."
)


def run(report: Report, options: Options) -> None:
    """Measure environments, then for information the physics alone."""
    repeats, slice_s = (3, 0.2) if options.quick else (11, 0.5)
    progress = Progress("sim", 2 * len(ROBOTS) * len(MODES))
    peer = make_peer()
    peer_rate = stepper(peer, slice_s)
    for robot, (mode, engine, goal) in itertools.product(ROBOTS, MODES):
        progress.start(f"environment, {robot}, {mode} on {engine}")
        env = _make_ours(robot, mode, engine)
        ours, theirs = alternate(stepper(env, slice_s), peer_rate, repeats)
        env.close()
        report.put(
            Comparison(
                what=f"environment, {robot}, {mode} on {engine}, peer {PEER}",
                unit="env steps/s a core",
                ours=ours,
                peer=theirs,
                goal=Goal(bound=goal),
                notes=(_ENVIRONMENT_NOTE,),
            )
        )
    for robot, (mode, engine, _) in itertools.product(ROBOTS, MODES):
        progress.start(f"physics alone, {robot}, {mode} on {engine}")
        report.put(_compare_physics(robot, mode, engine, peer, repeats))
    progress.close()
    peer.close()


def make_peer(name: str = "PandaReach-v3") -> Env:
    """Start an environment of panda-gym; like ours without Gymnasium's own checker."""
    with silent_stdout():
        return gymnasium.make(f"panda_gym:{name}", disable_env_checker=True)


def stepper(env: Env, slice_s: float) -> Callable[[], float]:
    """Return a function that runs whole episodes for `slice_s`: steps/s of the processor."""
    rng = np.random.default_rng(0)
    shape = env.action_space.shape
    actions = [rng.uniform(-1, 1, shape).astype(np.float32) for _ in range(_ACTIONS)]
    chosen = itertools.cycle(actions)
    env.reset(seed=0)

    def steps_per_s() -> float:
        steps = 0
        start = time.process_time()
        while (spent := time.process_time() - start) < slice_s:
            env.reset()
            ended = False
            while not ended:
                _, _, terminated, truncated, _ = env.step(next(chosen))
                ended = terminated or truncated
                steps += 1
        return steps / spent

    steps_per_s()
    return steps_per_s


def _make_ours(robot: str, mode: str, engine: str) -> Env:
    task = ReachParameters(episode_s=2.0)
    return gymnasium.make(
        "sinew/Reach-v0", robot=robot, action_mode=mode, engine=engine, task_parameters=task
    )


def _compare_physics(robot: str, mode: str, engine: str, peer: Env, repeats: int) -> Comparison:
    arm = make_engine(engine, load_robot(robot), PHYSICS_RATE_HZ)
    n = arm.robot.n_joints
    simulation = peer.unwrapped.sim.physics_client  # type: ignore[attr-defined]  # of panda-gym

    def ours() -> float:
        if mode == "joint_effort":
            arm.command_effort(np.zeros(n), gravity_compensation=True)
        else:
            arm.command_velocity(np.zeros(n))
        return _time_us(lambda: arm.step(STEPS_PER_CYCLE)) / STEPS_PER_CYCLE

    ours()
    samples = alternate(ours, lambda: _time_us(simulation.stepSimulation), repeats)
    arm.close()
    return Comparison(
        what=f"physics alone, {robot}, {mode} on {engine}, peer {PEER}",
        unit="µs/physics step",
        ours=samples[0],
        peer=samples[1],
        notes=(_PHYSICS_NOTE,),
    )


def _time_us(call: Callable[[], object], calls: int = 400) -> float:
    start = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - start) / calls * 1e6
