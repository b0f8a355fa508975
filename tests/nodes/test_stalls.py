"""The clocks that tell when the machine itself stood still during `./sinew bench faults`."""

import math
import signal
import subprocess
import time

import pytest

from benchmarks.faults.hog import may_hog
from benchmarks.faults.stalls import Stalls

STANDSTILL_S = 0.05


@pytest.mark.skipif(not may_hog(), reason="needs a second core, and real-time priorities")
def test_a_standstill_is_told_with_its_time(tmp_path):
    with Stalls(tmp_path) as clocks:
        clock: subprocess.Popen[bytes] = clocks._clocks[0]
        begin_s = time.monotonic()
        while not clocks.any_since(begin_s):  # not before the clock has started
            assert time.monotonic() < begin_s + 30.0
            clock.send_signal(signal.SIGSTOP)
            time.sleep(STANDSTILL_S)
            clock.send_signal(signal.SIGCONT)
            time.sleep(STANDSTILL_S)
        assert not clocks.any_since(math.inf)
    assert clock.poll() is not None


def test_without_clocks_nothing_is_told(tmp_path):
    assert not Stalls(tmp_path).any_since(0.0)
