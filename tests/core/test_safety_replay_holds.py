"""The replay of holds that follow an arm."""

from __future__ import annotations

import random

from core.test_safety_replay import HOME, PERIOD, World, outputs, replay


def test_a_hold_that_goes_after_an_arm_is_made_again():
    world = World("joint_position")
    world.run(5, rng=random.Random(0))
    for k in range(30):
        world.position = [q + 0.005 * min(k, 20) for q in HOME]
        world.velocity = [0.0] * 7
        world.state()
        world.cycle()
        world.now += PERIOD
        world.stamp += PERIOD
    assert outputs(world.recorded)[-1][4] == tuple(q + 0.1 for q in HOME)
    replayer, _ = replay(world.recorded, "joint_position")
    assert replayer.reproduced == len(outputs(world.recorded))
