"""A process whose middleware hangs with Python's lock held still ends, with its own status."""

from __future__ import annotations

import subprocess
import sys

import pytest

# PyDLL keeps Python's lock: `pause` stops every thread of Python, as a hanging destructor does.
HANG = "import ctypes; ctypes.PyDLL(None).pause()"


def run(*lines: str) -> int:
    code = "\n".join(["from sinew_ros.exit_timer import ExitTimer", *lines])
    return subprocess.run([sys.executable, "-c", code], timeout=60.0).returncode


@pytest.mark.parametrize("status", [0, 1, 130])
def test_the_process_ends_with_the_status_asked_for(status):
    assert run(f"ExitTimer(0.05, {status})", HANG) == status


def test_a_timer_that_is_cancelled_does_nothing():
    wait = "import time; time.sleep(0.3)"
    assert run("timer = ExitTimer(0.1, 7)", "timer.cancel()", wait, "raise SystemExit(3)") == 3


def test_a_node_that_hangs_in_its_end_says_where_and_keeps_its_status(tmp_path):
    program = tmp_path / "hangs.py"
    program.write_text(
        "import sys\n"
        "from sinew_ros.main import SinewNode, run_node\n"
        "class Hangs(SinewNode):\n"
        "    def __init__(self):\n"
        "        super().__init__('hangs')\n"
        "        self.cycle_period_s = 0.01\n"
        "    def cycle(self, missed):\n"
        "        self.finish()\n"
        "    def destroy_node(self):\n"
        f"        {HANG}\n"
        "sys.exit(run_node(Hangs))\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60.0
    )
    assert done.returncode == 0, done.stderr
    assert "in destroy_node" in done.stderr
