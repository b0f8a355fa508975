"""A single-threaded executor with wait sets that are built once instead of at every message.

rclpy's own executor collects all entities, builds a wait set and wraps every callback into a task
at each turn, which costs several times what the message itself costs. Here the entities are
collected when they change, and messages and timers go straight to their callbacks; everything rare
(services, clients, events, guard conditions) is handed to rclpy's own code. While messages keep
coming, the rare things are looked at every 20 ms only, and as soon as none has come for 2 ms. A
service that a node lists in `prompt`, such as an emergency stop, is looked at every time.

A subscription that a node lists in `quiet` wakes nobody: its messages are taken, in their order,
when something else wakes the node. Most of what a message costs is the waking.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from rclpy.client import Client
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from rclpy.waitable import Waitable

RARE_EVERY_S = 0.02
"""How long clients, services and events wait at most while messages keep coming."""
_PAUSE_S = 0.002
# The executor's first guard conditions, its own and that of signals, only wake it up. Taking them
# for work would never end: rclpy triggers its own at each callback that it runs.
_OWN_GUARDS = 2


class WaitSetExecutor(SingleThreadedExecutor):  # type: ignore[misc]  # rclpy is untyped
    """Spin nodes whose subscription callbacks are plain functions of a message.

    A callback of two arguments gets what the middleware knows about the message, too: a mapping
    with `publication_sequence_number` and the times of sending and receipt.
    """

    def __init__(self) -> None:
        """Create the executor on the default context."""
        self._stale = True
        self._busy = False
        self._rare_due_s = 0.0
        self._used = ExitStack()
        super().__init__()

    def wake(self) -> None:
        """Wake up and look again at what there is to wait for; rclpy calls this on every change."""
        self._stale = True
        super().wake()

    def add_node(self, node: Node) -> bool:
        """Serve `node` too."""
        self._stale = True
        return bool(super().add_node(node))

    def remove_node(self, node: Node) -> None:
        """Serve `node` no longer."""
        self._stale = True
        super().remove_node(node)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Release every handle and stop."""
        self._used.close()
        self._stale = True
        return bool(super().shutdown(timeout_sec))

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait at most `timeout_sec` (for ever if None), then run what is ready."""
        if self._stale:
            self._build()
            self._busy = False
        limit_s = timeout_sec
        now_s = time.monotonic()
        rare_left_s = self._rare_due_s - now_s
        if self._busy and rare_left_s > 0.0:
            waited = self._often
            limit_s = min(rare_left_s, _PAUSE_S)
            if timeout_sec is not None:
                limit_s = min(limit_s, timeout_sec)
        else:
            waited = self._all
            self._rare_due_s = now_s + RARE_EVERY_S
        waited.wait(-1 if limit_s is None else max(0, int(limit_s * 1e9)))
        if not self._context.ok():
            raise ExternalShutdownException
        self._busy = self._run_timers_and_messages(waited)
        if not self._stale and (waited.rare_is_ready() or self._unfinished()):
            super().spin_once(timeout_sec=0.0)
            # That ran one callback. What it put off, such as the callbacks of a service's answer,
            # must not wait for the next message, which may never come.
            for _ in range(self._unfinished()):
                super().spin_once(timeout_sec=0.0)

    def _unfinished(self) -> int:
        """Return how many tasks wait for rclpy, which drops finished ones only later."""
        return sum(not task.done() for task, _, _ in self._tasks)

    def _run_timers_and_messages(self, waited: _Waited) -> bool:
        """Run what is ready, quiet subscriptions first; return whether there was a message."""
        any_message = self._take_quiet() if self._quiet else False
        is_ready = waited.wait_set.is_ready
        for index, timer in self._timers:
            if is_ready("timer", index) and not self._stale and timer.handle.is_timer_ready():
                timer.handle.call_timer()
                timer.callback()
        for index, take, kind, raw, n_arguments, subscription in self._subscriptions:
            if not self._stale and is_ready("subscription", index):
                taken = take(kind, raw)
                if taken is not None:
                    any_message = True
                    subscription.callback(*taken[:n_arguments])
        return any_message

    def _take_quiet(self) -> bool:
        """Hand over all that has come on quiet subscriptions."""
        any_message = False
        for take, kind, raw, n_arguments, subscription in self._quiet:
            while not self._stale and (taken := take(kind, raw)) is not None:
                any_message = True
                subscription.callback(*taken[:n_arguments])
        return any_message

    def _build(self) -> None:
        """Collect the entities of all nodes and hold their handles until they change."""
        self._stale = False
        self._used.close()
        nodes = self.get_nodes()
        every = [s for n in nodes for s in n.subscriptions]
        quiet = [s for n in nodes for s in getattr(n, "quiet", ())]
        subscriptions = [s for s in every if s not in quiet]
        timers = [t for n in nodes for t in n.timers]
        clients = [c for n in nodes for c in n.clients]
        services = [s for n in nodes for s in n.services]
        guards = [self._guard, self._sigint_gc, *(g for n in nodes for g in n.guards)]
        waitables = [w for n in nodes for w in n.waitables]
        for entity in [*every, *timers, *clients, *services, *guards]:
            self._used.enter_context(entity.handle)
        for waitable in waitables:
            self._used.enter_context(waitable)
        self._used.enter_context(self._context.handle)
        context = self._context.handle
        prompt = [s for n in nodes for s in getattr(n, "prompt", ())]
        self._often = _Waited(context, subscriptions, timers, [], prompt, guards[:_OWN_GUARDS], [])
        self._all = _Waited(context, subscriptions, timers, clients, services, guards, waitables)
        self._timers = list(enumerate(timers))
        self._quiet = [_taking(s) for s in quiet]
        self._subscriptions = [(i, *_taking(s)) for i, s in enumerate(subscriptions)]


def _taking(
    subscription: Subscription,
) -> tuple[Callable[..., Sequence[object] | None], type, bool, int, Subscription]:
    """Return how to take a message, with what arguments, and how many the callback takes."""
    n_arguments = len(inspect.signature(subscription.callback).parameters)
    taking = subscription.handle.take_message
    return taking, subscription.msg_type, subscription.raw, min(n_arguments, 2), subscription


class _Waited:
    """A wait set and what belongs into it."""

    def __init__(
        self,
        context: object,
        subscriptions: Sequence[Subscription],
        timers: Sequence[Timer],
        clients: Sequence[Client],
        services: Sequence[Service],
        guards: Sequence[GuardCondition],
        waitables: Sequence[Waitable],
    ) -> None:
        extra = [w.get_num_entities() for w in waitables]
        self.wait_set = wait_set = rclpy_implementation.WaitSet(
            len(subscriptions) + sum(e.num_subscriptions for e in extra),
            len(guards) + sum(e.num_guard_conditions for e in extra),
            len(timers) + sum(e.num_timers for e in extra),
            len(clients) + sum(e.num_clients for e in extra),
            len(services) + sum(e.num_services for e in extra),
            sum(e.num_events for e in extra),
            context,
        )
        kinds = (
            (wait_set.add_subscription, subscriptions),
            (wait_set.add_timer, timers),
            (wait_set.add_client, clients),
            (wait_set.add_service, services),
            (wait_set.add_guard_condition, guards),
        )
        self._additions = [(add, e.handle) for add, entities in kinds for e in entities]
        self._guards = list(enumerate(guards))[_OWN_GUARDS:]
        self._waitables = waitables
        self._rare = [
            (kind, index)
            for kind, entities in (("client", clients), ("service", services))
            for index in range(len(entities))
        ]

    def wait(self, timeout_ns: int) -> None:
        """Fill the set, which waiting empties, and wait."""
        self.wait_set.clear_entities()
        for add, handle in self._additions:
            add(handle)
        for waitable in self._waitables:
            waitable.add_to_wait_set(self.wait_set)
        self.wait_set.wait(timeout_ns)

    def rare_is_ready(self) -> bool:
        """Tell whether rclpy has something to do."""
        is_ready = self.wait_set.is_ready
        triggered = False
        for index, guard in self._guards:
            if is_ready("guard_condition", index):
                # Waiting has reset the condition: by this mark rclpy triggers it again.
                guard._executor_triggered = triggered = True
        return (
            triggered
            or any(is_ready(kind, index) for kind, index in self._rare)
            or any(waitable.is_ready(self.wait_set) for waitable in self._waitables)
        )
