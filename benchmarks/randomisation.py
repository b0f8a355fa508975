"""Success over the whole range of an arm's dynamics: trained with randomisation, and without.

Both policies learn our reach with the same algorithm, seed, limits and assumptions of the safety
filter; one on the nominal arm, one on arms drawn from `config/randomisation/default.yaml`. Then
each quantity of that file goes from its least to its largest value, the others staying nominal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import Comparison, Goal
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from sinew_core.bundle.reader import load_bundle
from sinew_core.errors import RunError
from sinew_core.evaluation import episode_seeds, judge_episode
from sinew_core.randomisation import Randomisation, needed_assumptions, read_randomisation
from sinew_core.rates import Rates
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_environment
from sinew_core.training.loop import train

if TYPE_CHECKING:
    from sinew_core.bundle.runtime import NumpyPolicy
    from sinew_core.environments.arm import ArmEnv
    from sinew_core.robots.model import RobotModel

FILE = Path(__file__).resolve().parents[1] / "config" / "randomisation" / "default.yaml"
GOAL = Goal(bound=0.95)
EASY_IS_HIGH = ("motor_strength/",)
"""Names whose least value is the hardest; of all others it is the largest."""
ROWS: dict[str, tuple[str, ...]] = {
    "mass": ("mass/",),
    "friction": ("coulomb/", "viscous/"),
    "motor strength": ("motor_strength/",),
    "payload": ("payload/",),
    "delay": ("delay_s",),
    "sensor noise": ("sensor_noise/",),
    "all": ("",),
}
_NOTE = (
    "Success rate of policies trained with (ours) and without (peer) randomisation, by the least "
    "of the points of each range: easiest values, middle, hardest; of all quantities at once, "
    "drawn anew in every episode, too. Both were trained with the same seed, algorithm and limits, "
    "and the safety filter assumes the largest delay, noise and drive error of the range in both."
)


def run(report: Report, options: Options) -> None:
    """Train both policies, then judge them over every range."""
    episodes, env_steps = (10, 15_000) if options.quick else (100, 100_000)
    progress = Progress("randomisation", 2 + len(ROWS))
    with tempfile.TemporaryDirectory(prefix="sinew-bench-") as temporary:
        policies = []
        for name, randomised in (("with", True), ("without", False)):
            progress.start(f"training {name} randomisation")
            values = configuration("joint_velocity", env_steps, randomised=randomised)
            policies.append(trained(values, Path(temporary) / name))
    robot = load_robot("panda")
    randomisation = read_randomisation(FILE, robot)
    env = make_environment(configuration("joint_velocity", env_steps, randomised=True))
    try:
        for row, prefixes in ROWS.items():
            progress.start(f"judging, {row}")
            points = points_of(robot, randomisation, prefixes)
            rates = [judged(env, policy, points, episodes, row) for policy in policies]
            report.put(compare(row, *rates))
    finally:
        env.close()
        progress.close()


def configuration(mode: str, env_steps: int, *, randomised: bool) -> RunConfiguration:
    """Return what one side trains: both alike but for the arms."""
    randomisation = read_randomisation(FILE, load_robot("panda"))
    mapping: dict[str, object] = {
        "engine": "mujoco",
        "action_mode": mode,
        "env_steps": env_steps,
        "target_success_rate": 0.99,
        "eval_episodes": 1,
        "safety": needed(randomisation, mode),
    }
    if randomised:
        mapping |= {"randomisation": str(FILE), "every_episodes": 1, "eval_randomised": True}
    return RunConfiguration.from_mapping(mapping, "bench randomisation")


def needed(randomisation: Randomisation, mode: str) -> dict[str, float]:
    """Return the safety parameters that cover the whole range, where the defaults do not."""
    defaults = RunConfiguration.from_mapping({}).safety
    least = needed_assumptions(randomisation, Rates(), mode)
    return {n: v for n, v in least.items() if v > getattr(defaults, n)}


def trained(values: RunConfiguration, folder: Path) -> NumpyPolicy:
    """Train, and return the policy of the bundle.

    Raises:
        RunError: there is none.
    """
    folder.mkdir()
    result = train(values, on_progress=lambda _: None, should_stop=lambda: False, run_folder=folder)
    if result.bundle is None:
        raise RunError("training kept no policy: allow it more steps")
    return load_bundle(result.bundle).policy


def points_of(
    robot: RobotModel, randomisation: Randomisation, prefixes: tuple[str, ...]
) -> tuple[ArmDynamics, ...]:
    """Return the arms at the easy end, in the middle and at the hard end of some quantities."""
    bounds = {n: b for n, b in randomisation.bounds().items() if n.startswith(prefixes)}
    return tuple(
        ArmDynamics.from_values(robot, {n: _between(n, b, share) for n, b in bounds.items()})
        for share in (0.0, 0.5, 1.0)
    )


def _between(name: str, bounds: tuple[float, float], hardness: float) -> float:
    low, high = bounds
    share = 1.0 - hardness if name.startswith(EASY_IS_HIGH) else hardness
    # Not low + share * (high - low), which may round past high.
    return (1.0 - share) * low + share * high


def judged(
    env: ArmEnv, policy: NumpyPolicy, points: tuple[ArmDynamics, ...], episodes: int, row: str
) -> list[float]:
    """Return the success rate at each point; of all quantities, of drawn arms too."""
    seeds = episode_seeds(0, episodes)
    rates = [success(env, policy, seeds, {"dynamics": point}) for point in points]
    return [*rates, success(env, policy, seeds, None)] if row == "all" else rates


def success(
    env: ArmEnv, policy: NumpyPolicy, seeds: list[int], options: Mapping[str, object] | None
) -> float:
    """Return the share of the episodes that succeed."""
    outcomes = [judge_episode(env, policy.act, seed, options) for seed in seeds]
    return sum(outcome.succeeded for outcome in outcomes) / len(outcomes)


def compare(row: str, ours: list[float], peer: list[float]) -> Comparison:
    """Return the line of one range: the least success over it."""
    shown = (", ".join(f"{rate:.2f}" for rate in rates) for rates in (ours, peer))
    return Comparison(
        what=f"joint velocities, {row}",
        unit="success",
        ours=[min(ours)],
        peer=[min(peer)],
        goal=GOAL,
        goal_is_for_ours=True,
        notes=(_NOTE, f"{row}, point by point: with {next(shown)}; without {next(shown)}."),
    )
