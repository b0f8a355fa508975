"""The state machine of the safety filter on a clock made by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.errors import ConfigError
from sinew_core.rates import Rates
from sinew_core.safety.gate import Rejection
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.supervisor import State
from sinew_core.safety.watchdogs import SupervisorParameters, check_watchdogs
from supervised_world import MS, PERIOD, ROBOT, SPEED, World


def test_disarmed_holds_whatever_is_commanded():
    world = World()
    world.run(20)
    assert world.supervisor.state is State.DISARMED
    assert not any(any(output) for output in world.outputs)


def test_armed_follows_safe_commands_bit_for_bit():
    world = World().armed()
    world.run(30)
    assert world.outputs[-1] == tuple(SPEED)


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda w: None, "no complete joint state"),
        (lambda w: (w.state(), setattr(w, "now", w.now + 31 * MS)), "stale: 0.031 s"),
        (lambda w: (w.state(), w.supervisor.stop("pressed")), "latched (pressed)"),
        (lambda w: (w.state(), w.supervisor.arm(w.now)), "already armed"),
        (lambda w: (w.state(), w.command(source="a"), w.command(source="b")), "2 sources"),
    ],
)
def test_arming_is_refused_with_the_reason(prepare, reason):
    world = World()
    prepare(world)
    assert reason in world.supervisor.arm(world.now)


def test_obstacles_found_by_the_node_refuse_arming():
    world = World()
    world.state()
    assert world.supervisor.arm(world.now, ["QoS does not fit"]) == "QoS does not fit"


def test_an_arm_that_nobody_watches_is_not_armed_and_brakes_when_its_guard_dies():
    world = World(guard_timeout_s=0.2)
    world.state()
    assert world.supervisor.arm(world.now) == "nobody watches the arm: ~/guard was not heard yet"
    world.supervisor.guard.heard(world.now)
    assert world.supervisor.arm(world.now) == ""
    for _ in range(5):
        world.supervisor.guard.heard(world.now)
        world.run(4)
    # The last sign of life is 40 ms old: 0.2 s are over in the 17th cycle from here.
    world.run(17)
    assert world.supervisor.state is State.ARMED
    world.run(1)
    assert world.supervisor.state is State.BRAKING
    assert world.supervisor.reason == "nobody watches the arm: ~/guard was last heard 0.210 s ago"
    world.run(200)
    assert world.supervisor.state is State.LATCHED
    assert not any(world.velocity)
    world.state()
    assert world.supervisor.clear(world.now) == ""
    assert "last heard 2." in world.supervisor.arm(world.now)


def test_silence_brakes_within_timeout_and_a_cycle_then_latches():
    world = World().armed()
    world.run(30)
    # The last command came at the start of the last cycle: 0.1 s is 10 cycles, braking begins in
    # the 11th, the first whose age is more than the timeout.
    world.run(9, commands=False)
    assert world.supervisor.state is State.ARMED
    world.run(2, commands=False)
    assert world.supervisor.state is State.BRAKING
    assert world.latches == [world.supervisor.reason]
    # At half the limits: 0.3 rad/s at 10 rad/s² of joint 7 end in 0.03 s, the others sooner.
    world.run(4, commands=False)
    assert world.supervisor.state is State.LATCHED
    assert not any(world.outputs[-1])


def test_a_longer_command_timeout_takes_effect_at_once():
    world = World().armed()
    world.run(30)
    world.supervisor.set_command_timeout(0.2)
    # As above with 20 cycles instead of 10.
    world.run(19, commands=False)
    assert world.supervisor.state is State.ARMED
    world.run(2, commands=False)
    assert world.supervisor.state is State.BRAKING


def test_the_stamp_of_an_old_command_is_forgotten_by_arming():
    world = World().armed()
    world.run(30)
    assert world.supervisor.command_stamp_ns > 0
    world.supervisor.disarm()
    world.run(20)
    world.armed()
    assert world.supervisor.command_stamp_ns == 0


def test_stale_states_brake_on_the_reference():
    world = World().armed()
    world.run(30)
    world.run(5, states=False)
    assert world.supervisor.state is State.BRAKING
    assert "stale" in world.supervisor.reason
    world.run(5, states=False)
    assert not any(world.outputs[-1])
    assert world.supervisor.state is State.BRAKING  # rest is judged on measurements
    world.run(1)
    assert world.supervisor.state is State.LATCHED


def test_frozen_positions_brake_while_motion_is_commanded_only():
    world = World().armed()
    at_rest = [0.0] * 7
    for _ in range(50):
        world.state()
        world.command(at_rest)
        world.cycle()
        world.pass_time()
    assert world.supervisor.state is State.ARMED
    frozen = list(world.position)
    for _ in range(10):
        world.position = frozen
        world.run(1)
    assert world.supervisor.state in (State.BRAKING, State.LATCHED)


def test_three_missed_cycles_latch_and_one_does_not():
    world = World().armed()
    world.run(30)
    world.pass_time()
    world.run(3)
    assert world.supervisor.state is State.ARMED
    assert world.supervisor.counters["cycles_missed"] == 1
    for _ in range(3):
        world.pass_time()
    world.run(1)
    assert world.supervisor.state is State.BRAKING
    assert "3 cycles were missed" in world.supervisor.reason


def test_teleporting_an_armed_arm_is_a_fault():
    world = World().armed()
    world.run(10)
    world.position = [q + 0.2 for q in world.position]
    world.run(2)
    assert world.supervisor.state in (State.BRAKING, State.LATCHED)
    assert "observer_empty" in world.supervisor.reason


def test_a_second_source_that_sends_twice_disarms_without_latching():
    world = World().armed()
    world.run(10)
    assert world.command(source="other") is Rejection.SOURCE
    assert world.supervisor.state is State.ARMED
    world.command(source="other")
    world.run(10)
    assert world.supervisor.state is State.DISARMED
    assert not world.latches


@pytest.mark.parametrize("jump_s", [-3600, 3600, -2])
def test_a_jump_of_the_clock_is_counted_and_changes_no_motion(jump_s):
    world = World().armed()
    world.run(30)
    world.stamp += jump_s * 1000 * MS
    world.run(30)
    assert world.supervisor.gate.epochs == 1
    assert world.supervisor.state is State.ARMED
    assert set(world.outputs[30:]) == {tuple(SPEED)}


def test_a_pause_of_lockstep_time_is_a_hold():
    world = World(lockstep=True).armed()
    assert world.cycle() is None
    world.now += 3600_000 * MS
    assert not world.state()
    assert world.cycle() is None
    world.command()
    assert world.cycle() is not None


def test_lockstep_answers_each_state_once_and_waits_at_control_ticks():
    world = World(lockstep=True).armed()
    answered = []
    for _ in range(12):
        world.state()
        if world.supervisor.cycle(world.now) is None:
            assert world.stamp % (4 * PERIOD) == 0
            world.command()
            world.velocity = list(world.supervisor.cycle(world.now))
        assert world.supervisor.cycle(world.now) is None
        answered.append(world.supervisor.answered_stamp_ns)
        assert world.state()  # published again: the same answer is to be sent again
        world.pass_time()
    assert answered == [1_000 * MS + k * PERIOD for k in range(12)]


def test_a_reset_of_an_armed_lockstep_world_is_a_fault():
    world = World(lockstep=True).armed()
    world.command()
    world.cycle()
    world.stamp += 1_000 * MS
    world.state()
    assert world.supervisor.state is State.BRAKING
    assert "one filter period" in world.supervisor.reason


def test_lockstep_disarm_reset_arm_starts_at_rest_from_the_new_state():
    world = World(lockstep=True).armed()
    for _ in range(8):
        world.state()
        world.command()
        world.cycle()
        world.pass_time()
    world.state()
    world.supervisor.disarm()
    assert world.supervisor.state is State.DISARMED
    assert world.cycle() is None
    world.stamp = 2_000 * MS
    world.position, world.velocity = ROBOT.home_rad.tolist(), [0.0] * 7
    world.state()
    assert world.supervisor.arm(world.now) == ""
    world.command([5.0] * 7)
    # From rest one period of acceleration, less what the drive's errors may take.
    usable = ROBOT.limits.acceleration_rad_s2[1] * SafetyParameters().acceleration_scale
    per_period = usable * 0.01
    assert 0.9 * per_period < world.cycle()[1] <= per_period


def test_a_lockstep_command_may_overtake_its_state():
    world = World(lockstep=True)
    world.stamp -= 4 * PERIOD
    world.armed()
    world.command()
    assert world.cycle() is not None
    for _ in range(3):
        world.pass_time()
        world.state()
        assert world.cycle() is not None
    world.pass_time()
    world.command()
    assert world.cycle() is None
    world.state()
    assert world.cycle() is not None


def test_stop_latches_in_every_state_and_clear_needs_rest_and_fresh_data():
    world = World().armed()
    world.run(30)
    world.supervisor.stop("pressed")
    assert world.latches == ["pressed"]
    assert world.supervisor.clear(world.now) == "the filter is braking"
    world.run(6)
    assert world.supervisor.state is State.LATCHED
    moving = world.velocity
    world.velocity = [0.1] * 7
    world.state()
    assert "moves at 0.100" in world.supervisor.clear(world.now)
    world.velocity = moving
    world.pass_time()
    world.state()
    world.now += 31 * MS
    assert "stale" in world.supervisor.clear(world.now)
    world.pass_time()
    world.state()
    assert world.supervisor.clear(world.now) == ""
    assert world.supervisor.state is State.DISARMED


def test_a_latch_found_at_the_start_holds():
    world = World(latched="pressed yesterday")
    world.run(3)
    assert "pressed yesterday" in world.supervisor.arm(world.now)
    assert not any(any(output) for output in world.outputs)


events = st.lists(
    st.sampled_from(
        ["run", "silent", "blind", "skip", "jump", "teleport", "nan", "other", "arm", "disarm"]
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(before=events, after=events)
def test_the_latch_is_monotone_and_every_output_finite(before, after):
    world = World().armed()

    def happen(event):
        match event:
            case "run":
                world.run(5)
            case "silent":
                world.run(5, commands=False)
            case "blind":
                world.run(5, states=False)
            case "skip":
                world.pass_time()
            case "jump":
                world.stamp += 7200_000 * MS
            case "teleport":
                world.position = ROBOT.home_rad.tolist()
            case "nan":
                world.command([math.nan] * 7)
            case "other":
                world.command(source="other")
            case "arm":
                world.supervisor.arm(world.now)
            case "disarm":
                world.supervisor.disarm()

    for event in before:
        happen(event)
    world.supervisor.stop("pressed")
    for event in after:
        happen(event)
        assert world.supervisor.state in (State.BRAKING, State.LATCHED)
    world.run(60)
    assert world.supervisor.state is State.LATCHED
    assert len(world.latches) == 1
    assert all(math.isfinite(v) for output in world.outputs for v in output)
    assert not any(world.outputs[-1])


def test_watchdogs_too_short_for_the_rates_are_refused_together():
    rates = Rates(state_rate_hz=50, filter_rate_hz=50, control_rate_hz=10)
    with pytest.raises(ConfigError, match=r"2.5 control periods, 0.25 s.*3 state periods, 0.06 s"):
        check_watchdogs(SupervisorParameters(), rates)
    check_watchdogs(SupervisorParameters(), Rates())


@pytest.mark.parametrize("lockstep", [False, True])
def test_it_tells_the_newest_state_that_was_seen_while_armed(lockstep):
    world = World(lockstep=lockstep).armed()
    world.run(6)
    last = world.stamp - PERIOD
    assert world.supervisor.armed_until_ns == last
    world.supervisor.stop("pressed")
    world.run(3)
    assert world.supervisor.armed_until_ns == last
    assert world.stamp - PERIOD > last


def test_a_state_that_came_at_the_wrong_time_is_none_of_an_armed_arm():
    world = World(lockstep=True).armed()
    world.run(6)
    last = world.stamp - PERIOD
    world.stamp += PERIOD  # one period left out
    world.state()
    assert world.supervisor.state is State.BRAKING
    assert world.supervisor.armed_until_ns == last


def test_a_new_arming_counts_anew():
    world = World(lockstep=True).armed()
    world.run(6)
    world.supervisor.disarm()
    assert world.supervisor.armed_until_ns == world.stamp - PERIOD
    world.armed()
    world.run(2)
    assert world.supervisor.armed_until_ns == world.stamp - PERIOD
