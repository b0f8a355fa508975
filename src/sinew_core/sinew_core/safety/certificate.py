"""The proof that a whole arm stays clear while it brakes, and the search for a command that has one.

What is proven is written in `certified`. Runs as Python for the node and for training alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import MutableSequence, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sinew_core.safety.brake_plan import Box, BrakePlan
from sinew_core.safety.certified_equations import (
    BRAKE,
    HOLD,
    HULL_LOWER,
    HULL_UPPER,
    RADIUS,
    STEP,
    WISH,
)
from sinew_core.safety.equations import (
    BY_RECOVERY,
    COMMAND,
    DRIFT,
    EDGE,
    MOTION_LEAST,
    MOTION_MOST,
    NO_CAUSE,
    RECOVERY,
    REST_LOWER,
    REST_UPPER,
    SPEED,
    Row,
    Rows,
)
from sinew_core.safety.hull import brake_extents, write_hull

Array = npt.NDArray[np.float64]
Anchor = tuple[list[float], dict[int, float]]
"""A posture (n,) rad, and distances in m of some pairs there."""

BISECTIONS = 4
POSTURES = 12
"""Postures that distances are asked at in one cycle at most; each costs some 50 us."""
FARTHEST_RAD = 1e4
"""Joint positions beyond that are no positions; nothing is proven of them."""
NOT_INWARD_M = 1e-7
"""Of measured distances, so that rounding does not count as motion inward."""


class Distances(Protocol):
    """What the certificate asks of a collision model."""

    levers_m: list[list[float]]

    def distances_m(
        self, position_rad: Sequence[float], pairs: Sequence[int] | None = None
    ) -> list[float]:
        """Return the distances of all pairs, or of those named, at a posture (n,) rad."""


@dataclasses.dataclass
class PairMemory:
    """What is known of the pairs of one arm.

    Attributes:
        anchors: (n, pairs) rad, where each pair was measured.
        distances: (pairs,) m, measured there.
        enough: (pairs,) m, what proves a pair clear without a look at the way; inf in recovery.
        thresholds: (pairs,) m, below which no certified distance may fall.
        reference: (n,) rad, a posture with a distance to spare for every pair.
        weights: (n,) 1/rad, the greatest lever over that distance.
        cap: (n,) rad/s, the largest speed near a pair in recovery, else inf.
    """

    anchors: Array
    distances: Array
    enough: Array
    thresholds: Array
    reference: MutableSequence[float]
    weights: MutableSequence[float]
    cap: MutableSequence[float]


class Certificate:
    """Proves commands of an arm clear, with one memory per arm."""

    def __init__(
        self,
        distances: Distances,
        keep_m: Sequence[float],
        causes: Sequence[int],
        joints: Sequence[Row],
        model: Row,
    ) -> None:
        """Prepare for arms with the constants of `certified_equations`.

        Args:
            distances: of every pair.
            keep_m: (pairs,) m, the distance that each pair keeps.
            causes: (pairs,) of a command changed for the sake of each pair.
            joints: (11, n) constants of the joints.
            model: (12,) constants of the arm.
        """
        self._distances, self._joints, self._model = distances, joints, model
        self.n_joints, self.n_pairs = len(joints[0]), len(keep_m)
        self.levers: Array = np.ascontiguousarray(np.array(distances.levers_m).T)
        self._levers = [
            [(j, lever) for j, lever in enumerate(row) if lever > 0.0] for row in distances.levers_m
        ]
        self._keep = np.array(keep_m, dtype=np.float64)
        self._causes = list(causes)
        self._allowance = self._recovery_allowance()
        self._soft: list[float] = (self._keep + self._allowance).tolist()
        self._asked = 0

    def new_memory(self) -> PairMemory:
        """Return the memory of an arm, to be begun."""
        n, pairs = self.n_joints, self.n_pairs
        return PairMemory(
            np.zeros((n, pairs)),
            np.full(pairs, -np.inf),
            np.full(pairs, np.inf),
            self._keep.copy(),
            [0.0] * n,
            [np.inf] * n,
            [np.inf] * n,
        )

    def begin(self, memory: PairMemory, state: Rows) -> None:
        """Measure all pairs of an arm that was reset, and see which of them are too close."""
        memory.distances[:] = -np.inf
        memory.thresholds[:] = self._keep
        memory.enough[:] = self._soft
        for j in range(self.n_joints):
            memory.cap[j] = memory.weights[j] = np.inf
        self._asked = 0
        centre, half = self._present(state)
        self._ratchet(memory, state, centre, half)
        state[WISH][:] = state[COMMAND]
        write_hull(self._joints, self._model, state)
        self.recentre(memory, state)

    def is_covered(self, memory: PairMemory, state: Rows) -> bool:
        """Tell what `hull.is_covered` does, over arrays."""
        spare = self._spare(memory, state[HULL_LOWER], state[HULL_UPPER])
        return bool((spare >= memory.enough).all())

    def recentre(self, memory: PairMemory, state: Rows) -> None:
        """Do what `hull.recentre` does, over arrays."""
        lower, upper = np.array(state[HULL_LOWER]), np.array(state[HULL_UPPER])
        reference = 0.5 * (lower + upper)
        moved = (self.levers * np.abs(reference[:, None] - memory.anchors)).sum(axis=0)
        spare = memory.distances - moved - memory.enough
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.where(spare > 0.0, self.levers / spare, np.inf).max(axis=1, initial=0.0)
        memory.reference[:] = reference.tolist()
        memory.weights[:] = weights.tolist()

    def decide(self, memory: PairMemory, state: Rows) -> int:
        """Leave in WISH what is proven of it, towards BRAKE if need be.

        Returns:
            The cause of a change, NO_CAUSE for none.
        """
        brake, wish = list(state[BRAKE]), list(state[WISH])
        self._asked = 0
        centre, half = self._present(state)
        changed = not self._ratchet(memory, state, centre, half)
        if changed or not all(-FARTHEST_RAD < q < FARTHEST_RAD for q in centre):
            state[WISH][:] = brake
            return BY_RECOVERY
        here: Anchor = (centre, {})
        cause = self._refusal(memory, state, here)
        if cause == NO_CAUSE:
            self.recentre(memory, state)
            return NO_CAUSE
        share, step, found = 0.0, 1.0, brake
        for _ in range(BISECTIONS):
            if self._asked >= POSTURES:
                break
            step *= 0.5
            tried = [
                b + (share + step) * (w - b) if abs(w - b) > 1e-11 else w
                for b, w in zip(brake, wish, strict=True)
            ]
            state[WISH][:] = tried
            refusal = self._refusal(memory, state, here)
            if refusal == NO_CAUSE:
                share, found = share + step, tried
            else:
                cause = refusal
        state[WISH][:] = found
        return cause

    def _present(self, state: Rows) -> tuple[list[float], list[float]]:
        """Return centre and half extents (n,) rad of what holds the arm now."""
        centre, half = [], []
        edge, radius = self._model[EDGE], self._model[RADIUS]
        for lower, upper, v in zip(
            state[REST_LOWER], state[REST_UPPER], state[COMMAND], strict=True
        ):
            low = lower - radius - (edge * v if v > 0.0 else 0.0)
            high = upper + radius - (edge * v if v < 0.0 else 0.0)
            centre.append(0.5 * (low + high))
            half.append(0.5 * (high - low))
        return centre, half

    def _spare(self, memory: PairMemory, lower: Row, upper: Row) -> Array:
        """Return the distances (pairs,) m that the memory proves on a box."""
        low, high = np.array(lower)[:, None], np.array(upper)[:, None]
        moved = self.levers * np.maximum(high - memory.anchors, memory.anchors - low)
        proven: Array = memory.distances - moved.sum(axis=0)
        return proven

    def _ask(self, posture: list[float], pairs: list[int]) -> dict[int, float]:
        """Return the distances of some pairs, and count the posture."""
        self._asked += 1
        return dict(zip(pairs, self._distances.distances_m(posture, pairs), strict=True))

    def _ratchet(
        self, memory: PairMemory, state: Rows, centre: list[float], half: list[float]
    ) -> bool:
        """Raise the thresholds of pairs that are too close; at rest, begin with new ones.

        Returns:
            Whether the speeds that are allowed near them are as they were.
        """
        lower = [c - h for c, h in zip(centre, half, strict=True)]
        upper = [c + h for c, h in zip(centre, half, strict=True)]
        recovering = memory.thresholds < self._keep
        suspects = np.flatnonzero(
            recovering | ~(self._spare(memory, lower, upper) >= self._keep)
        ).tolist()
        if not suspects or not all(-FARTHEST_RAD < q < FARTHEST_RAD for q in centre):
            return True
        at_rest = not any(state[COMMAND]) and not any(state[STEP])
        for pair, distance in self._ask(centre, suspects).items():
            memory.anchors[:, pair] = centre
            memory.distances[pair] = distance
            proven = distance - self._moved(pair, half)
            held, keep = memory.thresholds[pair], self._keep[pair]
            low = min(proven - self._allowance[pair], keep)
            if held < keep:
                memory.thresholds[pair] = low if at_rest else max(held, low)
            elif at_rest and proven < keep:
                memory.thresholds[pair] = low
        before = list(memory.cap)
        close = memory.thresholds < self._keep
        memory.enough[:] = np.where(close, np.inf, self._soft)
        slow = (self.levers[:, close] > 0.0).any(axis=1).tolist()
        memory.cap[:] = [self._model[RECOVERY] if s else np.inf for s in slow]
        return all(cap >= old for cap, old in zip(memory.cap, before, strict=True))

    def _refusal(self, memory: PairMemory, state: Rows, here: Anchor) -> int:
        """Return NO_CAUSE if WISH is proven, else the cause of the pair that it is not proven for.

        `here` holds the present posture and what was measured there in this cycle.
        """
        write_hull(self._joints, self._model, state)
        spare = self._spare(memory, state[HULL_LOWER], state[HULL_UPPER])
        open_pairs: list[int] = np.flatnonzero(~(spare >= memory.enough)).tolist()
        if not open_pairs:
            return NO_CAUSE
        lower, upper = state[HULL_LOWER], state[HULL_UPPER]
        middle = [0.5 * (low + high) for low, high in zip(lower, upper, strict=True)]
        half = [0.5 * (high - low) for low, high in zip(lower, upper, strict=True)]
        if all(memory.distances[p] >= memory.enough[p] + self._moved(p, half) for p in open_pairs):
            measured = self._ask(middle, open_pairs)
            open_pairs = [
                p for p in open_pairs if measured[p] - self._moved(p, half) < memory.enough[p]
            ]
            if not open_pairs:
                self._remember(memory, (middle, measured))
                return NO_CAUSE
        return self._walk(memory, state, here, open_pairs)

    def _walk(self, memory: PairMemory, state: Rows, here: Anchor, open_pairs: list[int]) -> int:
        """Prove WISH by a look at its end, then at ever shorter parts of the way."""
        plan = BrakePlan(self._joints, self._model, state)
        end, half = plan.box(plan.periods, plan.periods)
        measured = self._ask(end, open_pairs)
        for p in open_pairs:
            proven = measured[p] - self._moved(p, half)
            if proven >= self._soft[p]:
                continue
            if not proven >= memory.thresholds[p]:
                return self._causes[p]
            if p not in here[1]:
                here[1].update(self._ask(here[0], [q for q in open_pairs if q not in here[1]]))
            if measured[p] < here[1][p] - NOT_INWARD_M:
                return self._causes[p]
        parts = [(0.0, plan.periods, open_pairs, [here, (end, measured)])]
        while parts:
            first, last, pairs, anchors = parts.pop()
            box = plan.box(first, last)
            pairs = [p for p in pairs if not self._is_proven(memory, p, box, anchors)]
            if not pairs:
                continue
            if self._asked >= POSTURES:
                return self._causes[pairs[0]]
            if last - first <= 1.0:
                refused = self._too_close(memory, box, self._ask(box[0], pairs))
                if refused is not None:
                    return self._causes[refused]
                continue
            at = plan.middle(first, last)
            there = plan.box(at, at)
            known = self._ask(there[0], pairs)
            refused = self._too_close(memory, there, known)
            if refused is not None:
                return self._causes[refused]
            between: Anchor = (there[0], known)
            parts.append((first, at, pairs, [anchors[0], between]))
            parts.append((at, last, pairs, [between, anchors[1]]))
        self._remember(memory, (end, measured))
        return NO_CAUSE

    def _remember(self, memory: PairMemory, anchor: Anchor) -> None:
        for pair, distance in anchor[1].items():
            memory.anchors[:, pair] = anchor[0]
            memory.distances[pair] = distance

    def _too_close(self, memory: PairMemory, box: Box, measured: dict[int, float]) -> int | None:
        """Return a pair that its distance in the centre of a box does not prove clear, if any."""
        for pair, distance in measured.items():
            if not distance - self._moved(pair, box[1]) >= memory.thresholds[pair]:
                return pair
        return None

    def _is_proven(self, memory: PairMemory, pair: int, box: Box, anchors: list[Anchor]) -> bool:
        for posture, measured in anchors:
            if pair in measured:
                spare = measured[pair] - memory.thresholds[pair]
                for j, lever in self._levers[pair]:
                    spare -= lever * (abs(box[0][j] - posture[j]) + box[1][j])
                if spare >= 0.0:
                    return True
        return False

    def _moved(self, pair: int, half: Sequence[float]) -> float:
        """Return by how much a pair's distance may vary around the centre of a box."""
        moved = 0.0
        for j, lever in self._levers[pair]:
            moved += lever * half[j]
        return moved

    def _recovery_allowance(self) -> Array:
        """Return what a proof loses (pairs,) m while all joints move at the recovery speed."""
        model = self._model
        lost = []
        for j in range(self.n_joints):
            speed = min(model[RECOVERY], self._joints[SPEED][j])
            _, above, periods = brake_extents(self._joints, model, j, speed, speed)
            spread = 1.0 - model[MOTION_LEAST] / model[MOTION_MOST]
            half_period = 0.5 * model[MOTION_MOST] + model[EDGE] + model[HOLD]
            lost.append(half_period * speed + 0.5 * spread * above + model[DRIFT] * (periods + 1.0))
        allowance: Array = (self.levers * np.array(lost)[:, None]).sum(axis=0)
        return allowance
