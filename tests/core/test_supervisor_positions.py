"""The state machine of the safety filter when commands are positions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sinew_core.safety.gate import Rejection
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.supervisor import State
from supervised_world import FIRST_SAMPLES, MS, PERIOD, ROBOT, SPEED, World

HOME = tuple(ROBOT.home_rad.tolist())
PERIOD_S = PERIOD / 1e9
P = SafetyParameters()


def make_world(**arguments):
    return World("joint_position", **arguments)


def accelerations(outputs):
    """Those of the reference (n_cycles - 2, n_joints), per period."""
    return np.diff(np.array(outputs), n=2, axis=0) / PERIOD_S**2


def test_nothing_is_published_before_a_state_is_known_and_then_the_measured_position():
    world = make_world()
    assert world.cycle() is None
    world.pass_time()
    world.run(40)
    # The first joint states may be wrong ones: they have to persist.
    assert world.outputs[:FIRST_SAMPLES] == [None] * FIRST_SAMPLES
    assert set(world.outputs[FIRST_SAMPLES:]) == {HOME}


def test_armed_follows_safe_positions_bit_for_bit():
    world = make_world().armed()
    slow = [0.01 * v for v in SPEED]
    world.run(1)  # the filter starts from a state that is newer than the arming
    for _ in range(30):
        world.state()
        wanted = world.ahead(slow)
        world.command(wanted)
        assert world.cycle() == tuple(wanted)
        world.pass_time()


def test_arming_without_a_command_moves_nothing():
    world = make_world().armed()
    world.run(20, commands=False)
    assert world.supervisor.state is State.ARMED
    assert set(world.outputs) == {HOME}


def test_disarming_brakes_and_holds_the_last_reference():
    world = make_world().armed()
    world.run(30)
    world.supervisor.disarm()
    assert world.supervisor.state is State.BRAKING
    world.run(20)
    assert world.supervisor.state is State.DISARMED
    assert len(set(world.outputs[-10:])) == 1
    assert world.outputs[-1] != HOME
    allowed = ROBOT.limits.acceleration_rad_s2 * P.acceleration_scale
    assert np.all(np.abs(accelerations(world.outputs)) <= allowed + 1e-6)


def test_arming_again_goes_on_from_the_reference_and_not_from_the_noise_on_top():
    world = make_world().armed()
    world.run(30)
    world.supervisor.disarm()
    world.run(20)
    reference = world.outputs[-1]
    world.position = [q + 0.9 * P.noise_rad for q in world.position]
    world.velocity = [0.0] * 7
    world.armed()
    world.run(1, commands=False)
    assert world.outputs[-1] == reference


def test_silence_brakes_then_latches_at_rest():
    world = make_world().armed()
    world.run(30)
    world.run(9, commands=False)
    assert world.supervisor.state is State.ARMED
    world.run(2, commands=False)
    assert "command is stale" in world.supervisor.reason
    world.run(20, commands=False)
    assert world.supervisor.state is State.LATCHED
    assert len(set(world.outputs[-5:])) == 1


def test_stale_states_brake_on_the_reference_and_rest_is_judged_on_measurements():
    world = make_world().armed()
    world.run(30)
    world.run(5, states=False)
    assert world.supervisor.state is State.BRAKING
    world.run(20, states=False)
    assert world.outputs[-1] == world.outputs[-2]
    assert world.supervisor.state is State.BRAKING
    world.run(1)
    assert world.supervisor.state is State.LATCHED


def test_frozen_positions_brake_while_motion_is_commanded_only():
    world = make_world().armed()
    for _ in range(50):
        world.state()
        world.command(HOME)
        world.cycle()
        world.pass_time()
    assert world.supervisor.state is State.ARMED
    # 0.04 s ahead is a millimetre or more of travel a period, less than the tracking error in all.
    for _ in range(6):
        world.position, world.velocity = list(HOME), [0.0] * 7
        world.run(1)
    assert "frozen" in world.supervisor.reason


def test_missed_cycles_let_the_reference_start_from_rest_and_three_latch():
    world = make_world().armed()
    world.run(30)
    reference = world.outputs[-1]
    world.pass_time()
    world.velocity = [0.0] * 7
    world.run(1)
    # The drive came to rest meanwhile: one period of acceleration is what is left.
    allowed = ROBOT.limits.acceleration_rad_s2 * P.acceleration_scale * PERIOD_S**2
    assert np.all(np.abs(np.subtract(world.outputs[-1], reference)) <= allowed + 1e-12)
    assert world.supervisor.state is State.ARMED
    for _ in range(3):
        world.pass_time()
    world.run(1)
    assert "3 cycles were missed" in world.supervisor.reason


def test_an_arm_that_does_not_follow_is_a_fault():
    world = make_world().armed()
    world.run(10)
    world.position = [q + 0.2 for q in world.position]
    world.run(1)
    assert "observer_empty" in world.supervisor.reason
    world.run(30)
    assert world.supervisor.state is State.LATCHED


@pytest.mark.parametrize("bad", [[math.nan] * 7, [math.inf] * 7, [0.0] * 6, []])
def test_a_malformed_position_is_rejected_and_moves_nothing(bad):
    world = make_world().armed()
    world.state()
    why = world.command(bad)
    assert why in (Rejection.NOT_FINITE, Rejection.LENGTH)
    assert "velocit" not in why.value
    assert world.cycle() == HOME


def test_lockstep_reset_and_arm_start_from_the_new_state_exactly():
    world = make_world(lockstep=True).armed()
    for _ in range(8):
        world.state()
        world.command()
        world.cycle()
        world.pass_time()
    world.state()
    world.supervisor.disarm()
    assert world.cycle() is None
    # Nearer than the tracking error, so that only the clock tells that the arm was placed.
    world.stamp = 2_000 * MS
    world.position, world.velocity = [q + 0.001 for q in HOME], [0.0] * 7
    world.state()
    assert world.supervisor.arm(world.now) == ""
    world.command([q + 1.0 for q in HOME])
    step = np.subtract(world.cycle(), world.position)
    usable = ROBOT.limits.acceleration_rad_s2 * P.acceleration_scale * PERIOD_S**2
    assert step == pytest.approx(usable, rel=1e-9)


@pytest.mark.parametrize("mode", ["joint_velocity", "joint_position"])
def test_lockstep_disarm_and_arm_without_a_reset_goes_on_with_the_motion(mode):
    through, interrupted = (World(mode, lockstep=True).armed() for _ in range(2))
    for cycle in range(20):
        for world in (through, interrupted):
            world.state()
            world.command()
            if cycle == 10 and world is interrupted:
                world.supervisor.disarm()
                assert world.cycle() is None
                assert world.supervisor.arm(world.now) == ""
            world.cycle()
            world.pass_time()
    assert through.outputs == [o for o in interrupted.outputs if o is not None]


@pytest.mark.parametrize("seed", range(20))
def test_the_reference_keeps_every_limit_whatever_happens(seed):
    rng = np.random.default_rng(seed)
    world = make_world().armed()
    for _ in range(60):
        match rng.integers(0, 6):
            case 0:
                world.run(5, commands=False)
            case 1:
                world.run(3, states=False)
            case 2:
                world.supervisor.disarm()
            case 3:
                world.supervisor.arm(world.now)
            case _:
                wild = (np.array(HOME) + rng.uniform(-4.0, 4.0, 7)).tolist()
                for _ in range(8):
                    world.state()
                    world.command(wild)
                    world.cycle()
                    world.pass_time()
    outputs = np.array(world.outputs)
    inset = P.margin_rad + P.tracking_error_rad
    limits = ROBOT.limits
    assert np.all(outputs >= limits.position_lower_rad + inset - 1e-9)
    assert np.all(outputs <= limits.position_upper_rad - inset + 1e-9)
    assert np.all(np.abs(np.diff(outputs, axis=0)) <= limits.velocity_rad_s * PERIOD_S + 1e-9)
    allowed = limits.acceleration_rad_s2 * P.acceleration_scale
    assert np.all(np.abs(accelerations(world.outputs)) <= allowed + 1e-6)
