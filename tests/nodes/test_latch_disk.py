"""Emergency stops of the safety filter while its disk hangs or is full."""

from __future__ import annotations

import pytest
from patience import PATIENT
from std_srvs.srv import Trigger
from test_graph import DRIVER, FILTER, Graph

pytestmark = pytest.mark.graph


class Disk:
    """Makes the disk of `nodes.bad_disk` hang, or be full."""

    def __init__(self, home):
        self.home = home

    def begin(self, fault):
        self.home.mkdir(exist_ok=True)
        (self.home / fault).touch()

    def end(self, fault):
        (self.home / fault).unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path / "ros_home")


@pytest.fixture
def rig(start_node, probe, disk):
    """Return an arm that moves, with a filter on a bad disk; the driver does not stop by itself."""
    start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 0.0})
    process = start_node("nodes.bad_disk", PATIENT)
    graph = Graph(probe)
    graph.process = process
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.25, "motion")
    yield graph
    disk.end("hangs")


def test_a_stop_brakes_while_the_disk_hangs_and_is_answered_once_it_is_written(rig, disk):
    latch = disk.home / "sinew" / "panda.latch"
    disk.begin("hangs")
    stop = rig.probe.node.create_client(Trigger, "safety_filter/stop")
    rig.probe.until(stop.service_is_ready, "the service")
    answer = stop.call_async(Trigger.Request())
    rig.probe.until(lambda: rig.speed() < 1e-3, "rest")
    assert not latch.exists()
    disk.end("hangs")
    rig.wait_for("latched")
    rig.probe.until(answer.done, "the answer")
    rig.probe.until(latch.exists, "the latch")
    assert latch.read_text() == "~/stop was called\nwhose: robot panda, namespace /\n"
    rig.probe.until(lambda: "latch_problem" not in rig.filter_report(), "no problem")


def test_a_latch_that_a_full_disk_does_not_take_is_told_and_written_when_it_does(
    rig, disk, start_node
):
    disk.begin("full")
    answer = rig.trigger("safety_filter/stop")
    assert not answer.success
    assert "panda.latch cannot be written (No space left on device)" in answer.message
    rig.wait_for("latched")
    assert "cannot be written" in rig.filter_report()["latch_problem"]
    rig.probe.until(lambda: rig.speed() < 1e-3, "rest")
    assert "cannot be written" in rig.arm().message
    disk.end("full")
    rig.probe.until(lambda: "latch_problem" not in rig.filter_report(), "a written latch")
    rig.process.kill()
    start_node(FILTER, PATIENT)
    rig.reports.clear()
    rig.wait_for("latched")
    assert rig.filter_report()["reason"] == "~/stop was called"


def test_a_disk_that_hangs_does_not_keep_the_node_from_ending(rig, disk):
    disk.begin("hangs")
    stop = rig.probe.node.create_client(Trigger, "safety_filter/stop")
    rig.probe.until(stop.service_is_ready, "the service")
    stop.call_async(Trigger.Request())
    rig.probe.until(lambda: rig.speed() < 1e-3, "rest")
    assert rig.process.interrupt() == 0
    assert "panda.latch cannot be written (the disk has not answered for 2 s)" in rig.process.output
