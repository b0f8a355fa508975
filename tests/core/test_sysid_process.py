"""The process behind the system_id and gap nodes: how it ends, also when it is left alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
import yaml

import report_samples as samples
from sinew_sysid.job_process import JobProcess


@pytest.fixture
def parameters(tmp_path):
    samples.write_bag(samples.record(samples.TRUE, 4.0, seed=3), tmp_path / "bag")
    controller = tmp_path / "controller.yaml"
    known = {"mode": "position", "kp": samples.KP, "kd": samples.KD, "gravity_compensation": True}
    controller.write_text(yaml.safe_dump(known))
    paths = {"bag": tmp_path / "bag", "controller": controller, "output": tmp_path / "out"}
    return {name: str(path) for name, path in paths.items()}


def test_a_fit_whose_node_is_gone_leaves_its_results(parameters, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "sinew_core.sysid.process", "system_id"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(f"{json.dumps({**parameters, 'workers': 1})}\n".encode())
    process.stdin.flush()
    for line in process.stdout:
        progress = json.loads(line).get("progress", {})
        if progress.get("stage") == "fit" and progress["step"]:
            break
    process.stdin.close()
    process.stdout.close()
    told = process.stderr.read().decode()
    assert process.wait(60.0) == 0, told
    assert "Traceback" not in told
    assert json.loads((tmp_path / "out" / "report.json").read_text())["interrupted"]


@pytest.mark.parametrize("wait_s", [0.0, 0.3, 1.0])
def test_ctrl_c_before_the_job_begins_ends_it_in_one_line(parameters, capfd, wait_s):
    process = JobProcess("system_id", parameters)
    time.sleep(wait_s)
    assert process.end()
    (told,) = (t for t in process.told() if "error" in t)
    assert told["error"] == "stopped before there was anything to keep"
    assert process.status() == 1
    assert capfd.readouterr().err == ""


def test_ctrl_c_within_a_destructor_still_interrupts():
    """Python itself would only print such an interrupt, and the fit would go on."""
    program = """
import signal, sys, time
from sinew_core.sysid import process

class Interrupted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def job(values, tell):
    Interrupted()
    time.sleep(60.0)

from sinew_core.sysid import jobs
jobs.JOBS["destructor"] = job
sys.exit(process.main(["destructor"]))
"""
    words = [sys.executable, "-c", program]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, text=True, **pipes) as process:
        process.stdin.write("{}\n")
        process.stdin.flush()  # and left open: its end interrupts, too
        assert process.wait(50.0) == 1
        assert process.stderr.read() == ""
        told = json.loads(process.stdout.read())
    assert told == {"error": "stopped before there was anything to keep"}
