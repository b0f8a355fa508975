"""What a node asks of the arm before it moves, of servers that this test plays itself."""

from __future__ import annotations

from itertools import count

import pytest
from std_srvs.srv import SetBool, Trigger

from sinew_core.errors import RunError
from sinew_ros.arming import Arming
from sinew_ros.stamps import NS_PER_S

pytestmark = [pytest.mark.graph, pytest.mark.beside]


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


def test_an_arm_that_never_comes_to_rest_is_an_error(probe):
    def brakes(_request, response):
        response.success, response.message = True, "braking"
        return response

    probe.node.create_service(SetBool, "safety_filter/arm", brakes)
    arming, seconds, errors = Arming(probe.node, safety_filter="safety_filter"), count(1), []
    probe.until(lambda: not arming.missing, "the server")
    arming.begin(lambda: None)

    def poll():
        arming.state(next(seconds) * NS_PER_S)
        try:
            arming.poll()
        except RunError as error:
            errors.append(str(error))
        return errors

    probe.until(poll, "giving up")
    assert "has not come to rest in 10 s of braking" in errors[0]
