"""The gate for commands: order, causes of rejection, ages."""

from __future__ import annotations

import math

import pytest

from sinew_core.safety.gate import CommandGate, Rejection

MS = 1_000_000


def _gate():
    gate = CommandGate(("a", "b"), future_ns=20 * MS, old_ns=100 * MS, jump_ns=1000 * MS)
    gate.observe_state(5_000 * MS)
    return gate


def test_a_gate_puts_values_into_joint_order():
    assert _gate().check(0, 5_000 * MS, "p", ["b", "a"], [[1.0, 2.0]]) == [2.0, 1.0]


@pytest.mark.parametrize(
    ("stamp_ms", "names", "points", "why"),
    [
        (5_021, ["a", "b"], [[0.0, 0.0]], Rejection.FUTURE),
        (4_899, ["a", "b"], [[0.0, 0.0]], Rejection.OLD),
        (5_000, ["a", "a"], [[0.0, 0.0]], Rejection.NAMES),
        (5_000, ["a", "c"], [[0.0, 0.0]], Rejection.NAMES),
        (5_000, ["a"], [[0.0]], Rejection.NAMES),
        (5_000, ["a", "b", "c"], [[0.0, 0.0, 0.0]], Rejection.NAMES),
        (5_000, ["a", "b"], [[]], Rejection.LENGTH),
        (5_000, ["a", "b"], [[0.0]], Rejection.LENGTH),
        (5_000, ["a", "b"], [[0.0, math.inf]], Rejection.NOT_FINITE),
        (5_000, ["a", "b"], [[math.nan, 0.0]], Rejection.NOT_FINITE),
        (5_000, ["a", "b"], [], Rejection.POINTS),
        (5_000, ["a", "b"], [[0.0, 0.0]] * 2, Rejection.POINTS),
    ],
)
def test_a_gate_rejects_the_whole_message_and_counts_the_cause(stamp_ms, names, points, why):
    gate = _gate()
    assert gate.check(0, stamp_ms * MS, "p", names, points) is why
    assert dict(gate.rejected) == {why: 1}


def test_a_gate_takes_the_limits_of_age_but_no_stamp_twice():
    gate = _gate()
    for stamp_ms in (4_900, 5_000, 5_020):
        assert gate.check(0, stamp_ms * MS, "p", ["a", "b"], [[0.0, 1.0]]) == [0.0, 1.0]
    for stamp_ms in (5_020, 5_019):
        result = gate.check(0, stamp_ms * MS, "p", ["a", "b"], [[0.0, 1.0]])
        assert result is Rejection.OUT_OF_ORDER


def test_a_gate_without_a_state_rejects():
    gate = CommandGate(("a",), future_ns=0, old_ns=0, jump_ns=1)
    assert gate.check(0, 0, "p", ["a"], [[0.0]]) is Rejection.NO_STATE


GOOD = (["a", "b"], [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("stamp_ms", "names", "points"),
    [
        (5_000, ["x"], [[1.0]]),
        (5_000, ["a", "b"], []),
        (5_000, ["a", "b"], [[0.0]]),
        (5_000, ["a", "b"], [[math.nan, 0.0]]),
        (4_000, *GOOD),
        (6_000, *GOOD),
    ],
)
def test_only_a_command_that_is_accepted_makes_its_sender_the_source(stamp_ms, names, points):
    gate = _gate()
    assert isinstance(gate.check(0, stamp_ms * MS, "stray", names, points), Rejection)
    assert gate.source is None
    assert gate.check(0, 5_000 * MS, "policy", *GOOD) == [0.0, 0.0]
    assert gate.source == "policy"
    assert gate.foreign == 0
    # From now on it is a second source, whatever it sends.
    assert gate.check(0, stamp_ms * MS, "stray", names, points) is Rejection.SOURCE
    assert gate.check(0, 5_001 * MS, "stray", *GOOD) is Rejection.SOURCE
    assert gate.foreign == 2
    # Arming does not forget who was heard of late.
    gate.forget_source()
    assert gate.active_sources(0) == ["policy", "stray"]
