"""Processes that the server of nodes forks are what `python -m` starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from node_server import NodeServers

PROGRAM = """
import json, os, signal, sys, threading, time
import rclpy

if __name__ == "__main__":
    told = {
        "arguments": sys.argv[1:],
        "home": os.environ["ROS_HOME"],
        "folder": os.getcwd(),
        "parent": os.getppid(),
        "session": os.getsid(0) == os.getpid(),
        "module": sys.modules["__main__"].__spec__.name,
        "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "native_threads": len(os.listdir("/proc/self/task")),
        "files": sorted(os.readlink(f"/proc/self/fd/{n}") for n in range(3, 30)
                        if os.path.exists(f"/proc/self/fd/{n}")),
    }
    print(json.dumps(told), flush=True)
    if sys.argv[1] == "fail":
        raise ValueError("an error")
    if sys.argv[1] == "wait":
        time.sleep(60)
    sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def begin(tmp_path, environment):
    (tmp_path / "told_program.py").write_text(PROGRAM)
    given = {**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}{os.pathsep}{tmp_path}"}

    def started(servers, *arguments):
        log = tmp_path / "_".join(arguments)
        return servers.start("told_program", arguments, given, log), log

    servers = NodeServers()
    yield lambda *arguments: started(servers, *arguments)
    servers.close()


def first_line(log):
    deadline = time.monotonic() + 20.0
    while not log.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return json.loads(log.read_text().splitlines()[0])


def test_a_process_is_the_test_s_own_child_and_runs_as_python_m_does(begin, environment):
    process, log = begin("3", "--ros-args")
    assert process.wait(20.0) == 3
    told = first_line(log)
    assert told["arguments"] == ["3", "--ros-args"]
    assert told["home"] == environment["ROS_HOME"]
    assert told["folder"] == str(Path.cwd())
    assert told["parent"] == os.getpid()
    assert told["session"]
    assert told["module"] == "told_program"
    assert told["interrupt"]
    assert told["blocked"] == 0
    assert told["files"] == []


def test_a_process_has_the_threads_of_one_started_plainly(begin, environment, tmp_path):
    process, log = begin("0")
    assert process.wait(20.0) == 0
    path = f"{environment['PYTHONPATH']}{os.pathsep}{tmp_path}"
    plain = subprocess.run(
        [sys.executable, "-m", "told_program", "0"],
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        check=True,
        timeout=60.0,
    )
    assert first_line(log)["native_threads"] == json.loads(plain.stdout)["native_threads"]


def test_an_error_is_shown_and_ends_with_status_1(begin):
    process, log = begin("fail")
    assert process.wait(20.0) == 1
    assert "ValueError: an error" in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGABRT])
def test_a_signal_ends_a_process_and_is_its_status(begin, number):
    process, log = begin("wait")
    first_line(log)
    assert process.poll() is None
    process.send_signal(number)
    assert process.wait(20.0) == -number
    process.send_signal(number)  # nobody else has its number now


def test_ctrl_c_interrupts_a_process(begin):
    process, log = begin("wait")
    first_line(log)
    process.send_signal(signal.SIGINT)
    assert process.wait(20.0) == -signal.SIGINT
    assert "KeyboardInterrupt" in log.read_text()


def test_a_stopped_process_stands_still_and_ends_nothing(begin):
    process, log = begin("wait")
    first_line(log)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    assert state == "T"
    process.kill()
    assert process.wait(20.0) == -signal.SIGKILL


def test_processes_die_with_who_started_them(environment, tmp_path):
    (tmp_path / "told_program.py").write_text(PROGRAM)
    path = f"{environment['PYTHONPATH']}{os.pathsep}{tmp_path}{os.pathsep}{Path(__file__).parent}"
    code = (
        "import os, pathlib, time, node_server\n"
        f"log = pathlib.Path({str(tmp_path / 'log')!r})\n"
        "process = node_server.NodeServers().start('told_program', ['wait'], os.environ, log)\n"
        "while not log.read_text().endswith('\\n'): time.sleep(0.01)\n"
        "print(process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        timeout=60.0,
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + 20.0
    while Path(f"/proc/{pid}").exists():
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # whoever is to take its status has not yet
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)
