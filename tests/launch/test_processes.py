import os
import signal
import sys
import time
from pathlib import Path

import pytest

from sinew_bringup.processes import Command, System
from sinew_core.errors import ConfigError

WAIT = "import sys, time; print('ready', flush=True); time.sleep(60)"
WAIT_POLITELY = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n"
    "print('ready', flush=True)\n"
    "time.sleep(60)\n"
)
STUBBORN = (
    "import signal, time\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('ready', flush=True)\n"
    "time.sleep(60)\n"
)


def python(label, code, required=False):
    return Command(label=label, arguments=(sys.executable, "-c", code), required=required)


def run(*commands, on_line=lambda line: None, patience_s=(5.0, 0.2, 5.0)):
    lines = []

    def write(line):
        lines.append(line)
        on_line(line)

    status = System(commands, write, patience_s).run()
    return status, lines


def alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, timeout_s=10.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come true in time"
        time.sleep(0.01)


def interrupt_when_ready(line):
    if line.endswith("ready\n"):
        os.kill(os.getpid(), signal.SIGINT)


def test_each_line_carries_the_label_of_its_process():
    status, lines = run(
        python("talker", "print('one'); print('two'); print('open end', end='')"),
    )
    assert status == 0
    assert lines == ["[talker] one\n", "[talker] two\n", "[talker] open end\n"]


def test_error_output_is_passed_on_too():
    _, lines = run(python("talker", "import sys; sys.stderr.write('oh')"))
    assert lines == ["[talker] oh\n"]


def test_output_larger_than_a_pipe_arrives_whole():
    status, lines = run(
        python(
            "talker",
            "print('x' * 99 + '\\n' * 1, end='') or [print('y' * 99) for _ in range(9999)]",
        )
    )
    assert status == 0
    assert len(lines) == 10000


def test_the_end_of_a_required_process_ends_the_others():
    status, lines = run(python("task", "", required=True), python("other", WAIT_POLITELY))
    assert status == 0
    assert "[launch] task has ended: ending the others\n" in lines


def test_a_required_process_that_fails_makes_the_status_nonzero():
    status, lines = run(
        python("task", "raise SystemExit(3)", required=True), python("other", WAIT_POLITELY)
    )
    assert status == 1
    assert "[task] ended with exit status 3\n" in lines


def test_a_process_that_is_not_required_may_end_without_ending_the_others(tmp_path):
    pid_file = tmp_path / "pid"
    short = f"import os, pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))"
    ready_when_short_is_gone = (
        "import pathlib, time\n"
        f"file = pathlib.Path({str(pid_file)!r})\n"
        "while not file.exists() or not file.read_text(): time.sleep(0.01)\n"
        "while pathlib.Path('/proc', file.read_text()).exists(): time.sleep(0.01)\n"
    )
    status, lines = run(
        python("short", short),
        python("long", ready_when_short_is_gone + WAIT_POLITELY),
        on_line=interrupt_when_ready,
    )
    assert status == 0
    assert lines == ["[long] ready\n"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_launcher_ends_all_cleanly(number):
    def on_line(line):
        if "ready" in line:
            os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may be under nohup
    try:
        status, lines = run(
            python("node", WAIT_POLITELY), on_line=on_line, patience_s=(30.0, 5.0, 5.0)
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (status, lines) == (0, ["[node] ready\n"])


def test_a_launcher_that_hangups_are_kept_from_goes_on():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does

    def hang_up_then_end(line):
        if line == "[node] ready\n":
            os.kill(os.getpid(), signal.SIGHUP)
        elif line == "[node] later\n":
            os.kill(os.getpid(), signal.SIGINT)

    talk = "import time\nprint('ready', flush=True)\ntime.sleep(0.2)\nprint('later', flush=True)\n"
    try:
        _, lines = run(python("node", talk + WAIT_POLITELY), on_line=hang_up_then_end)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert "[node] later\n" in lines


def test_output_that_nobody_can_read_any_more_ends_all_cleanly():
    def on_line(line):
        raise OSError("the terminal is closed")

    status, _ = run(python("node", WAIT_POLITELY), on_line=on_line)
    assert status == 0


def test_a_process_that_ignores_signals_is_killed_and_reported():
    status, lines = run(
        python("stubborn", STUBBORN), on_line=interrupt_when_ready, patience_s=(0.1, 0.1, 5.0)
    )
    assert status == 1
    assert lines[1:] == [
        "[launch] stubborn still runs: sending SIGTERM\n",
        "[launch] stubborn still runs: sending SIGKILL\n",
        "[stubborn] ended with signal SIGKILL\n",
    ]


def test_a_second_signal_does_not_wait_for_the_patience():
    ignores_sigint = (
        "import signal, time\n"
        "def later(*_):\n"
        "    time.sleep(1.2)\n"
        "    print('ready', flush=True)\n"
        "signal.signal(signal.SIGINT, later)\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    start_s = time.monotonic()
    _, lines = run(
        python("node", ignores_sigint), on_line=interrupt_when_ready, patience_s=(60.0, 60.0, 60.0)
    )
    assert lines[-1] == "[node] ended with signal SIGTERM\n"
    assert time.monotonic() - start_s < 60.0


def test_a_signal_that_comes_twice_at_once_leaves_the_time_to_end():
    takes_a_while = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    print('ending', flush=True)\n"
        "    time.sleep(0.5)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )

    def as_timeout_does(line):
        if line in ("[node] ready\n", "[node] ending\n"):
            os.kill(os.getpid(), signal.SIGTERM)

    status, lines = run(python("node", takes_a_while), on_line=as_timeout_does)
    assert (status, lines) == (0, ["[node] ready\n", "[node] ending\n"])


def test_a_file_that_cannot_be_run_is_named(tmp_path):
    script = tmp_path / "node"
    script.write_text("no first line that names an interpreter\n")
    script.chmod(0o755)
    command = Command(label="node", arguments=(str(script),), required=True)
    with pytest.raises(ConfigError, match=r"node cannot be started: .*check that the file"):
        run(python("other", WAIT), command)


def test_what_a_process_leaves_behind_ends_with_it():
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {WAIT!r}])\n"
        "print(child.pid, flush=True)\n"
    )
    status, lines = run(python("parent", parent))
    assert status == 0
    pid = next(int(word) for line in lines for word in line.split() if word.isdigit())
    wait_until(lambda: not alive(pid))


def test_the_children_of_a_killed_launcher_die(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    launcher = (
        "import sys\n"
        "from sinew_bringup.processes import Command, System, to_stdout\n"
        "code = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'\n"
        "command = Command(label='x', arguments=(sys.executable, '-c', code), required=False)\n"
        "System([command], to_stdout).run()\n"
    )

    class LauncherIsUpError(Exception):
        pass

    def kill_the_launcher(line):
        # Leaving System.run by an exception kills what it runs at once.
        raise LauncherIsUpError(line)

    with pytest.raises(LauncherIsUpError, match=r"^\[launcher\] \[x\] \d+") as raised:
        run(python("launcher", launcher), on_line=kill_the_launcher)
    pid = int(str(raised.value).split()[-1])
    wait_until(lambda: not alive(pid))
