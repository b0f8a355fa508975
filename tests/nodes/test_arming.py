"""What a node asks of the arm before it moves, of servers that this test plays itself."""

from __future__ import annotations

import math
import time
from itertools import count

import pytest
from std_srvs.srv import SetBool, Trigger

from sinew_core.errors import RunError
from sinew_ros.arming import Arming
from sinew_ros.stamps import NS_PER_S

pytestmark = [pytest.mark.graph, pytest.mark.beside]

MS = NS_PER_S // 1000


@pytest.fixture
def servers(probe):
    """Create a filter and a driver that agree to everything."""
    asked = []

    def agree(name, message):
        def answer(request, response):
            asked.append((name, getattr(request, "data", None)))
            response.success, response.message = True, message
            return response

        return answer

    probe.node.create_service(SetBool, "safety_filter/arm", agree("arm", "fine"))
    probe.node.create_service(Trigger, "sim_driver/reset", agree("reset", "fine"))
    return asked


@pytest.fixture
def begun(probe, servers):
    """Begin an episode; return the function that goes on, while states come, until it is armed."""
    arming = Arming(probe.node, safety_filter="safety_filter", driver="sim_driver")
    armed, stamps = [], count(1)
    probe.until(lambda: not arming.missing, "the servers")
    arming.begin(lambda: armed.append(True))

    def is_armed():
        arming.poll()
        arming.state(next(stamps))
        return armed

    return is_armed


def test_the_arm_is_disarmed_placed_and_armed(probe, servers, begun):
    probe.until(begun, "arming")
    assert servers == [("arm", False), ("reset", None), ("arm", True)]


def test_a_request_whose_answer_was_lost_is_repeated(probe, servers, begun):
    service = next(s for s in probe.node.services if s.srv_name.endswith("safety_filter/arm"))
    lost = None
    while lost is None:
        lost, _ = service.handle.service_take_request(SetBool.Request)
    assert lost.data is False
    probe.until(begun, "arming")
    assert servers == [("arm", False), ("reset", None), ("arm", True)]


class Filter:
    """A safety filter that brakes for some calls, and refuses for some seconds."""

    def __init__(self, probe, *, brakes=0, latched=False, clears_after_s=0.0, arms_after_s=0.0):
        self.brakes, self.latched, self.asked = brakes, latched, []
        self.clears_after_s, self.arms_after_s = clears_after_s, arms_after_s
        self._first_s = None
        probe.node.create_service(SetBool, "safety_filter/arm", self._arm)
        probe.node.create_service(Trigger, "safety_filter/clear", self._clear)

    def _since_s(self):
        self._first_s = time.monotonic() if self._first_s is None else self._first_s
        return time.monotonic() - self._first_s

    def _arm(self, request, response):
        self.asked.append(request.data)
        if request.data:
            response.success = self._since_s() >= self.arms_after_s
            response.message = "armed" if response.success else "joint states are stale"
            return response
        response.success, response.message = not self.latched, "disarmed"
        if self.latched:
            response.message = "latched"
        elif self.brakes:
            self.brakes, response.message = self.brakes - 1, "braking"
        return response

    def _clear(self, _request, response):
        response.success = self._since_s() >= self.clears_after_s
        response.message = "cleared" if response.success else "the arm moves at 0.100 rad/s"
        self.latched = self.latched and not response.success
        return response


def going_on(probe, arming, done, stamp=lambda k: k * 10 * MS):
    """Give state after state and poll, until `done` has something in it or an error is raised."""
    number = count(1)

    def on():
        stamp_ns = stamp(next(number))
        if stamp_ns is not None:
            arming.state(stamp_ns)
        try:
            arming.poll()
        except RunError as error:
            done.append(str(error))
        return done

    probe.until(on, "an end")
    return done[0]


WALL_NS = 1_700_000_000 * NS_PER_S
BEFORE_AND_AFTER_NS = {
    "the first state of all": (None, WALL_NS),
    "a clock set forward": (NS_PER_S, WALL_NS),
    "a clock set back": (WALL_NS, NS_PER_S),
}


