"""When the safety filter may be armed, and the cycles that it missed before and after."""

from __future__ import annotations

import pytest

from sinew_core.safety.gate import Rejection
from sinew_core.safety.supervisor import State
from supervised_world import PERIOD, SPEED, World


def test_a_moving_arm_is_not_armed_but_in_lockstep_and_in_shadow():
    for world, refusal in (
        (World(), "the arm moves at 0.030 rad/s"),
        (World(lockstep=True), ""),
        (World(shadow=True), ""),
    ):
        world.velocity = [0.0, -0.03, 0.0, 0.0, 0.0, 0.0, 0.0]
        world.state()
        assert world.supervisor.arm(world.now) == refusal
    world = World()
    world.velocity = [0.02] * 7
    world.armed()


def test_missed_cycles_are_counted_in_every_state_from_zero_on():
    world = World()
    assert dict(world.supervisor.counters) == {"cycles_missed": 0}
    world.run(5)
    world.pass_time()
    world.run(1)
    assert world.supervisor.counters["cycles_missed"] == 1
    world.supervisor.stop("pressed")
    for _ in range(4):
        world.pass_time()
    world.run(1)
    assert world.supervisor.counters["cycles_missed"] == 5
    assert world.supervisor.reason == "pressed"


@pytest.mark.parametrize("mode", ["joint_velocity", "joint_position", "joint_effort"])
def test_braking_begins_at_once_after_a_pause_however_long(mode):
    world = World(mode).armed()
    world.run(10)
    # An hour at 100 Hz, and a thousand years: a loop over them would not end.
    for pause in (360_000, 3_000_000_000_000):
        world.now += pause * PERIOD
        world.cycle()
        assert world.supervisor.state is State.BRAKING
        assert "cycles were missed" in world.supervisor.reason


@pytest.mark.parametrize(
    "event",
    [
        lambda w: w.supervisor.stop("pressed"),
        lambda w: w.supervisor.disarm(),
        lambda w: w.supervisor.call_off(),
        lambda w: w.supervisor.request(),
    ],
    ids=["stop", "disarm", "call_off", "another"],
)
def test_what_comes_after_a_request_to_arm_calls_it_off(event):
    world = World().known()
    number = world.supervisor.request()
    event(world)
    world.run(2, commands=False)
    world.state()
    assert world.supervisor.clear(world.now) == ""
    refusal = world.supervisor.arm(world.now, request=number)
    assert refusal == "a stop, a loss or another call came while the controller was asked"
    assert world.supervisor.state is State.DISARMED
    assert world.supervisor.arm(world.now, request=world.supervisor.request()) == ""


@pytest.mark.parametrize(
    "fault",
    [
        lambda w: w.run(30, commands=False),
        lambda w: w.run(10, states=False),
        lambda w: [w.command(source="other") for _ in range(2)],
    ],
    ids=["silence", "blind", "second source"],
)
def test_a_fault_calls_a_request_off_that_came_before_it(fault):
    world = World().armed()
    world.run(10)
    number = world.supervisor.request()
    fault(world)
    world.run(30, commands=False)
    world.state()
    assert world.supervisor.clear(world.now) == ""
    assert "came while the controller was asked" in world.supervisor.arm(world.now, request=number)


def test_a_stop_of_a_latched_filter_calls_a_request_off_too():
    world = World(latched="pressed yesterday").known()
    number = world.supervisor.request()
    world.supervisor.stop("pressed again")
    world.state()
    assert world.supervisor.clear(world.now) == ""
    assert world.supervisor.arm(world.now, request=number)


def test_armings_are_counted_whatever_the_clock_of_the_stamps_does():
    world = World()
    assert world.supervisor.armings == 0
    world.armed()
    world.run(30)
    assert world.supervisor.arm(world.now)
    asked = world.supervisor.armed_until_ns
    # The clock goes back by an hour while it is armed, then the policy falls silent.
    world.stamp -= 3600_000_000_000
    world.run(30)
    world.run(30, commands=False)
    assert world.supervisor.state is State.LATCHED
    assert world.supervisor.armed_until_ns < asked
    assert world.supervisor.armings == 1
    world.state()
    assert world.supervisor.clear(world.now) == ""
    world.armed()
    assert world.supervisor.armings == 2


def test_a_stray_message_after_arming_does_not_shut_out_the_policy():
    world = World().known().armed()
    world.run(1, commands=False)
    assert world.command(source="stray", names=["x"]) is Rejection.NAMES
    world.run(30)
    assert world.supervisor.state is State.ARMED
    assert world.outputs[-1] == tuple(SPEED)


def test_a_second_source_in_lockstep_brakes_at_its_second_message():
    world = World(lockstep=True).armed()
    for k in range(2):
        assert world.supervisor.state is State.ARMED
        world.state()
        assert world.command() is None
        # As when the state was published again: the same policy answers once more.
        assert world.command() is None
        assert world.command([-1.0] * 7, source="intruder") is Rejection.SOURCE
        assert world.supervisor.gate.foreign == k + 1
        world.cycle()
        for _ in range(4):
            world.pass_time()
            world.state()
            world.cycle()
    assert world.supervisor.state in (State.BRAKING, State.DISARMED)
    assert world.supervisor.reason == "a second source sends commands"


def test_an_arm_that_was_placed_is_armed_where_it_is_though_the_stamp_is_that_of_the_disarming():
    world = World("joint_position", lockstep=True)
    world.stamp = 4 * PERIOD
    world.armed()
    world.command()
    world.cycle()
    world.supervisor.disarm()
    # The driver is started again: its time begins at zero, and the arm is elsewhere.
    world.position, world.velocity = [q + 0.5 for q in world.position], [0.0] * 7
    for stamp in range(5):
        world.stamp = stamp * PERIOD
        world.state()
    assert world.supervisor.arm(world.now) == ""
    world.command(world.position)
    assert world.cycle() == tuple(world.position)
    assert world.supervisor.state is State.ARMED
