"""What the safety filter would change of a policy's commands, on states that it does not cause.

An armed filter follows its own commands, and an arm that moves otherwise contradicts them. So here
each command is judged by itself: the filter starts at the measured state, velocity included, and
runs one cycle. Position and effort filters start from rest, and so show what they would change of
a first command.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from sinew_core.deployment.partners import FilterSettings
from sinew_core.robots.model import RobotModel
from sinew_core.safety.filter import Cause, VelocityFilter
from sinew_core.safety.make import make_filter
from sinew_core.safety.realtime import real_time_assumptions


class ShadowFilter:
    """Judge single commands and count what would be changed, by joint and cause.

    Attributes:
        decisions: commands judged.
        intervened: of them, those of which a joint would be changed.
        faults: of the filter, by name; not finite commands are among them.
    """

    def __init__(self, robot: RobotModel, settings: FilterSettings) -> None:
        """Make the filter that runs in the graph.

        Raises:
            ConfigError: if limits and parameters do not fit each other.
        """
        self.decisions = self.intervened = 0
        self.faults: Counter[str] = Counter()
        self._joints = robot.joint_names
        self._counts: Counter[tuple[str, str]] = Counter()
        self._largest: dict[str, float] = {}
        self._filter = make_filter(
            settings.mode,
            robot,
            real_time_assumptions(settings.safety, settings.rates),
            settings.rates.filter_period_s,
            gravity_compensation=settings.gravity_compensation,
        )

    def judge(
        self, position: Sequence[float], velocity: Sequence[float], command: Sequence[float]
    ) -> None:
        """Take the state (n,) rad, rad/s, and the command (n,) that answers it."""
        if isinstance(self._filter, VelocityFilter):
            self._filter.reset(position, velocity)
        else:
            self._filter.reset(position)
        result = self._filter.step(command, position, velocity)
        self.decisions += 1
        self.intervened += result.intervened
        if result.fault is not None:
            self.faults[result.fault.name.lower()] += 1
        rows = zip(self._joints, result.causes, command, result.command, strict=True)
        for joint, cause, asked, sent in rows:
            if cause is not Cause.NONE:
                self._counts[joint, cause.name.lower()] += 1
                if math.isfinite(asked):
                    self._largest[joint] = max(self._largest.get(joint, 0.0), abs(asked - sent))

    def figures(self) -> dict[str, object]:
        """Return the figures for a report."""
        return {
            "decisions": self.decisions,
            "intervened": self.intervened,
            "rate": round(self.intervened / self.decisions, 5) if self.decisions else None,
            "by_joint": intervention_rows(self._counts, self.decisions),
            "largest_change": {joint: round(v, 5) for joint, v in self._largest.items()},
            "faults": dict(self.faults),
        }


class InterventionCounter:
    """What an armed filter changed, from the totals that it reports since it was started."""

    def __init__(self) -> None:
        """Begin at the first report."""
        self._first: dict[tuple[str, str], int] | None = None
        self._latest: dict[tuple[str, str], int] = {}

    def take(self, values: Mapping[str, str]) -> None:
        """Take the values of the filter's diagnostics."""
        totals = {
            (joint, cause): int(count)
            for key, count in values.items()
            if key.startswith("interventions: ")
            for joint, cause in [key.removeprefix("interventions: ").rsplit(" ", 1)]
        }
        if self._first is None:
            self._first = totals
        self._latest = totals

    def figures(self, cycles: int) -> dict[str, object]:
        """Return the figures for a report; `cycles` is how many the filter ran meanwhile."""
        first = self._first or {}
        counts = {
            key: n - first.get(key, 0) for key, n in self._latest.items() if n > first.get(key, 0)
        }
        return {"cycles": cycles, "by_joint": intervention_rows(counts, cycles)}


def intervention_rows(counts: Mapping[tuple[str, str], int], total: int) -> list[dict[str, object]]:
    """Return counts by joint and cause, the most frequent first, with their share of the total."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"joint": j, "cause": c, "count": n, "share": round(n / total, 5) if total else None}
        for (j, c), n in ordered
    ]
