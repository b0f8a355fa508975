"""What a safety filter changed of what it was asked for, from its own reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class InterventionCounter:
    """What an armed filter changed, from the totals that it reports since it was started."""

    def __init__(self) -> None:
        """Begin at the first report."""
        self._counts: Counter[tuple[str, str]] = Counter()
        self._latest: dict[tuple[str, str], int] | None = None

    def take(self, values: Mapping[str, str]) -> None:
        """Take the values of the filter's diagnostics.

        Where a total is smaller than before, the filter was started anew.
        """
        totals = {
            (joint, cause): int(count)
            for key, count in values.items()
            if key.startswith("interventions: ")
            for joint, cause in [key.removeprefix("interventions: ").rsplit(" ", 1)]
        }
        before = totals if self._latest is None else self._latest
        if any(totals.get(key, 0) < count for key, count in before.items()):
            before = {}
        self._counts.update({key: n - before.get(key, 0) for key, n in totals.items()})
        self._latest = totals

    def figures(self, cycles: int) -> dict[str, object]:
        """Return the figures for a report; `cycles` is how many the filter ran meanwhile."""
        return {"cycles": cycles, "by_joint": intervention_rows(+self._counts, cycles)}


def intervention_rows(counts: Mapping[tuple[str, str], int], total: int) -> list[dict[str, object]]:
    """Return counts by joint and cause, the most frequent first, with their share of the total."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"joint": j, "cause": c, "count": n, "share": round(n / total, 5) if total else None}
        for (j, c), n in ordered
    ]
