"""The policy node as a managed node: transitions, those that are not possible included."""

import pytest
from lifecycle_msgs.msg import Transition, TransitionEvent
from lifecycle_msgs.srv import (
    ChangeState,
    GetAvailableStates,
    GetAvailableTransitions,
)
from policy_rig import (
    HOME,
    MS,
    START,
    TRANSITIONS,
    ManagedRig,
    expected_commands,
    state,
    target,
    write_policy,
)

from sinew_core.bundle.manifest import WEIGHTS_FILE
from sinew_ros.qos import RELIABLE

pytestmark = [pytest.mark.graph, pytest.mark.beside]


def check_what_is_possible(probe):
    states = probe.call(GetAvailableStates, "policy/get_available_states").available_states
    assert {s.label for s in states} >= {"unconfigured", "inactive", "active", "finalized"}
    possible = probe.call(GetAvailableTransitions, "policy/get_available_transitions")
    names = {t.transition.label for t in possible.available_transitions}
    assert names == {"deactivate", "shutdown"}
    graph = probe.call(GetAvailableTransitions, "policy/get_transition_graph")
    assert {t.transition.label for t in graph.available_transitions} >= {*TRANSITIONS, "shutdown"}


def until_a_state_has_come(rig):
    rig.targets.publish(target())
    rig.probe.until(
        lambda: rig.status()[1].get("states", "0") != "0" or rig.states.publish(state(START)),
        "a state",
    )


def configure_again(rig, second):
    assert rig.set_bundle(second) == (True, "")
    assert rig.change("configure")
    assert rig.change("activate")
    rig.commands.clear()
    rig.open_topics()
    rig.first_command(START)
    expected = expected_commands(second, [(HOME, [0.1] * 7)])
    assert rig.commands[0].points[0].velocities.tolist() == expected[0]


def shut_down(rig):
    request = ChangeState.Request(transition=Transition(label="shutdown"))
    assert rig.probe.call(ChangeState, "policy/change_state", request).success
    assert rig.lifecycle() == "finalized"


def test_every_request_is_answered_and_the_node_goes_on(probe, start_node, tmp_path):
    rig = ManagedRig(probe, start_node, write_policy(tmp_path / "a"))
    events = probe.listen(TransitionEvent, "policy/transition_event", RELIABLE)
    rig.first_command(START)
    assert rig.lifecycle() == "active"
    wrong = [
        Transition(id=Transition.TRANSITION_CONFIGURE),
        Transition(id=Transition.TRANSITION_CLEANUP),
        Transition(id=Transition.TRANSITION_ON_CONFIGURE_SUCCESS),
        Transition(id=255),
        Transition(label="activate"),
        Transition(label="no such thing"),
    ]
    for transition in wrong:
        request = ChangeState.Request(transition=transition)
        assert not probe.call(ChangeState, "policy/change_state", request).success
        assert rig.lifecycle() == "active"
    assert "transition no such thing is not possible in state active: choose" in rig.process.output
    rig.states.publish(state(START + 40 * MS))
    rig.until_commands(2)
    check_what_is_possible(probe)

    probe.until(lambda: probe.node.count_publishers("policy/transition_event"), "events")
    assert rig.change("deactivate")
    rig.until_status("inactive: no command is sent")
    rig.states.publish(state(START + 80 * MS))
    rig.until_count("states", int(rig.status()[1]["states"]) + 1)
    assert rig.change("activate")
    rig.states.publish(state(START + 120 * MS))
    rig.until_commands(3)
    stamps = [c.header.stamp.nanosec // MS + c.header.stamp.sec * 1000 for c in rig.commands]
    assert stamps == [1000, 1040, 1120]
    goals = [event.goal_state.label for event in events]
    assert [goals[i] for i in (-3, -1)] == ["inactive", "active"]


def test_left_to_a_manager_it_goes_all_the_way_and_back(probe, start_node, tmp_path):
    first, second = write_policy(tmp_path / "a", seed=0), write_policy(tmp_path / "b", seed=1)
    damaged = write_policy(tmp_path / "damaged")
    (damaged / WEIGHTS_FILE).write_bytes(b"")
    rig = ManagedRig(probe, start_node, "", autostart=False)
    assert rig.lifecycle() == "unconfigured"
    assert not rig.change("activate")
    assert not rig.change("configure")
    rig.until_status("unconfigured: bundle is empty: set it to")
    assert rig.set_bundle(damaged) == (True, "")
    assert not rig.change("configure")
    rig.until_status("policy.safetensors: expected SHA-256")
    assert rig.set_bundle(first) == (True, "")
    assert rig.change("configure")
    rig.open_topics()
    until_a_state_has_come(rig)
    assert rig.lifecycle() == "inactive"
    assert rig.commands == []
    assert rig.change("activate")
    rig.first_command(START)
    assert not rig.change("cleanup")
    assert rig.change("deactivate")
    assert rig.change("cleanup")
    rig.until_status("unconfigured: no command is sent")
    probe.until(lambda: not probe.node.count_publishers("policy/command"), "no publisher")

    configure_again(rig, second)
    shut_down(rig)
    assert not rig.change("configure")
    assert rig.set_bundle(first) == (
        False,
        "bundle: the node is finalized: start it again with another one",
    )


def test_in_lockstep_a_state_that_came_while_inactive_is_answered_on_activation(
    probe, start_node, tmp_path
):
    rig = ManagedRig(probe, start_node, write_policy(tmp_path / "a"), pace="lockstep")
    assert rig.change("deactivate")
    rig.states.publish(state(START))
    rig.targets.publish(target(START))
    rig.until_count("states", 1)
    assert rig.commands == []
    assert rig.change("activate")
    rig.until_commands(1)