@pytest.mark.parametrize("clock", BEFORE_AND_AFTER_NS)
def test_a_jump_of_the_clock_is_no_time_of_braking(probe, clock):
    before_ns, after_ns = BEFORE_AND_AFTER_NS[clock]
    filter_ = Filter(probe, brakes=10)
    arming = Arming(probe.node, safety_filter="safety_filter")
    probe.until(lambda: not arming.missing, "the filter")
    done = []

    def stamp(k):
        start_ns = before_ns if filter_.brakes > 5 else after_ns
        return None if start_ns is None else start_ns + k * 10 * MS

    arming.disarm(lambda: done.append("at rest"))
    assert going_on(probe, arming, done, stamp) == "at rest"


def test_two_clocks_that_take_turns_make_braking_no_longer(probe):
    Filter(probe, brakes=40)
    arming = Arming(probe.node, safety_filter="safety_filter")
    probe.until(lambda: not arming.missing, "the filter")
    done = []
    arming.disarm(lambda: done.append("at rest"))
    apart = going_on(probe, arming, done, lambda k: k * 10 * MS + (k % 2) * 900 * MS)
    assert apart == "at rest"


def test_the_time_between_arming_and_braking_is_no_time_of_braking(probe):
    filter_ = Filter(probe)
    arming = Arming(probe.node, safety_filter="safety_filter")
    probe.until(lambda: not arming.missing, "the filter")
    done = []
    arming.begin(lambda: done.append("armed"))
    assert going_on(probe, arming, done) == "armed"
    filter_.brakes = 5
    done.clear()
    arming.disarm(lambda: done.append("at rest"))

    def stamp(k):
        """Return none at first, as during an episode, which lasts for an hour."""
        return None if filter_.brakes > 3 else 3600 * NS_PER_S + k * 10 * MS

    assert going_on(probe, arming, done, stamp) == "at rest"


def test_a_refusal_that_was_overcome_takes_no_patience_from_the_next(probe):
    # Each alone is overcome within 3 s, both together are not.
    filter_ = Filter(probe, latched=True, clears_after_s=2.0, arms_after_s=4.0)
    arming = Arming(probe.node, safety_filter="safety_filter", clear_latch=True)
    probe.until(lambda: not arming.missing, "the filter")
    done = []
    arming.begin(lambda: done.append("armed"))
    assert going_on(probe, arming, done) == "armed"
    assert filter_.asked.count(True) > 1


def test_arming_that_is_refused_for_good_is_an_error(probe):
    # Each attempt disarms first, which succeeds every time.
    Filter(probe, arms_after_s=math.inf)
    arming = Arming(probe.node, safety_filter="safety_filter")
    probe.until(lambda: not arming.missing, "the filter")
    done = []
    arming.begin(lambda: done.append("armed"))
    told = going_on(probe, arming, done)
    assert told.endswith("safety_filter/arm refused: joint states are stale")


def test_a_filter_that_only_brakes_on_is_not_heard(probe):
    filter_ = Filter(probe, brakes=5)
    arming = Arming(probe.node, safety_filter="safety_filter")
    probe.until(lambda: not arming.missing, "the filter")
    done, heard = [], []
    arming.disarm(lambda: done.append("at rest"))

    def stamp(_):
        if filter_.brakes:
            heard.append(arming.heard_s)
        return None  # its driver has died

    assert going_on(probe, arming, done, stamp) == "at rest"
    assert len(set(heard)) == 1 < len(heard)
    assert arming.heard_s > heard[-1]


def test_an_arm_that_never_comes_to_rest_is_an_error(probe):
    Filter(probe, brakes=1_000_000)
    arming = Arming(probe.node, safety_filter="safety_filter")
    probe.until(lambda: not arming.missing, "the filter")
    arming.begin(lambda: None)
    told = going_on(probe, arming, [], lambda k: k * NS_PER_S // 2)
    assert "has not come to rest in 10 s of braking" in told
