"""How each fault is injected into a running graph, and what is measured of the reaction."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from benchmarks.faults.fuzz import Fuzzer
from benchmarks.faults.observer import COMMANDS, FaultError
from benchmarks.faults.processes import Process
from benchmarks.faults.rig import RATES, ROBOT, SPEED_RAD_S, VELOCITY_RAD_S, Rig
from sinew_core.safety.gate import Rejection
from sinew_ros.messages import CommandMessage
from sinew_ros.stamps import NS_PER_S

CYCLE_MS = 1e3 / RATES.filter_rate_hz
HOUR_S = 3600.0
_BATCHES = 60
_BATCH = 8
# Longer than the default watchdogs, which lockstep has, and than a driver waits to repeat a state.
_PAUSE_S = 1.2
_OPPOSITE = [-v for v in VELOCITY_RAD_S]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What an injection shows: the measured reaction, and why the filter (or driver) says so."""

    reaction: float
    state: str
    reason: str


def _latched(rig: Rig, since_s: float) -> Seen:
    rig.wait_for_state("latched")
    return _braked(rig, since_s)


def _braked(rig: Rig, since_s: float, extra_ms: float = 0.0) -> Seen:
    reaction = 1e3 * (rig.braked_s(since_s) - since_s) + extra_ms
    return Seen(reaction=reaction, state=rig.state, reason=rig.report["reason"])


def _unmoved(rig: Rig, since_s: float, reason: str) -> Seen:
    """Return how many outputs since then differ from the motion before."""
    rig.further_outputs()
    rig.wait_for_report()
    changed = float(rig.changed_outputs(since_s))
    return Seen(reaction=changed, state=rig.state, reason=reason or rig.report["reason"])


def kill_policy(rig: Rig) -> Seen:
    """End the source of commands as a crash does."""
    return _latched(rig, rig.source.kill())


def stop_policy(rig: Rig) -> Seen:
    """Let the source of commands hang."""
    return _latched(rig, rig.source.signal(signal.SIGSTOP))


def kill_filter(rig: Rig) -> Seen:
    """Measured on the arm itself, whose states come once a state period."""
    killed_s = rig.filter.kill()
    states = rig.observer.states
    rig.observer.until(rig.at_rest, "rest")
    rig.observer.until(
        lambda: rig.observer.reports.get("sim_driver", {}).get("watchdog_trips") == "1",
        "the driver's report of its watchdog",
    )
    slower = [s for s in states if s.velocity_rad_s[0] < 0.95 * SPEED_RAD_S]
    braked_s = next(s.received_s for s in slower if s.received_s > killed_s)
    reason = rig.observer.reports["sim_driver"]["message"]
    return Seen(reaction=1e3 * (braked_s - killed_s), state="dead", reason=reason)


def stop_driver(rig: Rig) -> Seen:
    """Let the driver hang until the filter brakes: no joint states come."""
    stopped_s = rig.driver.signal(signal.SIGSTOP)
    rig.wait_for_state("braking", "latched")
    rig.driver.signal(signal.SIGCONT)
    return _latched(rig, stopped_s)


def freeze_values(rig: Rig) -> Seen:
    """Repeat the joint states with stamps that go on, until the arm rests."""
    frozen_s = rig.relay.signal(signal.SIGUSR1)
    rig.wait_for_state("braking")
    rig.observer.until(rig.at_rest, "rest while the measurement is frozen")
    rig.relay.signal(signal.SIGUSR1)
    return _latched(rig, frozen_s)


def fuzz(rig: Rig) -> Seen:
    """Feed malformed commands, after each few a valid one with permuted joints."""
    rig.driving = False
    fuzzer = Fuzzer(ROBOT.joint_names, "observer", seed=os.getpid())
    since_s = time.monotonic()
    expected: Counter[Rejection] = Counter()
    outputs = rig.observer.outputs
    for _ in range(_BATCHES):
        bad = list(islice(fuzzer.malformed(outputs[-1].state_stamp_ns), _BATCH))
        expected.update(cause for _, cause in bad)
        rig.send_in_sequence(
            [message for message, _ in bad],
            lambda stamp_ns: fuzzer.permuted(stamp_ns, VELOCITY_RAD_S),
        )
    rig.driving = True
    rig.wait_for_rejections(expected)
    return _unmoved(rig, since_s, f"{expected.total()} messages rejected")


def wrong_stamps(rig: Rig) -> Seen:
    """Send commands of the opposite motion that are repeated, out of order, old, or of tomorrow."""
    # The observer may have been late itself, and its steady command with it.
    rig.wait_for_report()
    before = rig.rejections()
    rig.driving = False
    since_s = time.monotonic()
    old_ns = round((rig.watchdogs.command_timeout_s + 10.0) * NS_PER_S)
    command = CommandMessage(ROBOT.joint_names, "joint_velocity", "observer", 0.04)
    rig.send_in_sequence([])
    for _ in range(_BATCHES):
        last = rig.observer.outputs[-1].command_stamp_ns
        for stamp in (last, last - 1, last - old_ns, last + 60 * NS_PER_S):
            rig.commands.publish(command.fill(stamp, _OPPOSITE))
        rig.send_in_sequence([])
    rig.driving = True
    expected = Counter(
        {
            Rejection.FUTURE: _BATCHES,
            Rejection.OLD: _BATCHES,
            Rejection.OUT_OF_ORDER: 2 * _BATCHES,
        }
    )
    rig.wait_for_rejections(before + expected)
    return _unmoved(rig, since_s, f"{expected.total()} messages rejected")


