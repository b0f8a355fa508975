"""A motion of three joints as messages, which tests change before they are written to a bag."""

import math

import numpy as np

from benchmarks.bag.samples import START_NS, STATE, Message, joint_state, write_bag
from sinew_core.bags.reader import read_recording

JOINTS = ("a", "b", "c")
PERIOD_NS = 2_000_000
N = 300


def wave(time_s, joints=3):
    phase = np.arange(joints)
    return np.sin(math.pi * time_s + phase), math.pi * np.cos(math.pi * time_s + phase)


class Motion:
    """Joint states of three joints as lists that a test changes before they are written."""

    def __init__(self, n=N):
        self.stamps = [START_NS + i * PERIOD_NS for i in range(n)]
        self.logs = [s + 300_000 for s in self.stamps]
        self.names = [list(JOINTS)] * n
        motion = [wave(i * PERIOD_NS * 1e-9) for i in range(n)]
        self.position, self.velocity = [q for q, _ in motion], [v for _, v in motion]
        self.effort = [np.ones(3)] * n
        self.extra = []

    def read(self, tmp_path, joints=JOINTS, topic="/joint_states", **options):
        columns = (self.stamps, self.names, self.position, self.velocity, self.effort)
        rows = zip(self.logs, *columns, strict=True)
        states = [Message(topic, STATE, log, joint_state(*row)) for log, *row in rows]
        path = write_bag(tmp_path / "bag", [*states, *self.extra])
        return read_recording(path, joints, **options)


def kinds(recording):
    """Return the defects but for the absence of commands."""
    return {d.kind: d for d in recording.defects if d.kind != "no_commands"}
