"""Signals that end a command: SIGTERM and SIGHUP as Ctrl-C, and none that is ignored."""

import signal

import pytest

from sinew_core.training.stop import StopOnSignal
from sinew_trainer.ending import Ended, ended_by_signals, status_of

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers():
    """Begin with the handlers of a command in a terminal; leave those that were there."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "status"), zip(NUMBERS, (130, 143, 129), strict=True))
def test_a_signal_interrupts_and_gives_the_status_of_a_shell(number, status):
    with pytest.raises(KeyboardInterrupt) as raised, ended_by_signals():
        signal.raise_signal(number)
    assert status_of(raised.value) == status


def test_the_end_is_disturbed_by_no_second_signal_but_ctrl_c():
    with ended_by_signals():
        with pytest.raises(Ended):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_hangup_that_is_ignored_ends_nothing():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    stop = StopOnSignal()
    with ended_by_signals():
        signal.raise_signal(signal.SIGHUP)
    assert not stop()


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_a_request_to_a_training(number):
    stop = StopOnSignal()
    assert not stop()
    signal.raise_signal(number)
    assert stop()
    assert stop.number == number
