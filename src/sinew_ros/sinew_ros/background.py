"""Work beside a node's loop, for which a service's answer waits while the messages go on.

The work is a thread of this process. It and the loop take turns by Python's interpreter lock, which
the thread gives back within `_TURN_S`; with a real-time priority it stays just below the loop's, so
that it delays neither this node nor the others, and ordinary processes do not stop it while it
holds the lock.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from rcl_interfaces.msg import Parameter
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.service import Service
from rclpy.task import Future

_TURN_S = 1e-4

T = TypeVar("T")
Prepare = Callable[[Sequence[Parameter]], Awaitable[None]]


class Background:
    """Runs functions beside the loop of one node."""

    def __init__(self, node: Node) -> None:
        """Prepare to wake the node's executor."""
        self._done = node.create_guard_condition(lambda: None)

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises; await it in a service's callback."""
        future = Future()

        def worker() -> None:
            _step_behind()
            try:
                result = work()
            except BaseException as error:  # it is the awaiting callback's
                future.set_exception(error)
            else:
                future.set_result(result)
            self._done.trigger()

        before_s = sys.getswitchinterval()
        sys.setswitchinterval(_TURN_S)
        try:
            threading.Thread(target=worker, daemon=True).start()
            result: T = await future
        finally:
            sys.setswitchinterval(before_s)
        return result


def prepare_changes(node: Node, prepare: Prepare) -> None:
    """Let the services that set a node's parameters await `prepare` before they do so.

    Changes come one after another; all other services are served meanwhile.
    """
    group = MutuallyExclusiveCallbackGroup()
    for service in node.services:
        if service.srv_type in (SetParameters, SetParametersAtomically):
            service.callback = _prepared(service, prepare)
            service.callback_group = group
            group.add_entity(service)


def _prepared(service: Service, prepare: Prepare) -> Callable[..., Awaitable[object]]:
    change: Callable[[object, object], object] = service.callback

    async def answer(
        request: SetParameters.Request | SetParametersAtomically.Request, response: object
    ) -> object:
        await prepare(request.parameters)
        return change(request, response)

    return answer


def _step_behind() -> None:
    """Lower the real-time priority of this thread by one, where it has one."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    if priority > 1:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, policy, os.sched_param(priority - 1))
