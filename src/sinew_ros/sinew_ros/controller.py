"""What a ros2_control controller says of its joints, asked without waiting for the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

PARAMETER = "joints"
"""Of forward and trajectory controllers, in the order of their commands."""

# The middleware drops an answer when its sender has not discovered the client yet, so that a
# question without an answer is repeated.
_AGAIN_S = 0.5
_ATTEMPTS = 4


class Reading(NamedTuple):
    """An answer.

    Attributes:
        joints: names in the controller's order; empty where they could not be read.
        problem: why not, in one sentence; else ''.
    """

    joints: tuple[str, ...]
    problem: str


class ControllerJoints:
    """Asks one controller for its joints."""

    def __init__(self, node: Node, controller: str) -> None:
        """Create the client on `node`, in whose namespace a relative name is."""
        self._client = node.create_client(GetParameters, f"{controller}/get_parameters")
        self._request = GetParameters.Request(names=[PARAMETER])
        self._called: Future | None = None
        self._reading: Future | None = None
        self._attempts = 0
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_AGAIN_S, self._call, clock=clock)
        self._timer.cancel()

    @property
    def name(self) -> str:
        """The controller's name with its namespace."""
        return str(self._client.srv_name).rpartition("/")[0]

    def ask(self) -> Future:
        """Return a future of a `Reading`; a question under way is asked again."""
        reading = self._reading = self._reading or Future()
        self._attempts = 0
        self._timer.reset()
        self._call()
        return reading

    def _call(self) -> None:
        self._drop()
        self._attempts += 1
        ready = self._client.service_is_ready()
        if self._attempts > _ATTEMPTS and ready:
            problem = f"controller {self.name} does not answer {self._client.srv_name}"
            self._finish(Reading((), problem))
        elif self._attempts > _ATTEMPTS:
            problem = (
                f"controller {self.name} does not run: service {self._client.srv_name} is not "
                "there; load and activate it, check controller and namespace, or set "
                "controller_joints to robot"
            )
            self._finish(Reading((), problem))
        elif ready:
            self._called = self._client.call_async(self._request)
            self._called.add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        if self._called is None or future is not self._called:
            return  # it was repeated meanwhile
        answer: GetParameters.Response = future.result()
        values = answer.values
        if len(values) != 1 or values[0].type != ParameterType.PARAMETER_STRING_ARRAY:
            problem = (
                f"controller {self.name} has no list of names as parameter '{PARAMETER}': is it a "
                "forward or trajectory controller, and configured?"
            )
            self._finish(Reading((), problem))
        else:
            self._finish(Reading(tuple(values[0].string_array_value), ""))

    def _finish(self, reading: Reading) -> None:
        self._timer.cancel()
        self._drop()
        asked, self._reading = self._reading, None
        if asked is not None:
            asked.set_result(reading)

    def _drop(self) -> None:
        if self._called is not None:
            self._client.remove_pending_request(self._called)
            self._called = None


def when_done(future: Future, then: Callable[[Reading], None]) -> None:
    """Call `then` with the reading as soon as it is there."""
    future.add_done_callback(lambda done: then(done.result()))
