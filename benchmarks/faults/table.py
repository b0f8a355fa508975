"""The table of faults: what has to come of each, and within what bound."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import injections
from benchmarks.faults.injections import CYCLE_MS, HOUR_S, Seen
from benchmarks.faults.observer import FaultError
from benchmarks.faults.processes import Starter, start_module
from benchmarks.faults.rig import RATES, Rig, Setup, Watchdogs

STATE_MS = 1e3 / RATES.state_rate_hz
TABLE = Watchdogs(
    command_timeout_s=0.1, state_timeout_s=0.015, missed_cycles=3, driver_watchdog_s=0.1
)
"""The watchdogs for which the bounds hold."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row.

    Attributes:
        what: the fault.
        reaction: what has to come of it.
        inject: injects it into a rig, and returns what was seen.
        state: of the filter afterwards.
        causes: of these texts, the reason has to hold one.
        unit: of the reaction.
        bound: the largest reaction allowed, in `unit`.
        setup: what has to run.
        moves: whether the arm is brought into motion first.
    """

    what: str
    reaction: str
    inject: Callable[[Rig], Seen]
    state: str
    causes: tuple[str, ...]
    unit: str = "ms"
    bound: float
    setup: Setup = field(default_factory=Setup)
    moves: bool = True


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one injection; at_rest and inside_limits are of the end and the whole run.

    `since_s` is the steady clock before it.
    """

    seen: Seen
    since_s: float
    at_rest: bool
    inside_limits: bool

    def as_expected(self, fault: Fault) -> bool:
        """Say whether state, cause and the arm are as they have to be."""
        caused = any(cause in self.seen.reason for cause in fault.causes)
        return self.seen.state == fault.state and caused and self.at_rest and self.inside_limits


def run_fault(
    fault: Fault,
    watchdogs: Watchdogs,
    folder: Path,
    *,
    timed: bool = False,
    start_process: Starter = start_module,
) -> Outcome:
    """Start a graph, inject the fault, bring the arm to rest, and end everything.

    Where the times count, `timed` lets this process run before ordinary ones from now on, and
    injects at a random time.

    Raises:
        FaultError: when what was expected did not come.
    """
    with Rig(fault.setup, watchdogs, folder, start_process) as rig:
        if timed:
            rig.observer.run_first()
        if fault.moves:
            rig.move()
        if timed:
            # What was waited for came with a cycle; a fault comes at any time between two commands.
            rig.observer.pause(random.uniform(0.0, RATES.control_period_s))
        since_s = time.monotonic()
        try:
            seen = fault.inject(rig)
            if seen.state == "armed":
                rig.stop()
                rig.wait_for_state("latched")
            rig.observer.until(rig.at_rest, "rest")
        except FaultError as error:
            error.since_s = since_s
            raise
        return Outcome(
            seen=seen, since_s=since_s, at_rest=rig.at_rest(), inside_limits=rig.inside_limits()
        )


_STALE = ("command is stale",)
_NO_CHANGE = "outputs changed"
_POLICY_MS = 1e3 * TABLE.command_timeout_s + CYCLE_MS
_WATCHDOG_MS = 1e3 * TABLE.driver_watchdog_s + STATE_MS
_STATES_MS = 3 * STATE_MS + CYCLE_MS
_OVERLOAD_MS = (TABLE.missed_cycles + 1) * CYCLE_MS
_LATCH = "brake, latch"
_REJECT = "reject whole, count, no change"
_REFUSE = "refuse to arm, say which"
_EPOCH = "a new epoch, no change"

