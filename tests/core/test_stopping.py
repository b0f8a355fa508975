"""Ctrl-C that has to wait."""

from __future__ import annotations

import signal

import pytest

from sinew_core.sysid.stopping import uninterrupted


@pytest.fixture(autouse=True)
def interrupts():
    """Let SIGINT interrupt, which a shell keeps from what it starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_meanwhile_is_remembered_and_does_not_interrupt():
    with uninterrupted() as request:
        assert not request.asked
        signal.raise_signal(signal.SIGINT)
        assert request.asked


def test_a_signal_afterwards_interrupts_again():
    with uninterrupted() as request:
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not request.asked