def jump(rig: Rig) -> Seen:
    """Let the stamps jump, and wait until a command of the new epoch is in force."""
    outputs = rig.observer.outputs
    before_ns = outputs[-1].command_stamp_ns
    jumped_s = rig.relay.signal(signal.SIGUSR1)
    rig.observer.until(
        lambda: abs(outputs[-1].command_stamp_ns - before_ns) > HOUR_S / 2 * NS_PER_S,
        "a command of the new epoch",
    )
    seen = _unmoved(rig, jumped_s, "")
    return Seen(reaction=seen.reaction, state=seen.state, reason=f"epochs {rig.report['epochs']}")


def pause(rig: Rig) -> Seen:
    """Stop the driver, later the policy, each for longer than every watchdog."""
    states = rig.observer.states
    first, paused_s = len(states), time.monotonic()
    for process in (rig.driver, rig.source):
        _pause_process(rig, process)
        rig.further_outputs()
    # Now: while a report is waited for, a fast machine moves the arm on to its limits.
    changed = float(rig.changed_outputs(paused_s))
    rig.wait_for_report()
    stamps = [s.stamp_ns for s in states[first:]]
    steps = {later - earlier for earlier, later in pairwise(stamps)}
    # Not by one period alone: the driver publishes a state again that nobody answers, and an
    # observer that the machine keeps waiting loses some. That no time passed in the pause tells the
    # filter, which stays armed only where each cycle is one period later than the last.
    went_on = all(step >= 0 for step in steps)
    reason = "went on where it was" if went_on else f"time went on by {steps} ns"
    return Seen(reaction=changed, state=rig.state, reason=reason)


def _pause_process(rig: Rig, process: Process) -> None:
    process.signal(signal.SIGSTOP)
    rig.observer.pause(_PAUSE_S)
    rig.wait_for_report()
    if rig.state != "armed":
        raise FaultError(f"{rig.state} during the pause: {rig.report['reason']}")
    process.signal(signal.SIGCONT)


def deaf_filter(rig: Rig) -> Seen:
    """Appear as a source that the filter cannot hear."""
    qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    since_s = time.monotonic()
    rig.observer.node.create_publisher(JointTrajectory, "policy/command", qos)
    return _refused(rig, since_s)


def deaf_controller(rig: Rig) -> Seen:
    """Appear as a controller that cannot hear the filter."""
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    since_s = time.monotonic()
    rig.observer.node.create_subscription(Float64MultiArray, COMMANDS, lambda _: None, qos)
    return _refused(rig, since_s)


def _refused(rig: Rig, since_s: float) -> Seen:
    """Try to arm until it is refused because of the QoS."""
    message, refused_s = "", 0.0

    def refused() -> bool:
        nonlocal message, refused_s
        done, message = rig.arm()
        refused_s = time.monotonic()
        if done:
            rig.arm(on=False)
            rig.wait_for_state("disarmed")
        return "QoS" in message

    rig.observer.until(refused, "a refusal")
    rig.wait_for_report()
    return Seen(reaction=1e3 * (refused_s - since_s), state=rig.state, reason=message)


def second_source(rig: Rig) -> Seen:
    """Send one message, see that nothing changes, and a second one."""
    outputs = rig.observer.outputs
    since_s = time.monotonic()
    intruder = CommandMessage(ROBOT.joint_names, "joint_velocity", "intruder", 0.04)
    rig.commands.publish(intruder.fill(outputs[-1].state_stamp_ns, _OPPOSITE))
    rig.further_outputs()
    if rig.changed_outputs(since_s):
        return Seen(reaction=1.0, state=rig.state, reason=rig.report["reason"])
    rig.commands.publish(intruder.fill(outputs[-1].state_stamp_ns, _OPPOSITE))
    rig.wait_for_state("disarmed")
    rig.braked_s(since_s)
    return Seen(reaction=2.0, state=rig.state, reason=rig.report["reason"])


def _overload_s(rig: Rig) -> float:
    """Return how long the filter is kept from running, for the cycles to be missed surely."""
    return (rig.watchdogs.missed_cycles + 1) / RATES.filter_rate_hz


def overload_by_stop(rig: Rig) -> Seen:
    """Stop the filter for some cycles; what it needs after them is added to those it may miss."""
    rig.filter.signal(signal.SIGSTOP)
    rig.observer.pause(_overload_s(rig))
    resumed_s = rig.filter.signal(signal.SIGCONT)
    rig.wait_for_state("latched")
    return _braked(rig, resumed_s, rig.watchdogs.missed_cycles * CYCLE_MS)


def overload_by_hog(rig: Rig) -> Seen:
    """Keep the filter from running by a process of a higher priority on the same core."""
    core = max(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{rig.filter.pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
    hog = rig.start("benchmarks.faults.hog", str(core), str(_overload_s(rig)))
    hog.supervised = False
    rig.observer.until(lambda: "ready" in hog.output, "the busy process")
    hog.signal(signal.SIGUSR1)
    rig.wait_for_state("latched")
    rig.observer.until(lambda: not hog.running(), "the end of the busy process")
    freed_s = float(hog.output.split()[1])
    return _braked(rig, freed_s, rig.watchdogs.missed_cycles * CYCLE_MS)


def emergency_stop(rig: Rig) -> Seen:
    """Stop, then kill the latched filter and start it again."""
    stopped_s = rig.stop()
    seen = _latched(rig, stopped_s)
    rig.observer.until(rig.at_rest, "rest")
    rig.filter.kill()
    rig.observer.reports.clear()
    rig.start_filter()
    rig.observer.until(lambda: rig.report, "the report of the new filter")
    return Seen(reaction=seen.reaction, state=rig.state, reason=rig.report["reason"])
