"""One cycle of many arms through the certified filters, up to what needs exact distances.

The loop that `certified_twin` compiles.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import NamedTuple

from sinew_core.safety.certified_equations import (
    BRAKE,
    WISH,
    commit_velocities,
    propose_velocities,
)
from sinew_core.safety.certified_positions import commit_positions, propose_positions
from sinew_core.safety.equations import NO_CAUSE, OBSERVER_EMPTY, Row, Rows
from sinew_core.safety.hull import is_covered, is_near, recentre, write_hull
from sinew_core.safety.pair_memory import Array


class KnownPairs(NamedTuple):
    """What is known of the pairs of many arms: `pair_memory.PairMemory`, the arm in front."""

    levers: Rows
    anchors: Array
    distances: Array
    enough: Array
    references: Array
    weights: Array
    caps: Array


def propose(
    positions: bool,
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    history: Sequence[Row],
    head: int,
    desired: Row,
    measured: Row,
    fresh: bool,
    brake: bool,
    cap: Row,
    out: MutableSequence[float],
    causes: MutableSequence[int],
) -> int:
    """Propose positions or velocities for one arm."""
    if positions:
        return propose_positions(
            joints, model, state, history, head, desired, measured, fresh, brake, cap, out, causes
        )
    return propose_velocities(
        joints, model, state, history, head, desired, measured, fresh, brake, cap, out, causes
    )


def is_clear(joints: Sequence[Row], model: Row, state: Rows, known: KnownPairs, arm: int) -> bool:
    """Tell whether what is known of the pairs proves WISH, or it needs no proof."""
    moves = False
    for j in range(len(joints[0])):
        if state[WISH][j] != state[BRAKE][j]:
            moves = True
    if not moves:
        return True
    write_hull(joints, model, state)
    reference, weights = known.references[arm], known.weights[arm]
    if is_near(state, reference, weights):
        return True
    anchors, distances, enough = known.anchors[arm], known.distances[arm], known.enough[arm]
    if not is_covered(state, known.levers, anchors, distances, enough):
        return False
    recentre(state, known.levers, anchors, distances, enough, reference, weights)
    return True


def count(causes: Row, interventions: MutableSequence[int]) -> None:
    """Count the changed joints of an arm."""
    for j in range(len(causes)):
        if causes[j] != NO_CAUSE:
            interventions[j] += 1


def step_certified_arms(
    positions: bool,
    joints: Sequence[Row],
    model: Row,
    states: Sequence[Rows],
    histories: Sequence[Rows],
    head: int,
    desired: Sequence[Row],
    measured: Sequence[Row],
    fresh: bool,
    known: KnownPairs,
    out: Rows,
    causes: Sequence[MutableSequence[int]],
    interventions: Sequence[MutableSequence[int]],
    faults: MutableSequence[int],
    pending: MutableSequence[int],
) -> int:
    """Run one cycle of every arm; finish it for those that need no exact distance.

    Returns how many are left: those with a 1 in `pending` (arms,).
    """
    left = 0
    for arm in range(len(states)):
        state, history, cap = states[arm], histories[arm], known.caps[arm]
        latched = faults[arm] == OBSERVER_EMPTY
        asked = desired[arm], measured[arm], fresh, latched, cap, out[arm], causes[arm]
        fault = propose(positions, joints, model, state, history, head, *asked)
        faults[arm] = OBSERVER_EMPTY if latched else fault
        clear = is_clear(joints, model, state, known, arm)
        pending[arm] = 0 if clear else 1
        if not clear:
            left += 1
            continue
        recent = history[(head + 1) % len(history)]
        if positions:
            commit_positions(model, state, recent, out[arm])
        else:
            commit_velocities(state, recent, out[arm])
        count(causes[arm], interventions[arm])
    return left
