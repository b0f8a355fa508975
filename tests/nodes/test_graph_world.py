"""Episodes over a graph whose filter reports late; this test plays driver and filter."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from policy_rig import HOME, MS, PANDA, START, state
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from sinew_core.tasks.setup import TaskSetup
from sinew_core.training.graph.environment import Interrupted
from sinew_ros.qos import RELIABLE
from sinew_trainer.graph_parameters import GraphTrainParameters
from sinew_trainer.graph_world import GraphWorld

pytestmark = [pytest.mark.graph, pytest.mark.beside]

AT_REST = np.zeros(len(HOME))


class Arm:
    """A `GraphWorld`, and the driver and the filter that it sees.

    The filter does at once what it is asked for, and reports what and when the test says.
    """

    def __init__(self, probe, pool):
        self.probe, self._pool = probe, pool
        self.asked, self._stamps = [], count(START, 10 * MS)
        self.newest_ns = 0
        p = GraphTrainParameters(pace="realtime", reset="none")
        setup = TaskSetup.make(PANDA, "joint_velocity")
        self.world = GraphWorld(probe.node, p, setup, "")
        probe.node.create_service(SetBool, "safety_filter/arm", self._arm)
        self._states = probe.publisher(JointState, "joint_states", RELIABLE)
        self._reports = probe.publisher(DiagnosticArray, "diagnostics", RELIABLE)
        self._commands = probe.listen(JointTrajectory, "policy/command", RELIABLE)
        self._heard = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)

    def _arm(self, request, response):
        self.asked.append(request.data)
        response.success, response.message = True, "armed" if request.data else "disarmed"
        return response

    def go_on(self):
        """Send the next joint state."""
        self.newest_ns = next(self._stamps)
        self._states.publish(state(self.newest_ns, velocity=AT_REST))

    def report(self, name, until_ns):
        """Report a state of the filter, and wait until it was heard."""
        values = {"state": name, "reason": "disarmed", "armed_until_ns": until_ns}
        pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        status = DiagnosticStatus(name="safety_filter", values=pairs)
        number = len(self._heard)
        self._reports.publish(DiagnosticArray(status=[status]))
        self.until(lambda: len(self._heard) > number, f"the report '{name}'")

    def until(self, condition, what):
        def polled():
            self.world.poll()
            return condition()

        self.probe.until(polled, what)

    def start(self, call, *given):
        """Have the thread of the episodes call something; return its future."""
        return self._pool.submit(call, *given)

    def answer(self, future):
        self.until(future.done, "an answer")
        return future.result()

    def until_a_state_is_taken(self, future):
        """Send states until one is handed over; return it."""
        before = self.world.steps
        self.until(
            lambda: self.world.steps > before or future.done() or self.go_on(), "a state of a tick"
        )
        return self.answer(future)

    def step(self):
        """Answer a control tick; return the state of the next."""
        number = len(self._commands)
        future = self.start(self.world.step, AT_REST)
        self.until(lambda: len(self._commands) > number, "the command")
        return self.until_a_state_is_taken(future)

    def miss_a_tick(self):
        """Send states that are not answered."""
        self.until(lambda: self.world.interruptions or self.go_on(), "a missed tick")
        future = self.start(self.world.step, AT_REST)
        with pytest.raises(Interrupted, match="a control tick was missed"):
            self.answer(future)
        self.answer(self.start(self.world.end))


@pytest.fixture
def arm(probe):
    with ThreadPoolExecutor(1) as pool:
        made = Arm(probe, pool)
        yield made
        made.world.close()


def begin(arm):
    return arm.start(arm.world.begin)


def test_reports_of_an_episode_before_do_not_end_the_next(arm):
    arm.report("disarmed", 0)
    arm.until_a_state_is_taken(begin(arm))
    arm.miss_a_tick()
    assert arm.asked == [False, True]
    until_ns = arm.newest_ns
    future, before, late_s = begin(arm), arm.world.steps, time.monotonic() + 1.0

    def as_late_as_can_be():
        begun = arm.world.steps > before
        return begun or time.monotonic() > late_s or arm.go_on()

    arm.until(as_late_as_can_be, "the next episode")
    arm.report("armed", until_ns)
    arm.report("disarmed", until_ns)
    arm.until_a_state_is_taken(future)
    assert arm.asked == [False, True, False, True]
    arm.report("armed", arm.newest_ns)
    for _ in range(5):
        assert arm.step().stamp_ns == arm.newest_ns
    end = arm.start(arm.world.end)
    arm.until(lambda: len(arm.asked) == 5, "disarming")
    arm.report("disarmed", arm.newest_ns)
    assert arm.answer(end) == arm.newest_ns
