"""Read damaged bags in processes of their own, and collect what became of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bag.mutations import LIMIT_S

_ROOT = Path(__file__).resolve().parents[2]
"""Where `benchmarks` can be imported, whatever folder the caller is in."""
_BATCH = 500
"""Bags that one process reads."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What reading one damaged bag did.

    Attributes:
        seed: of the damage.
        outcome: `read`, `refused`, or what else happened.
        wall_s: how long it took; None where the process ended in it.
        peak_mib: most memory that its process had until then; None as above.
    """

    seed: int
    outcome: str
    wall_s: float | None = None
    peak_mib: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether the bag was read, or refused with a clear message."""
        return self.outcome in ("read", "refused")


def read_damaged(folder: Path, count: int, batch: int = _BATCH) -> Iterator[Outcome]:
    """Read bags damaged with the seeds 0 to `count`; originals are in `folder`."""
    seed = 0
    while seed < count:
        for outcome in _read_batch(folder, seed, min(batch, count - seed)):
            yield outcome
            seed = outcome.seed + 1


def _read_batch(folder: Path, first: int, count: int) -> list[Outcome]:
    """Return outcomes up to the last seed, or to the one at which the process ended."""
    command = [sys.executable, "-m", "benchmarks.bag.mutations", str(folder.resolve())]
    done = subprocess.run(
        [*command, str(first), str(count)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes, begun = [], first
    for line in done.stdout.splitlines():
        content = json.loads(line)
        begun = content["seed"]
        if "outcome" in content:
            peak_mib = content.pop("peak_kib") / 1024.0
            outcomes.append(Outcome(**content, peak_mib=peak_mib))
    if len(outcomes) < count:
        outcomes.append(Outcome(seed=begun, outcome=_death(done)))
    return outcomes


def _death(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -signal.SIGALRM:
        return f"still reading after {LIMIT_S} s"
    if done.returncode < 0:
        return f"ended by {signal.Signals(-done.returncode).name}"
    return f"ended with status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
