"""Training on the identified model and on the description, judged on the arm that was recorded.

The policy commands accelerations, of which the description's inverse dynamics make efforts: nothing
of the arm's own corrects what the model gets wrong, where loops for positions or velocities hide
most of it. Friction, rotors, masses and delay of the arm are all in the policy's way.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from benchmarks.comparison import Comparison, Goal
from benchmarks.randomisation import success, trained
from benchmarks.sysid import cases
from benchmarks.sysid.arms import drawn_arm
from benchmarks.sysid.motions import ARRIVAL_JITTER_S, STAMP_JITTER_S
from benchmarks.sysid.stribeck import STICTION, STRIBECK_RAD_S
from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.evaluation import episode_seeds
from sinew_core.randomisation import Randomisation, needed_assumptions
from sinew_core.rates import Rates
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams, write_sim_params
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_environment

ROBOT = "panda"
MODE = "joint_acceleration"
ALGORITHM = "sac"
"""DDPG and TD3, tried at half the speed below, learned next to nothing on the second of the arms,
TD3 not even when trained on the true one; which of algorithm and speed it was is not known."""
_ACTION = {"acceleration_rad_s2": 20.0, "acceleration_speed_rad_s": 1.2}
"""Of an action of 1, in both trainings. The defaults ask for less effort than the friction of these
wrists takes, so that even a policy trained on the true arm fails."""
GOAL = Goal(bound=1.05)
LEAST = Goal(bound=0.5)
"""A policy that mostly fails says nothing about the model, however badly the other one does."""
EPISODES, _QUICK_EPISODES = 200, 10
_NO_SUCCESS = 0.5 / EPISODES
"""What a policy without any counts as, so that there is a ratio: half an episode."""
_NOTE = (
    "Success on the true arm, in MuJoCo, of policies trained on the arm that was identified from "
    "its bag (ours) and on the robot's description (peer): the same algorithm, seed, steps and "
    "safety filter; the filter assumes the true arm's delay and jitter in both. The bag is of the "
    "true arm behind its joint loops, and the arm that judges has no loops; Stribeck friction and "
    "jitter, of which no model that is trained on knows, are in both. The ratio counts only where "
    "the policy of the identified arm solves the task."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trained:
    """How policies did on the true arm: shares of the episodes."""

    identified: float
    nominal: float


def compared(
    robot: RobotModel, seed: int, length_s: float, folder: Path, *, quick: bool
) -> Trained:
    """Identify one arm, train on it and on the description, and judge both on the arm itself."""
    truth = mismatched_dynamics(robot, drawn_arm(robot, seed).dynamics)
    found = cases.mismatched(robot, seed, length_s).found.params.dynamics
    models = {"identified": found, "nominal": ArmDynamics.nominal(robot), "true": truth}
    files = {}
    for name, dynamics in models.items():
        files[name] = folder / f"{name}.yaml"
        files[name].write_text(write_sim_params(SimParams(dynamics=dynamics), robot))
    safety = _needed(robot, [truth, found])
    runs = {name: configuration(file, safety, seed, quick=quick) for name, file in files.items()}
    rates = {}
    for name in ("identified", "nominal"):
        rates[name] = judged(trained(runs[name], folder / name), runs["true"], quick=quick)
    return Trained(**rates)


def mismatched_dynamics(robot: RobotModel, arm: ArmDynamics) -> ArmDynamics:
    """Return an arm with the friction and the jitter that were in its bag."""
    return ArmDynamics.from_values(
        robot,
        {
            "stribeck/stiction": STICTION,
            "stribeck/velocity_rad_s": STRIBECK_RAD_S,
            "delay_s": arm.delay_s - ARRIVAL_JITTER_S,
            "jitter/command_s": 2.0 * ARRIVAL_JITTER_S,
            "jitter/state_s": STAMP_JITTER_S,
        },
        base=arm,
    )


def configuration(
    sim_params: Path, safety: dict[str, float], seed: int, *, quick: bool
) -> RunConfiguration:
    """Return what one side trains on one arm."""
    return RunConfiguration.from_mapping(
        {
            "robot": ROBOT,
            "engine": "mujoco",
            "action_mode": MODE,
            "algorithm": ALGORITHM,
            "seed": seed,
            "sim_params": str(sim_params),
            "env_steps": 600 if quick else 30_000,
            "target_success_rate": 0.99,
            "eval_episodes": 1,
            "action": _ACTION,
            "safety": safety,
        },
        "bench sysid training",
    )


def judged(policy: NumpyPolicy, true: RunConfiguration, *, quick: bool) -> float:
    """Return the share of fresh episodes that a policy succeeds in on the true arm."""
    env = make_environment(true)
    try:
        return success(env, policy, episode_seeds(0, _QUICK_EPISODES if quick else EPISODES), None)
    finally:
        env.close()


def solved(results: list[Trained]) -> Comparison:
    """Return the line of how well training on the identified arms goes at all."""
    return Comparison(
        what="training: success on the true arm, trained on the identified",
        unit="success",
        ours=[result.identified for result in results],
        goal=LEAST,
        notes=(_NOTE,),
    )


def comparison(results: list[Trained]) -> Comparison:
    """Return the line of all arms so far, beside training on the description."""
    return Comparison(
        what="training: success on the true arm",
        unit="success",
        ours=[result.identified for result in results],
        peer=[max(result.nominal, _NO_SUCCESS) for result in results],
        goal=GOAL,
        notes=(_NOTE,),
    )


def _needed(robot: RobotModel, arms: list[ArmDynamics]) -> dict[str, float]:
    """Return the safety parameters that cover all arms, where the defaults do not."""
    defaults = RunConfiguration.from_mapping({}).safety
    needed: dict[str, float] = {}
    for arm in arms:
        least = needed_assumptions(Randomisation(robot=robot, base=arm), Rates(), MODE)
        for name, value in least.items():
            if value > max(getattr(defaults, name), needed.get(name, 0.0)):
                needed[name] = value
    return needed
