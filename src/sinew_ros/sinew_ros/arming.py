"""Arming and disarming a safety filter, with the simulated arm's reset in between where asked."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from sinew_core.errors import RunError
from sinew_ros.stamps import NS_PER_S

# A lockstep driver repeats its state every second, which a filter that has just started waits for.
_REFUSED_FOR_S = 3.0
# The middleware drops an answer when its sender has not discovered the client's reader within
# 100 ms, as happens to the first one on a busy machine. So a request without an answer is repeated.
_ANSWER_WITHIN_S = 3.0
# In the arm's own time. No arm of the catalogue needs more than 2 s from full speed to rest.
_AT_REST_WITHIN_NS = 10 * NS_PER_S
# From one state to the next; where its stamps go further, the clock was set or nobody listened.
_LONGEST_STEP_NS = NS_PER_S


class Arming:
    """Disarms, resets and arms, one service after another.

    Attributes:
        step: what is being waited for.
        heard_s: steady clock of the last answer; a filter that only goes on to brake, as one of an
            arm whose driver has died does, gives none.
        asked_stamp_ns: of the newest joint state when arming was asked for last.
    """

    def __init__(
        self, node: Node, *, safety_filter: str, driver: str = "", clear_latch: bool = False
    ) -> None:
        """Create the clients on `node`.

        Args:
            node: that calls the services.
            safety_filter: node that arms.
            driver: node whose reset places the arm before it is armed; empty: it stays.
            clear_latch: whether a latch is cleared, as is right for a simulated arm only.
        """
        self.step = ""
        self.heard_s = time.monotonic()
        self.asked_stamp_ns = 0
        self._clear_latch = clear_latch
        self._arm = node.create_client(SetBool, f"{safety_filter}/arm")
        self._clear = node.create_client(Trigger, f"{safety_filter}/clear")
        self._reset = node.create_client(Trigger, f"{driver}/reset") if driver else None
        self._refusal = ""
        self._refused_s: dict[str, float] = {}  # by step, since when
        self._again: Callable[[], None] | None = None
        self._repeat: Callable[[], None] | None = None
        self._asked: Future | None = None
        self._asked_s = 0.0
        self._then: Callable[[], None] | None = None
        self._placed: Callable[[], bool] = lambda: True
        self._stamp_ns = self._reset_after_ns = -1
        self._braked_ns: int | None = None

    @property
    def missing(self) -> list[str]:
        """The services that are not there yet."""
        clients = [client for client in (self._arm, self._reset) if client is not None]
        return [f"service {c.srv_name}" for c in clients if not c.service_is_ready()]

    def poll(self) -> None:
        """Try again what has to wait; call it regularly.

        Raises:
            RunError: for a request that was refused.
        """
        if self._refusal:
            raise RunError(self._refusal)
        if self._again is not None:
            again, self._again = self._again, None
            again()
        elif self._repeat is not None and time.monotonic() - self._asked_s > _ANSWER_WITHIN_S:
            self._repeat()

    def state(self, stamp_ns: int) -> None:
        """Take the stamp of a joint state: arming needs one that is newer than the reset.

        Where nothing is prepared it shows that the arm's time goes on, which braking is judged by.
        """
        step_ns = stamp_ns - self._stamp_ns
        self._stamp_ns = stamp_ns
        if self._braked_ns is not None and abs(step_ns) <= _LONGEST_STEP_NS:
            self._braked_ns += step_ns  # back as well, where two clocks take turns
        if self._then is not None and stamp_ns > self._reset_after_ns and self._placed():
            self._arm_then(self._then)

    def begin(self, then: Callable[[], None], placed: Callable[[], bool] = lambda: True) -> None:
        """Disarm, teleport the arm to a new start if asked to, arm, then call `then`.

        Before arming, `placed` is asked at each state that is newer than the reset until it says
        that all is ready.
        """
        self._placed = placed
        self.disarm(lambda: self._place(then))

    def cancel(self) -> None:
        """Give up what is being prepared; an answer still to come has no effect."""
        self._refusal, self._braked_ns = "", None
        self._refused_s.clear()
        self._again = self._repeat = self._asked = self._then = None

    def disarm(self, then: Callable[[], None]) -> None:
        """Disarm the filter and clear its latch where that is allowed, then call `then`."""
        self.step = "disarming"

        def disarmed(state: str) -> None:
            if state == "braking":
                # Teleporting an arm that still moves would be a fault.
                self._again = lambda: self.disarm(then)
                self._check_braking()
                return
            self._braked_ns = None
            if state == "latched" and self._clear_latch:
                self._call(self._clear, Trigger.Request(), lambda _: self.disarm(then))
            elif state == "latched":
                self._refusal = refused_latch(self._arm.srv_name.rpartition("/")[0])
            else:
                then()

        self._call(self._arm, SetBool.Request(data=False), disarmed)

    def _check_braking(self) -> None:
        """Give up on an arm that moves on whatever it is sent; `poll` raises that."""
        if self._braked_ns is None:
            self._braked_ns = 0
        elif self._braked_ns > _AT_REST_WITHIN_NS:
            self._refusal = (
                f"the arm has not come to rest in {_AT_REST_WITHIN_NS // NS_PER_S} s of braking: "
                "its own joint controllers swing or do not follow, check their gains and sim_params"
            )

    def _place(self, then: Callable[[], None]) -> None:
        if self._reset is None:
            self._await_state(then)
            return
        self.step = "the driver's reset"
        self._reset_after_ns = self._stamp_ns
        self._call(self._reset, Trigger.Request(), lambda _: self._await_state(then))

    def _await_state(self, then: Callable[[], None]) -> None:
        self.step = "a joint state"
        self._then = then
        self.state(self._stamp_ns)

    def _arm_then(self, then: Callable[[], None]) -> None:
        self._then = None
        self.step = "arming"
        self.asked_stamp_ns = self._stamp_ns

        # A latch that was set meanwhile is what disarming clears.
        self._call(
            self._arm,
            SetBool.Request(data=True),
            lambda _: then(),
            again=lambda: self.disarm(lambda: self._await_state(then)),
        )

    def _call(
        self,
        client: Client,
        request: object,
        then: Callable[[str], None],
        again: Callable[[], None] | None = None,
    ) -> None:
        """Call a service, again when no answer comes.

        A refusal stands when its step has no success for a while; what is called again before that
        step, such as disarming before arming, may succeed meanwhile.
        """
        step = self.step

        def answered(future: Future) -> None:
            response = future.result()
            if future is not self._asked:
                return  # it was repeated meanwhile
            self._asked = self._repeat = None
            now_s = time.monotonic()
            if response.message != "braking":
                self.heard_s = now_s
            if response.success or response.message == "latched":
                self._refused_s.pop(step, None)
                then(response.message)
                return
            if now_s - self._refused_s.setdefault(step, now_s) < _REFUSED_FOR_S:
                self._again = again or (lambda: self._call(client, request, then))
            else:
                # rclpy swallows what a done-callback raises, so `poll` raises it.
                self._refusal = f"{client.srv_name} refused: {response.message}"

        self._repeat = lambda: self._call(client, request, then, again)
        self._asked, self._asked_s = client.call_async(request), time.monotonic()
        self._asked.add_done_callback(answered)


def refused_latch(safety_filter: str) -> str:
    """Return what to do about a latch that may not be cleared from here."""
    return (
        f"{safety_filter} is latched: call its clear service, "
        "or set clear_latch where the arm is simulated"
    )
