"""A single-threaded executor with a wait set that is built once instead of at every message.

rclpy's own executor collects all entities, builds a wait set and wraps every callback into a task
at each turn, which costs several times what the message itself costs. Here the entities are
collected when they change, and messages and timers go straight to their callbacks; everything rare
(services, clients, events, guard conditions) is handed to rclpy's own code.
"""

from __future__ import annotations

from contextlib import ExitStack

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription


class WaitSetExecutor(SingleThreadedExecutor):  # type: ignore[misc]  # rclpy is untyped
    """Spin nodes whose subscription callbacks are plain functions of one message."""

    def __init__(self) -> None:
        """Create the executor on the default context."""
        self._stale = True
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
        """Wait up to `timeout_sec` (for ever if None), then run the callbacks of what is ready."""
        if self._stale:
            self._build()
        wait_set = self._wait_set
        wait_set.clear_entities()
        for add, handle in self._additions:
            add(handle)
        for waitable in self._waitables:
            waitable.add_to_wait_set(wait_set)
        wait_set.wait(-1 if timeout_sec is None else max(0, int(timeout_sec * 1e9)))
        if not self._context.ok():
            raise ExternalShutdownException
        if self._rest_is_ready():
            self._spin_rest()
        is_ready = wait_set.is_ready
        for index, timer in self._timers:
            if is_ready("timer", index) and not self._stale and timer.handle.is_timer_ready():
                timer.handle.call_timer()
                timer.callback()
        for index, take, kind, raw, subscription in self._subscriptions:
            if is_ready("subscription", index) and not self._stale:
                taken = take(kind, raw)
                if taken is not None:
                    subscription.callback(taken[0])

    def _build(self) -> None:
        """Collect the entities of all nodes and hold their handles until they change."""
        self._stale = False
        self._used.close()
        nodes = self.get_nodes()
        subscriptions: list[Subscription] = [s for n in nodes for s in n.subscriptions]
        timers = [t for n in nodes for t in n.timers]
        clients = [c for n in nodes for c in n.clients]
        services = [s for n in nodes for s in n.services]
        guards = [g for n in nodes for g in n.guards] + [self._guard, self._sigint_gc]
        self._waitables = [w for n in nodes for w in n.waitables]
        for entity in [*subscriptions, *timers, *clients, *services, *guards]:
            self._used.enter_context(entity.handle)
        for waitable in self._waitables:
            self._used.enter_context(waitable)
        self._used.enter_context(self._context.handle)
        extra = [w.get_num_entities() for w in self._waitables]
        counts = (
            len(subscriptions) + sum(e.num_subscriptions for e in extra),
            len(guards) + sum(e.num_guard_conditions for e in extra),
            len(timers) + sum(e.num_timers for e in extra),
            len(clients) + sum(e.num_clients for e in extra),
            len(services) + sum(e.num_services for e in extra),
            sum(e.num_events for e in extra),
        )
        wait_set = rclpy_implementation.WaitSet(*counts, self._context.handle)
        self._wait_set = wait_set
        self._additions = [
            *((wait_set.add_subscription, s.handle) for s in subscriptions),
            *((wait_set.add_timer, t.handle) for t in timers),
            *((wait_set.add_client, c.handle) for c in clients),
            *((wait_set.add_service, s.handle) for s in services),
            *((wait_set.add_guard_condition, g.handle) for g in guards),
        ]
        self._subscriptions = [
            (i, s.handle.take_message, s.msg_type, s.raw, s) for i, s in enumerate(subscriptions)
        ]
        self._timers = list(enumerate(timers))
        self._guards = guards
        self._others = [("client", len(clients)), ("service", len(services))]

    def _rest_is_ready(self) -> bool:
        is_ready = self._wait_set.is_ready
        triggered = False
        for index, guard in enumerate(self._guards):
            if is_ready("guard_condition", index):
                # Waiting has reset the condition: this mark makes rclpy trigger it again.
                guard._executor_triggered = triggered = True
        return (
            triggered
            or any(is_ready(kind, index) for kind, count in self._others for index in range(count))
            or any(waitable.is_ready(self._wait_set) for waitable in self._waitables)
        )

    def _spin_rest(self) -> None:
        """Let rclpy run one turn of what it finds ready."""
        # These two only wake the wait up; no callback clears their marks.
        self._guard._executor_triggered = self._sigint_gc._executor_triggered = False
        super().spin_once(timeout_sec=0.0)