FAULTS = {
    "policy-killed": Fault(
        what="policy killed",
        inject=injections.kill_policy,
        reaction=_LATCH,
        state="latched",
        causes=_STALE,
        bound=_POLICY_MS,
    ),
    "policy-stopped": Fault(
        what="policy stopped",
        inject=injections.stop_policy,
        reaction=_LATCH,
        state="latched",
        causes=_STALE,
        bound=_POLICY_MS,
    ),
    "filter-killed": Fault(
        what="filter killed",
        inject=injections.kill_filter,
        reaction="the driver's watchdog brakes",
        state="dead",
        causes=("1 watchdog trips",),
        bound=_WATCHDOG_MS,
    ),
    "states-stopped": Fault(
        what="joint states stop",
        inject=injections.stop_driver,
        reaction=_LATCH,
        state="latched",
        causes=("joint states are stale",),
        bound=_STATES_MS,
    ),
    "states-frozen": Fault(
        what="joint positions repeat",
        inject=injections.freeze_values,
        reaction=_LATCH,
        state="latched",
        causes=("positions are frozen", "observer_empty"),
        bound=_STATES_MS,
        setup=Setup(relay={"freeze": True}),
    ),
    "malformed": Fault(
        what="malformed commands",
        inject=injections.fuzz,
        reaction=_REJECT,
        state="armed",
        causes=("messages rejected",),
        bound=0.0,
        unit=_NO_CHANGE,
        setup=Setup(source=False),
    ),
    "wrong-stamps": Fault(
        what="stamps old, repeated, in the future",
        inject=injections.wrong_stamps,
        reaction=_REJECT,
        state="armed",
        causes=("messages rejected",),
        bound=0.0,
        unit=_NO_CHANGE,
        setup=Setup(source=False),
    ),
    "clock-forward": Fault(
        what="clock jumps by +1 h",
        inject=injections.jump,
        reaction=_EPOCH,
        state="armed",
        causes=("epochs 1",),
        bound=0.0,
        unit=_NO_CHANGE,
        setup=Setup(relay={"shift_s": HOUR_S}),
    ),
    "clock-back": Fault(
        what="clock jumps by -1 h",
        inject=injections.jump,
        reaction=_EPOCH,
        state="armed",
        causes=("epochs 1",),
        bound=0.0,
        unit=_NO_CHANGE,
        setup=Setup(relay={"shift_s": -HOUR_S}),
    ),
    "paused": Fault(
        what="simulated time paused",
        inject=injections.pause,
        reaction="hold, resume",
        state="armed",
        causes=("went on where it was",),
        bound=0.0,
        unit=_NO_CHANGE,
        setup=Setup(lockstep=True),
    ),
    "deaf-filter": Fault(
        what="QoS: filter cannot hear a policy",
        inject=injections.deaf_filter,
        reaction=_REFUSE,
        state="disarmed",
        causes=("QoS of policy/command from /observer does not fit",),
        bound=1e3,
        setup=Setup(source=False),
        moves=False,
    ),
    "deaf-controller": Fault(
        what="QoS: controller cannot hear the filter",
        inject=injections.deaf_controller,
        reaction=_REFUSE,
        state="disarmed",
        causes=("QoS of forward_velocity_controller/commands to /observer does not fit",),
        bound=1e3,
        setup=Setup(source=False),
        moves=False,
    ),
    "second-source": Fault(
        what="second source sends",
        inject=injections.second_source,
        reaction="disarm",
        state="disarmed",
        causes=("a second source sends commands",),
        bound=2.0,
        unit="of its messages",
    ),
    "overload-stop": Fault(
        what="overload: filter stopped",
        inject=injections.overload_by_stop,
        reaction=_LATCH,
        state="latched",
        causes=("cycles were missed",),
        bound=_OVERLOAD_MS,
    ),
    "overload-hog": Fault(
        what="overload: core taken away",
        inject=injections.overload_by_hog,
        reaction=_LATCH,
        state="latched",
        causes=("cycles were missed",),
        bound=_OVERLOAD_MS,
    ),
    "emergency-stop": Fault(
        what="emergency stop",
        inject=injections.emergency_stop,
        reaction="latch, through restart",
        state="latched",
        causes=("~/stop was called",),
        bound=CYCLE_MS,
    ),
}
