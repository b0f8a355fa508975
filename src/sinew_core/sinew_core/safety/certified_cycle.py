"""One cycle of many arms through the certified filters, up to what needs exact distances.

The loop that `certified_twin` compiles.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from sinew_core.safety.certified_equations import (
    BRAKE,
    WISH,
    commit_velocities,
    propose_velocities,
)
from sinew_core.safety.certified_positions import commit_positions, propose_positions
from sinew_core.safety.equations import NO_CAUSE, OBSERVER_EMPTY, Row, Rows
from sinew_core.safety.hull import is_covered, is_near, recentre, write_hull


def is_clear(
    joints: Sequence[Row],
    model: Row,
    state: Rows,
    levers: Rows,
    anchors: Rows,
    distances: Row,
    enough: Row,
    reference: MutableSequence[float],
    weights: MutableSequence[float],
) -> bool:
    """Tell whether what is known of the pairs proves WISH, or it needs no proof."""
    moves = False
    for j in range(len(reference)):
        if state[WISH][j] != state[BRAKE][j]:
            moves = True
    if not moves:
        return True
    write_hull(joints, model, state)
    if is_near(state, reference, weights):
        return True
    if not is_covered(state, levers, anchors, distances, enough):
        return False
    recentre(state, levers, anchors, distances, enough, reference, weights)
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
    levers: Rows,
    anchors: Sequence[Rows],
    distances: Sequence[Row],
    enough: Sequence[Row],
    references: Rows,
    weights: Rows,
    caps: Sequence[Row],
    out: Rows,
    causes: Sequence[MutableSequence[int]],
    interventions: Sequence[MutableSequence[int]],
    faults: MutableSequence[int],
    pending: MutableSequence[int],
) -> int:
    """Run one cycle of every arm; finish it for those that need no exact distance.

    Shapes as `certificate.PairMemory` with the arm in front. Returns how many are left: those with
    a 1 in `pending` (arms,).
    """
    left = 0
    for arm in range(len(states)):
        latched = faults[arm] == OBSERVER_EMPTY
        if positions:
            fault = propose_positions(
                joints,
                model,
                states[arm],
                histories[arm],
                head,
                desired[arm],
                measured[arm],
                fresh,
                latched,
                caps[arm],
                out[arm],
                causes[arm],
            )
        else:
            fault = propose_velocities(
                joints,
                model,
                states[arm],
                histories[arm],
                head,
                desired[arm],
                measured[arm],
                fresh,
                latched,
                caps[arm],
                out[arm],
                causes[arm],
            )
        faults[arm] = OBSERVER_EMPTY if latched else fault
        clear = is_clear(
            joints,
            model,
            states[arm],
            levers,
            anchors[arm],
            distances[arm],
            enough[arm],
            references[arm],
            weights[arm],
        )
        pending[arm] = 0 if clear else 1
        if not clear:
            left += 1
            continue
        recent = histories[arm][(head + 1) % len(histories[arm])]
        if positions:
            commit_positions(model, states[arm], recent, out[arm])
        else:
            commit_velocities(states[arm], recent, out[arm])
        count(causes[arm], interventions[arm])
    return left
