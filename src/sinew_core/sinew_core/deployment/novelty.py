"""How far observations are from those of training, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.bundle.controller import ControlTicks, PolicyController
from sinew_core.bundle.reader import Bundle
from sinew_core.deployment.checks import Check, unknown
from sinew_core.observation import GOAL_FIELDS
from sinew_core.robots.kinematics import KinematicChain

_LEAST_STD = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldNovelty:
    """One field of the observation.

    Attributes:
        largest: distance from the training mean in training's standard deviations.
        share: of the observations in which a component was further off than allowed.
    """

    field: str
    largest: float
    share: float


class NoveltyMonitor:
    """Builds the observation that the policy sees and compares it with the bundle's statistics.

    It runs the policy itself, because the observation holds the action before.

    Attributes:
        command: (n,) that the policy gives for the last state, empty before the first.
        outside: fields that were outside in the last observation.
        outside_since_s: steady clock since when some field has been, None while none is.
    """

    def __init__(self, bundle: Bundle, chain: KinematicChain, *, unusual_std: float) -> None:
        """Take the bundle, the arm's kinematics, and how far is unusual."""
        specification = bundle.specification
        self.command: NDArray[np.float64] = np.zeros(0)
        self.outside: tuple[str, ...] = ()
        self.outside_since_s: float | None = None
        self._controller = PolicyController(bundle, chain, unusual_std=unusual_std)
        rates = specification.rates
        self._ticks = ControlTicks(
            rates.control_rate_hz, lockstep=False, state_rate_hz=rates.state_rate_hz
        )
        self._tool_xyz = chain.tool_xyz
        network = bundle.network
        self._mean = network.observation_mean
        self._std = np.maximum(network.observation_std, _LEAST_STD)
        spec = specification.observation
        self._slices = {name: spec.slice(name) for name in spec.names}
        self._limit = unusual_std
        self.restart()

    @property
    def sees_object(self) -> bool:
        """Whether the policy needs an object's pose, which is not followed here."""
        return self._controller.sees_object

    def restart(self) -> None:
        """Begin to count anew."""
        self.count = 0
        self._largest = dict.fromkeys(self._slices, 0.0)
        self._outside = dict.fromkeys(self._slices, 0)

    def observe(
        self,
        now_s: float,
        stamp_ns: int,
        position: Sequence[float],
        velocity: Sequence[float],
        target: Sequence[float],
    ) -> bool:
        """Take a joint state (n,); return whether the policy decides on it.

        Without a target the tool's own position stands in, and fields of the goal do not count.
        """
        if self.sees_object or not self._ticks.is_due(stamp_ns):
            return False
        if not self._ticks.answered(stamp_ns):
            self._controller.forget()
        goal = target or self._tool_xyz(position)
        self.command = self._controller.decide(position, velocity, goal)
        scores = np.abs(self._controller.observation - self._mean) / self._std
        outside = []
        self.count += 1
        for name, where in self._slices.items():
            if not target and name in GOAL_FIELDS:
                continue
            largest = float(scores[where].max())
            self._largest[name] = max(self._largest[name], largest)
            if largest > self._limit:
                self._outside[name] += 1
                outside.append(name)
        self.outside = tuple(outside)
        if not outside:
            self.outside_since_s = None
        elif self.outside_since_s is None:
            self.outside_since_s = now_s
        return True

    def outside_for_s(self, now_s: float) -> float:
        """Return since when some field has been outside without a break."""
        return 0.0 if self.outside_since_s is None else now_s - self.outside_since_s

    def fields(self) -> list[FieldNovelty]:
        """Return each field, the furthest first."""
        rows = [
            FieldNovelty(field=n, largest=z, share=self._outside[n] / max(1, self.count))
            for n, z in self._largest.items()
        ]
        return sorted(rows, key=lambda row: -row.largest)

    def check(self) -> Check:
        """Check that the observations were those of training."""
        what, expected = "observation as in training", f"each within {self._limit:g} std"
        remedy = (
            "bring the arm near where the training starts, choose a target inside the task's box, "
            "or train with more variety"
        )
        if not self.count:
            found = "an object's pose is not followed here" if self.sees_object else "no state yet"
            return unknown(what, found, expected, "see the policy's own diagnostics")
        rows = self.fields()
        outside = [f"{row.field} {row.largest:.1f} std" for row in rows if row.share > 0.0]
        nearest = f"furthest: {rows[0].field}, {rows[0].largest:.1f} std"
        return Check(
            what=what,
            found=", ".join(outside) or nearest,
            expected=expected,
            remedy=remedy,
            passed=not outside,
        )

    def mappings(self) -> list[dict[str, object]]:
        """Return plain values for a report."""
        return [
            {"field": r.field, "largest_std": round(r.largest, 3), "share": round(r.share, 5)}
            for r in self.fields()
        ]
