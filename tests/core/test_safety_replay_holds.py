"""The replay of holds that follow an arm."""

from __future__ import annotations

import random

import pytest

from core.test_safety_replay import HOME, PERIOD, World, outputs, records, replay


def measure(world, position, cycles=1):
    for _ in range(cycles):
        world.position, world.velocity = list(position), [0.0] * 7
        world.state()
        world.cycle()
        world.now += PERIOD
        world.stamp += PERIOD


def guided():
    """An arm that is guided by 0.2 rad, is followed, and so once more."""
    world = World("joint_position")
    world.run(35, rng=random.Random(0))
    for begin in (0.0, 0.2):
        for k in range(21):
            measure(world, [q + begin + 0.01 * k for q in HOME])
        measure(world, world.position, 300)
    assert outputs(world.recorded)[-1][4] == pytest.approx([q + 0.4 for q in HOME], abs=0.003)
    return world.recorded


def test_a_hold_that_goes_after_an_arm_is_made_again():
    recorded = guided()
    replayer, _ = replay(recorded, "joint_position")
    assert replayer.reproduced == len(outputs(recorded))


def test_of_a_recording_that_begins_while_it_does_the_rest_is_made_again():
    recorded = guided()
    told = records(recorded)
    first = next(i for i, r in enumerate(told) if i > 10 and r.measured)
    # Once among the slow steps, once among the fast ones.
    for begin in (first + 20, first + 105):
        assert told[begin].measured
        stood = next(i for i, r in enumerate(told) if i > begin and not r.measured)
        replayer, _ = replay(recorded[recorded.index(outputs(recorded)[begin]) :], "joint_position")
        assert (replayer.unchecked, replayer.reproduced) == (stood - begin, len(told) - stood)


def test_nor_does_a_gap_in_the_recording_let_it_say_that_an_output_is_wrong():
    recorded = guided()
    told = records(recorded)
    first = next(i for i, r in enumerate(told) if i > 10 and r.measured)
    lost = outputs(recorded)[first + 30 : first + 35]
    replayer, _ = replay([e for e in recorded if e not in lost], "joint_position")
    assert replayer.missing == 5
    assert replayer.reproduced + replayer.unchecked + 5 == len(told)
