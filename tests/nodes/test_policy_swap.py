"""Another bundle for a running policy node: without a gap in the commands, or refused."""

import dataclasses
import errno
import os
import shutil

import pytest
from policy_rig import (
    MS,
    PANDA,
    START,
    ManagedRig,
    bundle_request,
    decided,
    state,
    write_policy,
)
from rcl_interfaces.srv import SetParameters

from bundle_samples import make_manifest
from push_samples import write_push_bundle
from sinew_core.action import make_action_spec
from sinew_core.bundle import load_bundle
from sinew_core.bundle.manifest import ONNX_FILE, WEIGHTS_FILE
from sinew_core.rates import Rates
from sinew_ros.stamps import stamp_ns

pytestmark = [pytest.mark.graph, pytest.mark.beside]

PERIOD = 40 * MS
VELOCITY = [0.1] * 7


class Stream:
    """Control ticks one after another, each of which waits for its command."""

    def __init__(self, rig):
        self.rig = rig
        self.stamp = START
        rig.first_command(START)
        rig.commands.clear()
        self.sent = []

    def tick(self):
        self.stamp += PERIOD
        self.sent.append(self.stamp)
        self.rig.states.publish(state(self.stamp))
        self.rig.until_commands(len(self.sent))


def open_pipe(path, probe):
    """Return the writing end of a pipe once somebody reads the other, and so waits in it."""
    opened = []

    def is_read():
        try:
            opened.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        return opened

    probe.until(is_read, "the bundle being read")
    os.set_blocking(opened[0], True)
    return os.fdopen(opened[0], "wb")


def into_pipe(folder):
    """Let the load of a bundle stand still in the middle, in a pipe; return it and its content."""
    onnx = folder / ONNX_FILE
    content = onnx.read_bytes()
    onnx.unlink()
    os.mkfifo(onnx)
    return onnx, content


def test_commands_go_on_while_a_bundle_is_loaded_and_across_the_swap(probe, start_node, tmp_path):
    first, second = write_policy(tmp_path / "a", seed=0), write_policy(tmp_path / "b", seed=1)
    bundles = load_bundle(first), load_bundle(second)
    onnx, content = into_pipe(second)
    rig = ManagedRig(probe, start_node, first)
    client = probe.node.create_client(SetParameters, "policy/set_parameters")
    probe.until(client.service_is_ready, "the parameter service")
    stream = Stream(rig)
    future = client.call_async(bundle_request(second))
    with open_pipe(onnx, probe) as pipe:
        for _ in range(10):
            stream.tick()
        assert not future.done()
        assert rig.lifecycle() == "active"
        pipe.write(content)
    while not future.done() and len(stream.sent) < 1000:
        stream.tick()
    during = len(stream.sent)
    for _ in range(5):
        stream.tick()
    result = future.result().results[0]
    assert (result.successful, result.reason) == (True, "")
    assert [stamp_ns(c.header.stamp) for c in rig.commands] == stream.sent
    assert {c.header.frame_id for c in rig.commands} == {"/policy"}
    (swapped,) = rig.swaps(*bundles)
    assert 10 <= swapped <= during
    rig.until_count("swaps", 1)
    assert rig.status()[1]["bundle"] == str(second)

    # Inactive, it takes another one just as well.
    assert rig.change("deactivate")
    assert rig.set_bundle(first) == (True, "")
    rig.until_count("swaps", 2)
    assert rig.change("activate")
    stream.tick()
    last = rig.commands.pop().points[0].velocities.tolist()
    runs = (swapped + 1, len(rig.commands) - swapped, 1)
    assert last == decided(*zip((*bundles, bundles[0]), runs, strict=True))[-1]


def unfit(tmp_path):
    """Return bundles that the running graph cannot go on with, by the reason."""
    names = tuple(reversed(PANDA.joint_names))
    turned = make_manifest(names, PANDA.limits, "panda")
    limits = dataclasses.replace(PANDA.limits, velocity_rad_s=0.9 * PANDA.limits.velocity_rad_s)
    positions = make_action_spec("joint_position", PANDA, Rates())
    fast = Rates(physics_rate_hz=500, state_rate_hz=250, filter_rate_hz=250, control_rate_hz=25)
    return {
        "joint_names: expected panda_joint7": write_policy(
            tmp_path / "joints", joint_names=names, action=turned.action
        ),
        "control_rate_hz: expected 50, found 25: ": write_policy(
            tmp_path / "rate", rates=Rates(control_rate_hz=50).to_mapping()
        ),
        "filter_rate_hz: expected at least 250, found 100: ": write_policy(
            tmp_path / "filter", rates=fast.to_mapping()
        ),
        "mode: expected joint_position, found joint_velocity: ": write_policy(
            tmp_path / "mode", action=positions.to_mapping()
        ),
        "velocity_rad_s of panda_joint1: expected 1.9575, found 2.175: ": write_policy(
            tmp_path / "limits", limits=limits.to_mapping()
        ),
        "found object_pose, allowed what the running policy sees: ": write_push_bundle(
            tmp_path / "push"
        ),
        "folder: expected a readable folder": tmp_path / "none",
        "policy.safetensors: expected SHA-256": damaged(tmp_path),
        "bundle is empty": "",
    }


def test_what_does_not_fit_is_refused_and_the_running_bundle_goes_on(probe, start_node, tmp_path):
    rig = ManagedRig(probe, start_node, write_policy(tmp_path / "a"))
    stream = Stream(rig)
    stream.tick()
    for reason, folder in unfit(tmp_path).items():
        successful, found = rig.set_bundle(folder)
        assert (successful, reason in found, "\n" in found) == (False, True, False), found
        stream.tick()
    assert [stamp_ns(c.header.stamp) for c in rig.commands] == stream.sent
    rig.until_count("swaps", 0)
    assert rig.status()[1]["bundle"] == str(tmp_path / "a")
    running = load_bundle(tmp_path / "a")
    assert rig.swaps(running, running)


def damaged(tmp_path):
    folder = shutil.copytree(tmp_path / "a", tmp_path / "damaged")
    (folder / WEIGHTS_FILE).write_bytes(b"")
    return folder
