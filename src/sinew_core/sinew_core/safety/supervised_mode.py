"""What a supervisor uses of a command mode, or of one that is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sinew_core.safety.command_mode import Values
from sinew_core.safety.filter import FilterResult
from sinew_core.safety.whereabouts import Distances, Sight


class SupervisedMode(Protocol):
    """What a supervisor uses of a `CommandMode`, which says what it means."""

    @property
    def output(self) -> Values | None:
        """What was published last (n,), None before anything was."""

    @property
    def rests(self) -> bool:
        """Whether what was published last asks for no motion."""

    def step(
        self,
        desired: Sequence[float] | None,
        position: Sequence[float] | None,
        velocity: Sequence[float],
    ) -> FilterResult:
        """Filter one command."""

    def brake(self, position: Sequence[float] | None, velocity: Sequence[float]) -> FilterResult:
        """Decelerate."""

    def skip(self, periods: int) -> None:
        """Account for missed periods."""

    def forget(self) -> None:
        """Take nothing that was published as still in force."""

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start where the arm is held."""

    def sight(self, time_ns: int, position: Sequence[float]) -> Sight:
        """Return what a measured position says of the arm while it is held."""

    def astray(self) -> Distances:
        """Return the joints off what is held, in rad, for which nothing is sent."""

    def unchanged(self) -> Distances:
        """Return the joints off what is held, in rad, that are measured where the hold began."""

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return what keeps the arm at rest."""

    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the largest travel of a joint in the last period."""
