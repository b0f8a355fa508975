"""Final scores after equal budgets, on tasks that `tasks.py` fixes beforehand.

A score that is measured is kept in `trials.json`, under all that it depends on; an interrupted
measurement goes on from there.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.learning.ours import budget, our_score
from benchmarks.learning.peers import peer_score
from benchmarks.learning.score import TOLERANCE, Score
from benchmarks.learning.tasks import JUDGED_EPISODES, Part, parts
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from sinew_core.errors import ConfigError
from sinew_core.files import write_json
from sinew_core.training.gym.configuration import TABULAR

TRIALS_FILE = "trials.json"
SIDES: dict[str, Callable[[Part, int], float]] = {"ours": our_score, "peer": peer_score}
_SOURCE = Path(__file__).resolve().parents[2] / "src" / "sinew_core" / "sinew_core"
_NOTE = (
    f"Means and their 95 % intervals (Student's t) over seeds of the score of {JUDGED_EPISODES} "
    "fresh episodes, without exploration, of the policy at the end of training: the return, or for "
    "arms the share of successes. Ours has to reach the peer's mean less "
    f"{TOLERANCE:.0%} of the range from random actions to solved, and the solved score where the "
    "peer reaches it. Both sides read budget and hyper-parameters from the same file in "
    "config/algorithms."
)


def run(report: Report, options: Options) -> None:
    """Train every part with every seed on both sides in turn.

    Raises:
        ConfigError: `options.only` names no part.
    """
    chosen = parts(options.only)
    if not chosen:
        names = ", ".join(part.name for part in parts())
        raise ConfigError(f"--only {options.only}: no part has it in its name: {names}")
    counts = {part.name: _seeds(part, options) for part in chosen}
    trials = Trials(report.folder / TRIALS_FILE)
    progress = Progress("learning", len(SIDES) * sum(counts.values()))
    try:
        for part in chosen:
            scores: dict[str, list[float]] = {side: [] for side in SIDES}
            for seed, side in itertools.product(range(counts[part.name]), SIDES):
                progress.start(f"{part.name}, seed {seed}, {side}")
                scores[side].append(trials.score(part, side, seed))
                if side == "peer":
                    report.put(compare(part, scores["ours"], scores["peer"], trials))
    finally:
        progress.close()


def compare(part: Part, ours: list[float], peer: list[float], trials: Trials) -> Score:
    """Return the line of a part with the seeds done so far."""
    task = part.task
    spent = {side: trials.seconds(part, side, len(ours)) for side in SIDES}
    return Score(
        what=f"{_title(part)} on {task.title}, peer {_peer(part)}",
        unit="success rate" if task.action_mode else "return",
        env_steps=budget(part),
        random=task.random,
        solved=task.solved,
        ours=tuple(ours),
        peer=tuple(peer),
        notes=(
            _NOTE,
            f"{part.name}: {len(ours)} seeds, processor time of a training and its judgement "
            f"{spent['ours']:.0f} s, peer {spent['peer']:.0f} s on average.",
        ),
    )


class Trials:
    """Scores on disk, each under a key that changes with whatever the score depends on."""

    def __init__(self, path: Path) -> None:
        """Read what is there.

        Raises:
            ConfigError: the file is not what this class writes.
        """
        self._path = path
        self._kept: dict[str, dict[str, float]] = {}
        if path.is_file():
            try:
                self._kept = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                raise ConfigError(f"{path} is damaged: remove it to measure anew") from None

    def score(self, part: Part, side: str, seed: int) -> float:
        """Return the score of one training, which runs unless its score is kept."""
        key = _key(part, side, seed)
        if key not in self._kept:
            start = time.process_time()
            score = SIDES[side](part, seed)
            self._kept[key] = {"score": score, "seconds": time.process_time() - start}
            write_json(self._path, self._kept)
        return self._kept[key]["score"]

    def seconds(self, part: Part, side: str, seeds: int) -> float:
        """Return the mean processor time of the first trainings."""
        kept = [self._kept[_key(part, side, seed)]["seconds"] for seed in range(seeds)]
        return sum(kept) / len(kept)


def _title(part: Part) -> str:
    return "Q-learning" if part.algorithm == TABULAR else part.algorithm.upper()


def _peer(part: Part) -> str:
    return "value iteration" if part.algorithm == TABULAR else "Stable-Baselines3"


def _seeds(part: Part, options: Options) -> int:
    return options.given_seeds or (1 if options.quick else part.seeds)


def _key(part: Part, side: str, seed: int) -> str:
    version = _source_digest() if side == "ours" else _peer_version()
    file = hashlib.sha256(part.file.read_bytes()).hexdigest()[:12]
    return f"{part.name} {side} {seed} {file} {version}"


@functools.cache
def _source_digest() -> str:
    """Return a digest of the code that decides our scores, as it was loaded."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _peer_version() -> str:
    return importlib.metadata.version("stable-baselines3")
