"""The policy node with a test on both sides of it."""

import dataclasses

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.bundle import load_bundle
from sinew_core.bundle.controller import PolicyController
from sinew_core.robots.catalogue import load_robot
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import to_stamp

MODULE = "sinew_policy.policy"
PANDA = load_robot("panda")
HOME = PANDA.home_rad.tolist()
TARGET = (0.5, 0.1, 0.4)
MS = 1_000_000
START = 1_000 * MS
TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}


def state(stamp, position=HOME, names=PANDA.joint_names, velocity=None):
    message = JointState(name=list(names), position=list(position))
    message.velocity = [0.1] * len(position) if velocity is None else list(velocity)
    message.header.stamp = to_stamp(stamp)
    return message


def target(stamp=0, position=TARGET, frame="panda_link0"):
    message = PoseStamped()
    message.header.stamp = to_stamp(stamp)
    message.header.frame_id = frame
    point = message.pose.position
    point.x, point.y, point.z = position
    message.pose.orientation.w = 1.0
    return message


def object_pose(stamp, position=(0.5, 0.0, 0.03), turn=1.0):
    message = target(stamp, position)
    message.pose.orientation.w = turn
    return message


def write_policy(folder, seed=0, **changes):
    """Write a bundle of a random policy for the Panda; `changes` are of its manifest."""
    manifest = make_manifest(PANDA.joint_names, PANDA.limits, "panda")
    manifest = dataclasses.replace(manifest, **changes)
    return write_sample(folder, make_network((24, 8, 7), seed=seed), manifest)


class Rig:
    """The policy node with the test on both sides of it."""

    def __init__(self, probe, start_node, folder, **parameters):
        given = {"bundle": folder} if folder else {}
        self.process = start_node(MODULE, {**given, **parameters})
        self.probe = probe
        self.commands = probe.listen(JointTrajectory, "policy/command", RELIABLE)
        self.reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
        if parameters.get("autostart", True):
            self.open_topics()
            probe.until(lambda: self.status()[0] == "waiting for joint_states", "the first report")
        else:
            probe.until(lambda: self.status()[0], "the first report")

    def open_topics(self):
        """Make publishers of all that a configured node subscribes."""
        self.states = self.probe.publisher(JointState, "joint_states", RELIABLE)
        self.targets = self.probe.publisher(PoseStamped, "target_pose", RELIABLE)
        self.probe.until(
            lambda: self.probe.node.count_publishers("policy/command"), "the command publisher"
        )

    def status(self):
        """Return (message, values) of the latest report."""
        if not self.reports:
            return "", {}
        latest = self.reports[-1].status[0]
        return latest.message, {pair.key: pair.value for pair in latest.values}

    def until_status(self, part):
        self.probe.until(lambda: part in self.status()[0], f"status '{part}'")

    def until_count(self, key, value):
        self.probe.until(lambda: self.status()[1].get(key) == str(value), f"{key} {value}")

    def until_commands(self, count):
        self.probe.until(lambda: len(self.commands) >= count, f"{count} commands")


class ManagedRig(Rig):
    """A policy node and a manager that asks for transitions."""

    def change(self, name):
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[name]))
        return self.probe.call(ChangeState, "policy/change_state", request).success

    def lifecycle(self):
        return self.probe.call(GetState, "policy/get_state").current_state.label

    def set_bundle(self, folder):
        response = self.probe.call(SetParameters, "policy/set_parameters", bundle_request(folder))
        return response.results[0].successful, response.results[0].reason

    def first_command(self, stamp):
        """Send a target and a state until the answer is there."""
        self.targets.publish(target())
        self.probe.until(
            lambda: self.commands or self.states.publish(state(stamp)), "the first command"
        )

    def swaps(self, first, second):
        """Return the numbers of commands after which `second` may have followed `first`.

        The first command of all, which a test drops, was the first bundle's.
        """
        found = [c.points[0].velocities.tolist() for c in self.commands]
        count = len(found)
        return [
            n for n in range(count + 1) if found == decided((first, n + 1), (second, count - n))[1:]
        ]


def decided(*runs):
    """Return commands at home of (bundle, number) in turn, each of which follows the one before."""
    controller, commands = None, []
    for bundle, number in runs:
        following = PolicyController(bundle, PANDA.chain)
        if controller is not None:
            following.follow(controller)
        controller = following
        commands += [controller.decide(HOME, [0.1] * 7, TARGET).tolist() for _ in range(number)]
    return commands


def bundle_request(folder):
    """Return what asks a policy node to go on with another bundle."""
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=str(folder))
    return SetParameters.Request(parameters=[Parameter(name="bundle", value=value)])


def expected_commands(folder, states, point=TARGET):
    """Compute the commands that the controller gives for (position, velocity) one after another."""
    controller = PolicyController(load_bundle(folder), PANDA.chain)
    return [controller.decide(q, v, point).tolist() for q, v in states]
