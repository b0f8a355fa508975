"""The proof that a whole arm stays clear while it brakes, and the search for a proven command.

What is proven is written in `certified`. Runs as Python for the node and for training alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from sinew_core.safety.brake_plan import Box, BrakePlan
from sinew_core.safety.certified_equations import (
    BRAKE,
    HULL_LOWER,
    HULL_UPPER,
    RADIUS,
    STEP,
    WISH,
)
from sinew_core.safety.equations import (
    BY_RECOVERY,
    COMMAND,
    EDGE,
    NO_CAUSE,
    RECOVERY,
    REST_LOWER,
    REST_UPPER,
    Row,
    Rows,
)
from sinew_core.safety.hull import write_hull
from sinew_core.safety.pair_memory import Anchor, Array, PairMemory

TRIES = 3
LEAST_SHARE = 1.0 / 64.0
NEARLY = 0.95
"""Of the part that the secant gives, since levers and distances are not straight lines."""
POSTURES = 3
"""Postures that distances are asked at in one cycle before the search ends; some 60 us each."""
TRAIL = 4
"""Postures of the last manoeuvres that are remembered with their distances."""
FARTHEST_RAD = 1e4
"""Joint positions beyond that are no positions; nothing is proven of them."""
NOT_INWARD_M = 1e-7
"""Of measured distances, so that rounding does not count as motion inward."""


class Distances(Protocol):
    """What the certificate asks of a collision model."""

    home_rad: list[float]
    levers_m: list[list[float]]

    def distances_m(
        self, position_rad: Sequence[float], pairs: Sequence[int] | None = None
    ) -> list[float]:
        """Return the distances of all pairs, or of those named, at a posture (n,) rad."""


class Refusal(NamedTuple):
    """Which pair a command is not proven clear for, and by how much at its end, 0 elsewhere."""

    pair: int
    short_m: float = 0.0


class Certificate:
    """Proves commands of an arm clear, with one memory per arm."""

    def __init__(
        self,
        distances: Distances,
        keep_m: Sequence[float],
        allowance_m: Array,
        causes: Sequence[int],
        joints: Sequence[Row],
        model: Row,
    ) -> None:
        """Prepare for arms with the constants of `certified_equations`.

        Args:
            distances: of every pair.
            keep_m: (pairs,) m, the distance that each pair keeps.
            allowance_m: (pairs,) m, what a proof may lose while all joints recover.
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
        self._allowance = allowance_m
        self._soft: list[float] = (self._keep + allowance_m).tolist()
        self._home = np.array(distances.home_rad)[:, None]
        self._home_distances = np.array(distances.distances_m(distances.home_rad))
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
            [],
        )

    def begin(self, memory: PairMemory, state: Rows) -> None:
        """Begin anew for an arm that was reset: see which pairs are too close.

        What the distances at home do not prove clear is measured. They are the same for every
        start, so that what follows a reset does not depend on what was before it.
        """
        memory.anchors[:] = self._home
        memory.distances[:] = self._home_distances
        memory.recovering = False
        memory.thresholds[:] = self._keep
        memory.enough[:] = self._soft
        memory.trail.clear()
        for j in range(self.n_joints):
            memory.cap[j] = memory.weights[j] = np.inf
        self._asked = 0
        centre, half = self._present(state)
        self._ratchet(memory, state, (centre, {}), half)
        state[WISH][:] = state[COMMAND]
        write_hull(self._joints, self._model, state)
        memory.recentre(self.levers, state[HULL_LOWER], state[HULL_UPPER])

    def decide(self, memory: PairMemory, state: Rows) -> int:
        """Leave in WISH, whose hull is written, what is proven of it, towards BRAKE if need be.

        Returns:
            The cause of a change, NO_CAUSE for none.
        """
        self._asked = 0
        centre, half = self._present(state)
        here: Anchor = (centre, {})
        changed = not self._ratchet(memory, state, here, half)
        if changed or not all(-FARTHEST_RAD < q < FARTHEST_RAD for q in centre):
            state[WISH][:] = state[BRAKE]
            return BY_RECOVERY
        self._asked = 0
        refusal = self._refusal(memory, state, here)
        if refusal is None:
            return NO_CAUSE
        late: list[Anchor] = []
        found, cause = self._search(memory, state, here, refusal, late)
        for anchor in late:
            memory.remember(anchor)
        state[WISH][:] = found
        return cause

    def _search(
        self,
        memory: PairMemory,
        state: Rows,
        here: Anchor,
        refusal: Refusal,
        late: list[Anchor],
    ) -> tuple[list[float], int]:
        """Return the command nearest to the refused WISH that a few tries prove, and the cause.

        What is measured of the refused ones goes to `late`, to be remembered afterwards: what is
        proven now must be proven again when it is asked for alone.

        Where the end of the manoeuvre is too close, the distance at the end of braking now and the
        one that was refused tell, by the secant, which part of the way between them may do.
        """
        brake, wish = list(state[BRAKE]), list(state[WISH])
        share = 1.0
        for _ in range(TRIES):
            part = 0.5
            if refusal.short_m > 0.0:
                spare = self._spare_of_braking(memory, state, refusal.pair, late)
                part = NEARLY * spare / (spare + refusal.short_m)
            share *= part
            if share < LEAST_SHARE or self._asked >= POSTURES:
                break
            tried = [
                b + share * (w - b) if abs(w - b) > 1e-11 else w
                for b, w in zip(brake, wish, strict=True)
            ]
            state[WISH][:] = tried
            write_hull(self._joints, self._model, state)
            after = self._refusal(memory, state, here)
            if after is None:
                return tried, self._causes[refusal.pair]
            refusal = after
        return brake, self._causes[refusal.pair]

    def _spare_of_braking(
        self, memory: PairMemory, state: Rows, pair: int, late: list[Anchor]
    ) -> float:
        """Return what a pair has to spare, in m and at least 0, at the end of braking now."""
        state[WISH][:] = state[BRAKE]
        plan = BrakePlan(self._joints, self._model, state)
        end, half = plan.box(plan.periods, plan.periods)
        spare = float(memory.distances[pair]) - self._soft[pair]
        anchor = memory.anchors[:, pair].tolist()
        for j, lever in self._levers[pair]:
            spare -= lever * (abs(end[j] - anchor[j]) + half[j])
        if spare <= 0.0:
            measured = self._ask(end, [pair])
            late.append((end, measured))
            spare = measured[pair] - self._soft[pair] - self._moved(pair, half)
        return max(spare, 0.0)

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

    def _ask(self, posture: list[float], pairs: list[int]) -> dict[int, float]:
        """Return the distances of some pairs, and count the posture."""
        self._asked += 1
        return dict(zip(pairs, self._distances.distances_m(posture, pairs), strict=True))

    def _ratchet(self, memory: PairMemory, state: Rows, here: Anchor, half: list[float]) -> bool:
        """Raise the thresholds of pairs that are too close; at rest, begin with new ones.

        What is measured is added to `here`.

        Returns:
            Whether the speeds that are allowed near them are as they were.
        """
        centre = here[0]
        at_rest = not any(state[COMMAND]) and not any(state[STEP])
        if not at_rest and not memory.recovering:
            # In motion the last proof covers the present; at rest drift may have used it up.
            return True
        suspect = memory.thresholds < self._keep
        if at_rest:
            lower = [c - h for c, h in zip(centre, half, strict=True)]
            upper = [c + h for c, h in zip(centre, half, strict=True)]
            suspect |= ~(memory.spare(self.levers, lower, upper) >= self._keep)
        suspects: list[int] = np.flatnonzero(suspect).tolist()
        if not suspects or not all(-FARTHEST_RAD < q < FARTHEST_RAD for q in centre):
            return True
        here[1].update(self._ask(centre, suspects))
        memory.remember(here)
        for pair, distance in here[1].items():
            proven = distance - self._moved(pair, half)
            held, keep = memory.thresholds[pair], self._keep[pair]
            low = min(proven - self._allowance[pair], keep)
            if held < keep:
                memory.thresholds[pair] = low if at_rest else max(held, low)
            elif at_rest and proven < keep:
                memory.thresholds[pair] = low
        before = list(memory.cap)
        close = memory.thresholds < self._keep
        memory.recovering = bool(close.any())
        memory.enough[:] = np.where(close, np.inf, self._soft)
        carriers: Array = self.levers[:, close].sum(axis=1)
        memory.cap[:] = [self._model[RECOVERY] if c > 0.0 else np.inf for c in carriers.tolist()]
        return all(cap >= old for cap, old in zip(memory.cap, before, strict=True))

    def _refusal(self, memory: PairMemory, state: Rows, here: Anchor) -> Refusal | None:
        """Return None if WISH, whose hull is written, is proven, else what it is not proven for.

        `here` holds the present posture and what was measured there in this cycle.
        """
        lower, upper = state[HULL_LOWER], state[HULL_UPPER]
        spare = memory.spare(self.levers, lower, upper)
        proven: list[bool] = (spare >= memory.enough).tolist()
        open_pairs = [pair for pair, enough in enumerate(proven) if not enough]
        if not open_pairs:
            return None
        middle = [0.5 * (low + high) for low, high in zip(lower, upper, strict=True)]
        half = [0.5 * (high - low) for low, high in zip(lower, upper, strict=True)]
        needed = {p: memory.enough[p] + self._moved(p, half) for p in open_pairs}
        if all(memory.distances[p] >= distance for p, distance in needed.items()):
            measured = self._ask(middle, open_pairs)
            open_pairs = [p for p in open_pairs if not measured[p] >= needed[p]]
            if not open_pairs:
                memory.remember((middle, measured))
                return None
        return self._walk(memory, state, here, open_pairs)

    def _walk(
        self, memory: PairMemory, state: Rows, here: Anchor, open_pairs: list[int]
    ) -> Refusal | None:
        """Prove WISH by a look at its end, then at ever shorter parts of the way.

        What was measured along the last manoeuvre helps, since the next is nearly the same.
        """
        plan = BrakePlan(self._joints, self._model, state)
        end = plan.box(plan.periods, plan.periods)
        trail, thresholds = memory.trail, memory.thresholds.tolist()
        far = self._unproven(open_pairs, end, trail, self._soft)
        far += [p for p in open_pairs if thresholds[p] < self._keep[p] and p not in far]
        there: Anchor = (end[0], self._ask(end[0], far) if far else {})
        refusal = self._refusal_of_end(memory, here, there, end[1])
        if refusal is not None:
            return refusal
        steps: list[Anchor] = [there] if far else []
        parts = [(0.0, plan.periods, open_pairs, here, there)]
        while parts:
            first, last, pairs, before, after = parts.pop()
            box = plan.box(first, last)
            pairs = self._unproven(pairs, box, [after, before, *trail], thresholds)
            if not pairs:
                continue
            if self._asked >= POSTURES:
                return Refusal(pairs[0])
            at = plan.middle(first, last) if last - first > 1.0 else last
            if at < last:
                box = plan.box(at, at)
            between: Anchor = (box[0], self._ask(box[0], pairs))
            steps.append(between)
            for pair, distance in between[1].items():
                if not distance - self._moved(pair, box[1]) >= thresholds[pair]:
                    return Refusal(pair)
            if at < last:
                parts.append((at, last, pairs, between, after))
                parts.append((first, at, pairs, before, between))
        memory.remember(there)
        memory.trail[:] = [*trail, *steps][-TRAIL:]
        return None

    def _refusal_of_end(
        self, memory: PairMemory, here: Anchor, end: Anchor, half: list[float]
    ) -> Refusal | None:
        """Refuse a manoeuvre that ends too close, unless it ends no closer than it begins."""
        worst: Refusal | None = None
        for p, distance in end[1].items():
            short = self._soft[p] + self._moved(p, half) - distance
            if short <= 0.0:
                continue
            if distance - self._moved(p, half) >= memory.thresholds[p]:
                if p not in here[1]:
                    here[1].update(self._ask(here[0], [q for q in end[1] if q not in here[1]]))
                if distance >= here[1][p] - NOT_INWARD_M:
                    continue
            if worst is None or not short <= worst.short_m:
                worst = Refusal(p, short)
        return worst

    def _unproven(
        self, pairs: list[int], box: Box, anchors: list[Anchor], enough: list[float]
    ) -> list[int]:
        """Return the pairs that nothing measured proves clear by `enough` (pairs,) m on a box."""
        centre, half = box
        for posture, measured in anchors:
            if not pairs:
                return pairs
            left = []
            reach: list[float] = []
            for pair in pairs:
                if pair not in measured:
                    left.append(pair)
                    continue
                if not reach:
                    reach = [abs(c - q) + h for c, q, h in zip(centre, posture, half, strict=True)]
                spare = measured[pair] - enough[pair]
                for j, lever in self._levers[pair]:
                    spare -= lever * reach[j]
                if not spare >= 0.0:
                    left.append(pair)
            pairs = left
        return pairs

    def _moved(self, pair: int, half: Sequence[float]) -> float:
        """Return by how much a pair's distance may vary around the centre of a box."""
        moved = 0.0
        for j, lever in self._levers[pair]:
            moved += lever * half[j]
        return moved
