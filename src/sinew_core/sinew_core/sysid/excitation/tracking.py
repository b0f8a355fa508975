"""How well an arm followed a motion, and what the safety filter had to do with it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sinew_core.robots.arrays import Array

_PREFIX = "interventions: "


class Tracking:
    """Errors of the samples that were sent, and the filter's interventions meanwhile."""

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        """Begin without any."""
        self._joints = joint_names
        self._square, self._largest = np.zeros(len(joint_names)), np.zeros(len(joint_names))
        self.samples = 0
        self._before: dict[str, int] | None = None
        self.interventions: dict[str, int] = {}

    def add(self, error_rad: Array) -> None:
        """Take the planned less the measured position (n,) of a sample."""
        self.samples += 1
        self._square += error_rad**2
        self._largest = np.maximum(self._largest, np.abs(error_rad))

    def report(self, values: Mapping[str, str]) -> None:
        """Take what the filter reports; what it counted at the first report is not ours."""
        counts = {k[len(_PREFIX) :]: int(v) for k, v in values.items() if k.startswith(_PREFIX)}
        if self._before is None:
            self._before = counts
        self.interventions = {
            name: count - self._before.get(name, 0)
            for name, count in counts.items()
            if count != self._before.get(name, 0)
        }

    @property
    def rms_rad(self) -> Array:
        """Root mean square of each joint's error (n,)."""
        rms: Array = np.sqrt(self._square / max(self.samples, 1))
        return rms

    def figures(self) -> dict[str, object]:
        """Return what a report holds."""
        return {
            "samples": self.samples,
            "tracking_rms_rad": dict(zip(self._joints, self.rms_rad.tolist(), strict=True)),
            "tracking_max_rad": dict(zip(self._joints, self._largest.tolist(), strict=True)),
            "interventions": self.interventions,
        }

    def sentence(self) -> str:
        """Return the same for people."""
        worst = int(np.argmax(self.rms_rad))
        cycles = sum(self.interventions.values())
        told = ", ".join(f"{name} {count}" for name, count in self.interventions.items())
        return (
            f"followed {self.samples} samples; largest error {1e3 * self._largest.max():.2f} mrad, "
            f"rms {1e3 * self.rms_rad[worst]:.2f} mrad at {self._joints[worst]}; "
            f"interventions of the safety filter: {cycles}" + (f" ({told})" if told else "")
        )
