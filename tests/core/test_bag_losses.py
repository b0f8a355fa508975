"""Counting what a recording lacks."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bag_samples import read_all, states
from sinew_core.bags.background import BackgroundWriter
from sinew_core.bags.losses import SequenceGaps, StampGaps
from sinew_core.bags.writer import BagWriter
from sinew_core.errors import BagError


@given(start=st.integers(1, 10**6), lost=st.sets(st.integers(1, 98)))
def test_missing_numbers_are_counted(start, lost):
    gaps = SequenceGaps()
    for number in range(100):
        if number not in lost:
            gaps.take(start + number)
    assert gaps.lost == len(lost)


def test_numbers_of_several_publishers_say_nothing():
    gaps = SequenceGaps()
    for number in (10, 500, 11, 501):
        gaps.take(number)
    assert gaps.lost is None


@given(
    period_ns=st.integers(100_000, 20_000_000),
    lost=st.sets(st.integers(20, 700), max_size=60),
    seed=st.integers(0, 2**32 - 1),
)
def test_missing_stamps_are_counted_through_jitter(period_ns, lost, seed):
    jitter = np.random.default_rng(seed).uniform(-0.1, 0.1, 750)
    gaps = StampGaps()
    for i in range(750):
        if i not in lost:
            gaps.take(round((i + jitter[i]) * period_ns))
    # Neighbours that are missing make one gap, which jitter moves by a fifth of a period at most.
    assert gaps.lost == len(lost)


def test_a_rate_that_changes_and_a_clock_set_back_are_no_loss():
    gaps = StampGaps()
    for i in range(600):
        gaps.take(i * 1_000_000)
    for i in range(600):
        gaps.take(i * 8_000_000)
    assert gaps.lost <= 200  # the block in which the rate changes


def test_nothing_is_lost_and_nothing_waits_for_the_disk(tmp_path):
    gate = threading.Event()

    class Held(BagWriter):
        def write(self, *message):
            gate.wait(20.0)
            super().write(*message)

    messages = states(1000)
    writer = BackgroundWriter(lambda: Held(tmp_path / "bag"))
    assert all(writer.put(*message) for message in messages)
    gate.set()
    writer.close()
    assert writer.dropped == 0
    assert read_all(tmp_path / "bag") == messages


def test_what_does_not_fit_into_the_queue_is_counted(tmp_path):
    gate = threading.Event()

    class Held(BagWriter):
        def write(self, *message):
            gate.wait(20.0)
            super().write(*message)

    messages = states(1000)
    size = len(messages[0][2])
    writer = BackgroundWriter(lambda: Held(tmp_path / "bag"), max_bytes=100 * size)
    taken = [message for message in messages if writer.put(*message)]
    assert len(taken) == 100
    assert writer.dropped == 900
    gate.set()
    writer.close()
    assert read_all(tmp_path / "bag") == taken


def test_an_error_of_the_disk_reaches_whoever_closes(tmp_path):
    class Full(BagWriter):
        def write(self, *message):
            raise BagError("the disk is full")

    writer = BackgroundWriter(lambda: Full(tmp_path / "bag"))
    writer.put(*states(1)[0])
    with pytest.raises(BagError, match="the disk is full"):
        writer.close()
    assert isinstance(writer.error, BagError)
    with pytest.raises(BagError, match="exists"):
        BackgroundWriter(lambda: BagWriter(tmp_path / "bag"))
