"""What the training loop asks of a learner."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from sinew_core.algorithms.exploration import Explorer
from sinew_core.algorithms.state import Array, State
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import BundleError, DivergedError
from sinew_core.training.rollout import Episode


class History(Protocol):
    """What a learner remembers in order of time; see `Replay`, which it is."""

    capacity: int
    total: int

    def since(self, total: int) -> State:
        """Return what was added after the first `total` transitions and is still held."""

    def extend(self, added: Mapping[str, Array]) -> None:
        """Append what `since` returned."""

    def clear(self, total: int) -> None:
        """Forget everything, as after `total` transitions."""


class Learner(Protocol):
    """Learns from episodes.

    Attributes:
        episodes_per_iteration: how many to collect with one policy.
        overlaps: whether the next episodes may be collected with the policy from before `learn`.
        evaluation_period_steps: environment steps between quick evaluations, which are to cost
            little beside the learning.
        updates: gradient steps so far.
        replay: its memory, which grows too large to be written whole again and again; None where
            it remembers nothing.
    """

    episodes_per_iteration: int
    overlaps: bool
    evaluation_period_steps: int
    updates: int
    replay: History | None

    def explorer(self, env_steps: int) -> Explorer:
        """Return the policy that collects the next episodes, at `env_steps`."""

    def network(self) -> PolicyNetwork:
        """Return the policy to deploy."""

    def learn(self, episodes: list[Episode], env_steps: int) -> None:
        """Learn; `env_steps` counts these episodes too."""

    def figures(self) -> dict[str, float]:
        """Return what the latest update said of itself, by name; nothing before the first."""

    def state(self) -> State:
        """Return all that the future of learning depends on, but what `replay` holds."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned, to the same end, once `replay` is filled too."""


def scalars(update: object) -> dict[str, float]:
    """Return the fields of an update's losses, a dataclass of numbers; nothing of anything else."""
    if not dataclasses.is_dataclass(update):
        return {}
    return {field.name: float(getattr(update, field.name)) for field in dataclasses.fields(update)}


@contextmanager
def finite_networks() -> Iterator[None]:
    """Say of networks that no policy can be made of that their training has diverged.

    Raises:
        DivergedError: with the remedy.
    """
    try:
        yield
    except BundleError as error:
        raise DivergedError(
            f"training has diverged ({error.args[0].rpartition(': ')[0]}): lower the learning rates"
        ) from None
