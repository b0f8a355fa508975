"""How a program starts: what Ctrl-C does while it is imported, and what its `main` sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from sinew_core.start import start

PROGRAM = """
import os, signal, sys, time
if "importing" in sys.argv:
    os.kill(os.getpid(), signal.SIGINT)
    print("goes on")


def main():
    print(sys.argv[1:])
    if "running" in sys.argv:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60.0)
    return 3
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)

    def run(*words, node=False, before=signal.SIG_DFL):
        return subprocess.run(
            [*start("program", node=node), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50.0,
            preexec_fn=lambda: signal.signal(signal.SIGINT, before),
        )

    return run


def test_main_sees_its_own_arguments_and_its_status_counts(run):
    done = run("a:=b c", "-x")
    assert (done.returncode, done.stdout, done.stderr) == (3, "['a:=b c', '-x']\n", "")


@pytest.mark.parametrize(("node", "status"), [(False, 130), (True, 0)])
def test_ctrl_c_while_it_is_imported_ends_it_without_a_word(run, node, status):
    done = run("importing", node=node)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize(("node", "status"), [(False, 130), (True, 0)])
def test_ctrl_c_that_main_does_not_deal_with_is_no_traceback(run, node, status):
    done = run("running", node=node)
    assert (done.returncode, done.stdout, done.stderr) == (status, "['running']\n", "")


def test_ctrl_c_that_was_kept_back_ends_it_before_the_import(run, tmp_path):
    def interrupted():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.kill(os.getpid(), signal.SIGINT)

    done = subprocess.run(
        start("program"), cwd=tmp_path, capture_output=True, text=True, preexec_fn=interrupted
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_in_the_background_ctrl_c_stays_ignored(run):
    done = run("importing", before=signal.SIG_IGN)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == "goes on\n['importing']\n"


def test_what_does_not_exist_is_said(run, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sinew_core.start", "no_such_program"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "No module named 'no_such_program'" in done.stderr
