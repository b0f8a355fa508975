"""Joint states into arrays beside rosbags, and thousands of damaged bags."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader

from benchmarks.bag.damage import Outcome, read_damaged
from benchmarks.bag.mutations import HEADROOM_BYTES, LIMIT_S, write_originals
from benchmarks.bag.samples import NAMES, STATE, STORE, Message, joint_state, motion, write_bag
from benchmarks.bounded import Bounded
from benchmarks.comparison import Comparison, Goal, alternate
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from sinew_core.bags.bag import Bag
from sinew_core.bags.reader import read_joint_states, read_recording
from sinew_core.robots.arrays import Array

TOPIC = "/joint_states"
PEER = "rosbags"
GOAL = 8.0
MUTATIONS = 10_000
CASES = (
    ("mcap", "", GOAL),
    ("sqlite3", "", GOAL),
    ("mcap", "storage", None),
    ("sqlite3", "message", None),
)
"""Storage, compression, and the goal of the ratio; None only informs."""
_SPEED_NOTE = (
    "Joint states: messages per second of the processor, from the closed bag to arrays of stamps, "
    "positions, velocities and efforts of seven joints, a command between each two states; both "
    "sides read the same file. The peer reads with AnyReader, deserialises each message with its "
    "own deserialisation, and stacks the arrays; both give the same numbers, which is checked."
)
_WHOLE_NOTE = (
    "Whole recordings: our read_recording, which also reads the commands, checks stamps, gaps and "
    "units, and compares clocks; beside the peer's joint states alone."
)
_MUTATION_NOTE = (
    "Damaged bags: bits flipped, bytes overwritten, cut, inserted, removed, repeated and cleared, "
    "lengths made huge, metadata garbled, in bags of both storages, plain, split and of every "
    "compression. Each is to be read or refused with one line. A process has "
    f"{HEADROOM_BYTES >> 20} MiB of address space beside what it starts with, and {LIMIT_S} s for "
    "a bag."
)


def run(report: Report, options: Options) -> None:
    """Compare the speed, then read damaged bags."""
    n, repeats = (5_000, 3) if options.quick else (30_000, 7)
    progress = Progress("bag", len(CASES) + 3)
    with tempfile.TemporaryDirectory(prefix="sinew-bench-bag-") as name:
        folder = Path(name)
        messages = motion(n)
        for storage, compression, goal in CASES:
            what = f"{storage}{f' compressed by {compression}' if compression else ''}"
            progress.start(f"joint states, {what}")
            path = write_bag(folder / f"{storage}-{compression}", messages, storage, compression)
            report.put(compare(f"joint states, {what}", path, n, repeats, goal))
        progress.start("joint states of two publishers")
        path = write_bag(folder / "partial", with_gripper(messages))
        report.put(
            compare("joint states, mcap, arm and gripper in turn", path, 2 * n, repeats, None)
        )
        progress.start("whole recordings")
        report.put(compare_whole(folder / "mcap-", n, repeats))
        count = MUTATIONS // 20 if options.quick else MUTATIONS
        progress.start(f"{count} damaged bags")
        write_originals(folder / "originals")
        outcomes = list(read_damaged(folder / "originals", count))
    for line in damage_lines(outcomes):
        report.put(line)
    progress.close()


def compare(what: str, path: Path, n: int, repeats: int, goal: float | None) -> Comparison:
    """Read all joint states of a bag with both sides."""
    check_equal(read_ours(path), read_peer(path))
    ours, peer = alternate(
        lambda: n / _processor_s(lambda: read_ours(path)),
        lambda: n / _processor_s(lambda: read_peer(path)),
        repeats,
    )
    return Comparison(
        what=f"{what}, peer {PEER}",
        unit="messages/s",
        ours=ours,
        peer=peer,
        goal=None if goal is None else Goal(bound=goal),
        notes=(_SPEED_NOTE,),
    )


def compare_whole(path: Path, n: int, repeats: int) -> Comparison:
    """Read the whole recording, the peer its joint states."""
    ours, peer = alternate(
        lambda: n / _processor_s(lambda: read_recording(path, NAMES)),
        lambda: n / _processor_s(lambda: read_peer(path)),
        repeats,
    )
    return Comparison(
        what=f"whole recording, mcap, peer {PEER}: joint states alone",
        unit="states/s",
        ours=ours,
        peer=peer,
        notes=(_WHOLE_NOTE,),
    )


def read_ours(path: Path) -> dict[tuple[str, ...], list[Array]]:
    """Return stamps, positions, velocities and efforts by names of joints."""
    bag = Bag(path)
    kinds = read_joint_states(bag, TOPIC)
    bag.close()
    fields = ("stamp_ns", "position", "velocity", "effort")
    return {kind.names: [getattr(kind, field) for field in fields] for kind in kinds}


def read_peer(path: Path) -> dict[tuple[str, ...], list[Array]]:
    """Return the same, deserialised by rosbags."""
    found: dict[tuple[str, ...], list[Any]] = {}
    with AnyReader([path], default_typestore=STORE) as reader:
        connections = [c for c in reader.connections if c.topic == TOPIC]
        for connection, _, data in reader.messages(connections=connections):
            message: Any = reader.deserialize(data, connection.msgtype)
            found.setdefault(tuple(message.name), []).append(message)
    return {
        names: [
            np.array([m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]),
            *(
                np.stack([getattr(m, field) for m in messages])
                for field in ("position", "velocity", "effort")
            ),
        ]
        for names, messages in found.items()
    }


def check_equal(
    ours: dict[tuple[str, ...], list[Array]], peer: dict[tuple[str, ...], list[Array]]
) -> None:
    """Make sure that both sides read the same numbers."""
    assert set(ours) == set(peer)
    for names, arrays in ours.items():
        for mine, theirs in zip(arrays, peer[names], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def with_gripper(messages: list[Message]) -> list[Message]:
    """Return messages with joint states of a gripper among them, as another publisher's."""
    names = ("finger_joint1", "finger_joint2")
    added = []
    for m in messages:
        if m.type_name == STATE:
            data = joint_state(m.time_ns, names, [0.04, 0.04], [0.0, 0.0], [0.0, 0.0])
            added.append(Message(TOPIC, STATE, m.time_ns + 100_000, data))
    return sorted([*messages, *added], key=lambda m: m.time_ns)


