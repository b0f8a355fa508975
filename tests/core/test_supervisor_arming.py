"""When the safety filter may be armed, and the cycles that it missed before and after."""

from __future__ import annotations

import pytest

from sinew_core.safety.supervisor import State
from supervised_world import PERIOD, World


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
