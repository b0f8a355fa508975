"""The supervisor while its outputs reach no arm."""

from __future__ import annotations

import pytest

from sinew_core.safety.supervisor import State
from supervised_world import World

modes = pytest.mark.parametrize("mode", ["joint_velocity", "joint_position"])


def stand_still(world, cycles):
    """Command an arm that does not move, whatever is sent."""
    home = list(world.position)
    for _ in range(cycles):
        world.run(1)
        world.position, world.velocity = list(home), [0.0] * len(home)


@modes
def test_an_arm_that_does_not_follow_is_no_fault_in_shadow_only(mode):
    shadow, live = World(mode, shadow=True).armed(), World(mode).armed()
    stand_still(shadow, 100)
    stand_still(live, 100)
    assert live.supervisor.state in (State.BRAKING, State.LATCHED)
    assert shadow.supervisor.state is State.ARMED
    assert shadow.supervisor.counters["shadow_restarts"] >= 1
    assert not shadow.latches
    # It goes on to answer what is asked for, with other than a hold.
    holds = {(0.0,) * len(shadow.position), tuple(shadow.position)}
    assert not holds & set(shadow.outputs[-20:])


@modes
def test_silence_is_a_fault_in_shadow_too(mode):
    world = World(mode, shadow=True).armed()
    world.run(20)
    world.run(40, commands=False)
    assert world.supervisor.state is State.LATCHED
    assert "command is stale" in world.supervisor.reason
