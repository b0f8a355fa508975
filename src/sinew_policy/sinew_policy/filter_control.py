"""Arming, disarming, slowing and watching one filter; requests without an answer are repeated."""

from __future__ import annotations

import time
from collections.abc import Callable

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import Empty
from std_srvs.srv import SetBool

from sinew_ros.qos import RELIABLE

# The middleware drops an answer when its sender has not discovered the client yet. A filter
# that asks its controller for an answer first needs up to two seconds.
_ANSWER_WITHIN_S = 3.0
_DISARMED_WITHIN_S = 0.5
# Of a filter that has only just seen the first joint state, or another node for the last time.
_REFUSED_FOR_S = 3.0

# Of a request whose answer was lost.
_ARMED = "the filter is armed"

Done = Callable[[str], None]
"""Is called with '' when it is done, else with the reason why not."""


class _Request:
    """One request at a time to one service; the latest replaces what is under way."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._request: object | None = None
        self._future: Future = None
        self._sent_s, self._patience_s = 0.0, _ANSWER_WITHIN_S
        self._answer: Callable[[object], None] = _nothing

    @property
    def pending(self) -> bool:
        return self._request is not None

    def send(
        self,
        request: object,
        answer: Callable[[object], None],
        patience_s: float = _ANSWER_WITHIN_S,
    ) -> None:
        self._request, self._answer, self._patience_s = request, answer, patience_s
        self._call()

    def drop(self) -> None:
        self._request = None
        if self._future is not None:
            self._client.remove_pending_request(self._future)
            self._future = None

    def poll(self) -> None:
        if self.pending and time.monotonic() - self._sent_s > self._patience_s:
            self._call()

    def _call(self) -> None:
        if self._future is not None:
            self._client.remove_pending_request(self._future)
        self._sent_s = time.monotonic()
        self._future = future = self._client.call_async(self._request)
        future.add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        if future is self._future:
            self._request = self._future = None
            self._answer(future.result())


class FilterControl:
    """The services of one safety filter, and its guard."""

    def __init__(self, node: Node, safety_filter: str) -> None:
        """Create clients and publisher on `node`."""
        self._arm = _Request(node.create_client(SetBool, f"{safety_filter}/arm"))
        self._set = _Request(node.create_client(SetParameters, f"{safety_filter}/set_parameters"))
        self._guard = node.create_publisher(Empty, f"{safety_filter}/guard", RELIABLE)
        self._refused_s: float | None = None
        self._again: Callable[[], None] | None = None
        self._scale: float | None = None

    def poll(self) -> None:
        """Say that the arm is watched, and repeat what was not answered, or refused for now.

        The filter stops an arm when that is not called for its `watchdog.guard_timeout_s`.
        """
        self._guard.publish(Empty())
        again, self._again = self._again, None
        if again is not None:
            again()
        self._arm.poll()
        self._set.poll()

    def arm(self, done: Done, *, slowed: bool) -> None:
        """Arm, where commands can be slowed at authority 0."""
        self._refused_s = None

        def scaled(problem: str) -> None:
            if problem:
                done(problem)
            else:
                self._try_to_arm(done)

        if slowed:
            self._send_scale(0.0, scaled)
        else:
            self._try_to_arm(done)

    def disarm(self) -> None:
        """Disarm, whatever is under way."""
        self._again = None
        self._set.drop()
        self._arm.send(SetBool.Request(data=False), _nothing, _DISARMED_WITHIN_S)

    def set_scale(self, scale: float, failed: Done) -> None:
        """Set the authority, unless it is so or another is being set; `failed` gets a refusal."""
        if scale != self._scale and not self._set.pending:
            self._send_scale(scale, lambda problem: failed(problem) if problem else None)

    def _send_scale(self, scale: float, done: Done) -> None:
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=scale)
        request = SetParameters.Request(parameters=[Parameter(name="speed_scale", value=value)])

        def answered(response: object) -> None:
            result = response.results[0]  # type: ignore[attr-defined]  # a message class
            self._scale = scale if result.successful else None
            done("" if result.successful else f"speed_scale {scale:g} refused: {result.reason}")

        self._set.send(request, answered)

    def _try_to_arm(self, done: Done) -> None:
        def answered(response: object) -> None:
            success, message = response.success, response.message  # type: ignore[attr-defined]
            now_s = time.monotonic()
            self._refused_s = now_s if self._refused_s is None else self._refused_s
            if success or _ARMED in message:
                done("")
            elif now_s - self._refused_s < _REFUSED_FOR_S:
                self._again = lambda: self._try_to_arm(done)
            else:
                done(f"arming was refused: {message}")

        self._arm.send(SetBool.Request(data=True), answered)


def _nothing(_response: object) -> None:
    """Take an answer that nobody waits for."""
