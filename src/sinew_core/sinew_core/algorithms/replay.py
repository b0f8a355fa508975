"""Replay memory: one preallocated float32 array for each field, sampled by index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.state import Array, State, joined, part
from sinew_core.errors import ConfigError

Float = NDArray[np.float32]
Index = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Transitions:
    """Steps in order of time, or a batch drawn from them.

    Shapes: `observation` and `next_observation` (batch, size), `action` (batch, n), or (batch, 1)
    with the index of a discrete one, `reward` and `terminated` (batch,).
    """

    observation: Float
    action: Float
    reward: Float
    next_observation: Float
    terminated: Float


@dataclass(frozen=True, kw_only=True, eq=False)
class Motions(Transitions):
    """Transitions of an arm, with what hindsight needs to judge the same motion by another target.

    Where what is to come to the target is, the tool or an object, (batch, 3) m in the base frame:
    `seen_goal` and `next_seen_goal` by the sensors, as `observation` and `next_observation` tell,
    `next_achieved_goal` in truth. `next_joint_velocity` (batch, n) rad/s is true, too.
    `reward_rest` (batch,) is the part of `reward` that no target changes.
    """

    reward_rest: Float
    seen_goal: Float
    next_seen_goal: Float
    next_achieved_goal: Float
    next_joint_velocity: Float


T = TypeVar("T", bound=Transitions)


class Replay(Generic[T]):
    """A ring of the latest `capacity` transitions, filled episode by episode.

    The arrays are allocated whole and the system commits their pages as they fill: a reach
    transition takes some 0.3 kB, so 10^6 of them stay well below 1 GiB.
    """

    def __init__(self, kind: type[T], capacity: int) -> None:
        """Remember up to `capacity` transitions of a kind; the first episode settles the widths."""
        self.capacity = capacity
        self._kind = kind
        self._fields: dict[str, Float] = {}
        self._steps_left = np.zeros(capacity, dtype=np.int32)
        self._first = 0
        self.total = 0

    def __len__(self) -> int:
        """Return the number of transitions held."""
        return self.total - self._first

    def add_episode(self, episode: T) -> None:
        """Append one episode in order of time; where the ring is full, the oldest steps go.

        Raises:
            ConfigError: for an episode that does not fit, whose length nobody knew before.
        """
        length = len(episode.reward)
        if length > self.capacity:
            raise ConfigError(
                f"replay_capacity is {self.capacity}: an episode of {length} steps does not fit: "
                f"give at least {length}"
            )
        self._append(vars(episode), np.arange(length - 1, -1, -1))

    def sample(self, batch_size: int, rng: np.random.Generator) -> Index:
        """Draw the indices (batch_size,) of transitions, uniformly, with replacement."""
        return rng.integers(len(self), size=batch_size)

    def take(self, index: Index) -> T:
        """Return copies of the transitions at `index`."""
        return self._kind(**{name: values[index] for name, values in self._fields.items()})

    def future_achieved_goals(self, index: Index, rng: np.random.Generator) -> Float:
        """Return what was achieved at a random later moment of each transition's episode.

        The moment is uniform from the end of the transition itself to the end of the episode: the
        strategy "future" of Andrychowicz et al. 2017 (section 4.5). An episode's later steps are
        the last to be overwritten, so a moment drawn is always still there.
        """
        ahead = rng.integers(self._steps_left[index], endpoint=True)
        result: Float = self._fields["next_achieved_goal"][(index + ahead) % self.capacity]
        return result

    def since(self, total: int) -> State:
        """Return what was added after the first `total` transitions and is still held, in order."""
        age = np.arange(max(total, self._first), self.total)
        where = age % self.capacity
        fields = {name: values[where] for name, values in self._fields.items()}
        return {"steps_left": self._steps_left[where], **joined(fields=fields)}

    def extend(self, added: Mapping[str, Array]) -> None:
        """Append what `since` returned."""
        self._append(part(added, "fields"), added["steps_left"])

    def clear(self, total: int) -> None:
        """Forget everything, as after `total` transitions, which settle where the next one goes."""
        self._first = self.total = total

    def _append(self, fields: Mapping[str, Array], steps_left: Array) -> None:
        """Write rows behind the newest, over the oldest where the ring is full."""
        if not self._fields:
            self._fields = {
                name: np.zeros((self.capacity, *values.shape[1:]), dtype=np.float32)
                for name, values in fields.items()
            }
        where = np.arange(self.total, self.total + len(steps_left)) % self.capacity
        for name, values in fields.items():
            self._fields[name][where] = values
        self._steps_left[where] = steps_left
        self.total += len(steps_left)
        self._first = max(self._first, self.total - self.capacity)
