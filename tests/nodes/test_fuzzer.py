"""The fuzzer of commands against the gate itself, many more messages than a graph takes."""

from itertools import islice

from benchmarks.faults.fuzz import MAX_LENGTH, Fuzzer
from sinew_core.safety.gate import CommandGate, Rejection

JOINTS = [f"joint{i}" for i in range(1, 8)]
NOW_NS = 5_000_000_000


def gate():
    made = CommandGate(JOINTS, future_ns=20_000_000, old_ns=100_000_000, jump_ns=1_000_000_000)
    made.observe_state(NOW_NS)
    return made


def checked(the_gate, message, stamp_ns=NOW_NS):
    points = [point.velocities for point in message.points]
    return the_gate.check(NOW_NS, stamp_ns, message.header.frame_id, message.joint_names, points)


def test_every_malformed_message_is_rejected_for_its_cause():
    the_gate = gate()
    made = list(islice(Fuzzer(JOINTS, "me", seed=1).malformed(NOW_NS), 4000))
    assert [checked(the_gate, message) for message, _ in made] == [cause for _, cause in made]
    causes = {cause for _, cause in made}
    assert causes == {Rejection.POINTS, Rejection.NAMES, Rejection.LENGTH, Rejection.NOT_FINITE}
    lengths = {len(point.velocities) for message, _ in made for point in message.points}
    assert lengths == set(range(MAX_LENGTH + 1))


def test_permuted_joints_are_the_same_command():
    fuzzer = Fuzzer(JOINTS, "me", seed=2)
    velocities = [0.1 * i for i in range(7)]
    messages = [fuzzer.permuted(NOW_NS, velocities) for _ in range(50)]
    assert len({tuple(m.joint_names) for m in messages}) > 40
    assert all(checked(gate(), message) == velocities for message in messages)