def damage_lines(outcomes: list[Outcome]) -> list[Bounded]:
    """Return how many damaged bags did harm, the slowest, and the most memory."""
    bad = [o for o in outcomes if not o.is_good]
    read = sum(o.outcome == "read" for o in outcomes)
    refused = len(outcomes) - read - len(bad)
    told = (
        f"{len(outcomes)} damaged bags: {read} were read, {refused} refused with one line, "
        f"{len(bad)} neither.",
        *(f"Seed {o.seed}: {o.outcome}." for o in bad[:20]),
    )
    peaks = [o.peak_mib for o in outcomes]
    return [
        Bounded(
            what=f"{len(outcomes)} damaged bags: crashes, hangs, errors without a clear line",
            unit="bags",
            samples=[float(len(bad))],
            bound=0.0,
            notes=(_MUTATION_NOTE, *told),
        ),
        Bounded(
            what="damaged bags: the slowest to be read or refused",
            unit="s",
            samples=[None if None in [o.wall_s for o in outcomes] else _largest(outcomes)],
            bound=float(LIMIT_S),
        ),
        Bounded(
            what="damaged bags: most memory of a process that reads them",
            unit="MiB",
            samples=[None if None in peaks else max(p for p in peaks if p is not None)],
            bound=float(HEADROOM_BYTES >> 20),
        ),
    ]


def _largest(outcomes: list[Outcome]) -> float:
    return max(o.wall_s for o in outcomes if o.wall_s is not None)


def _processor_s(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
