"""What a ros2_control controller says of itself, asked without waiting for the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from sinew_core.controllers import FORWARD

JOINTS = "joints"
"""Parameter of forward and trajectory controllers, in the order of their commands."""
INTERFACE = "interface_name"
"""Parameter of forward controllers: what they take, `velocity`, `position` or `effort`. Those that
take one thing only (`velocity_controllers` and the like) declare it with that value."""
INTERFACES = "command_interfaces"
"""Parameter of trajectory controllers: what they command; they take positions in any case."""

# The middleware drops an answer when its sender has not discovered the client yet, so that a
# question without an answer is repeated.
_AGAIN_S = 0.5
_ATTEMPTS = 4


class Reading(NamedTuple):
    """An answer.

    Attributes:
        joints: names in the controller's order; empty where they could not be read.
        interface: what a forward controller takes; empty where it does not say, or is none.
        problem: why there are no joints, in one sentence; else ''.
    """

    joints: tuple[str, ...]
    interface: str
    problem: str


class ControllerQuestions:
    """Asks one controller for its joints and for what it takes."""

    def __init__(self, node: Node, controller: str, adapter: str) -> None:
        """Create the client on `node`, in whose namespace a relative name is.

        Args:
            node: asks.
            controller: name of the controller.
            adapter: `forward` or `trajectory`, as the controller has to be.
        """
        self._client = node.create_client(GetParameters, f"{controller}/get_parameters")
        self._known = (JOINTS, INTERFACE) if adapter == FORWARD else (JOINTS,)
        self._names = self._known
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
        self._attempts, self._names = 0, self._known
        self._timer.reset()
        self._call()
        return reading

    def _call(self) -> None:
        self._drop()
        self._attempts += 1
        ready = self._client.service_is_ready()
        if self._attempts > _ATTEMPTS and ready:
            problem = f"controller {self.name} does not answer {self._client.srv_name}"
            self._finish(Reading((), "", problem))
        elif self._attempts > _ATTEMPTS:
            problem = (
                f"controller {self.name} does not run: service {self._client.srv_name} is not "
                "there; load and activate it, check controller and namespace, or set "
                "controller_joints to robot"
            )
            self._finish(Reading((), "", problem))
        elif ready:
            self._called = self._client.call_async(GetParameters.Request(names=self._names))
            self._called.add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        if self._called is None or future is not self._called:
            return  # it was repeated meanwhile
        values = future.result().values
        if not values and self._names != (JOINTS,):
            # A node that lacks one of the parameters answers with none of them.
            self._names = (JOINTS,)
            self._call()
            return
        if values and values[0].type == ParameterType.PARAMETER_STRING_ARRAY:
            takes = [v for v in values[1:] if v.type == ParameterType.PARAMETER_STRING]
            interface = takes[0].string_value if takes else ""
            self._finish(Reading(tuple(values[0].string_array_value), interface, ""))
            return
        problem = (
            f"controller {self.name} has no list of names as parameter '{JOINTS}': is it a "
            "forward or trajectory controller, and configured?"
        )
        self._finish(Reading((), "", problem))

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


def when_done(future: Future, then: Callable[[Reading], object]) -> None:
    """Call `then` with the reading as soon as it is there."""
    future.add_done_callback(lambda done: then(done.result()))
