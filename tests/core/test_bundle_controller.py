import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.action import ActionDecoder, make_action_spec
from sinew_core.bundle import load_bundle
from sinew_core.bundle.controller import ControlTicks, PolicyController, StampEpochs
from sinew_core.environments import ArmEnv
from sinew_core.observation import ObservationBuilder, Signals, reach_observation_spec
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot

PANDA = load_robot("panda")
MS = 1_000_000
AT_REST = [0.0] * 7


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    manifest = make_manifest(PANDA.joint_names, PANDA.limits, "panda")
    folder = tmp_path_factory.mktemp("controller") / "bundle"
    return load_bundle(write_sample(folder, make_network((24, 8, 7)), manifest))


def reference(bundle, position, velocity, target, previous_action):
    """Compute observation and command by the parts that the environment uses."""
    signals = Signals(7)
    signals.joint_position[:] = position
    signals.joint_velocity[:] = velocity
    signals.target_position_base[:] = target
    signals.previous_action[:] = previous_action
    builder = ObservationBuilder(bundle.specification.observation, PANDA.chain)
    observation = builder.build(signals)
    decoder = ActionDecoder(bundle.specification.action, PANDA.chain)
    command = decoder.decode(
        bundle.policy.act(observation), signals.joint_position, signals.joint_velocity
    )
    return observation, command, decoder.action


def test_the_second_decision_sees_the_first_action(bundle):
    controller = PolicyController(bundle, PANDA.chain)
    position, target = PANDA.home_rad.tolist(), [0.5, 0.1, 0.4]
    _, expected, action = reference(bundle, position, AT_REST, target, AT_REST)
    assert np.array_equal(controller.decide(position, AT_REST, target), expected)
    observation, expected, _ = reference(bundle, position, AT_REST, target, action)
    assert np.array_equal(controller.decide(position, AT_REST, target), expected)
    assert np.array_equal(controller.observation, observation)


@pytest.mark.parametrize(("mode", "size"), [("tool_velocity", 3), ("joint_acceleration", 7)])
def test_a_policy_of_another_action_commands_the_environment_s_bits(mode, size, tmp_path):
    action = make_action_spec(mode, PANDA, Rates())
    manifest = dataclasses.replace(
        make_manifest(PANDA.joint_names, PANDA.limits, "panda"),
        action=action.to_mapping(),
        observation=reach_observation_spec(PANDA.limits, action=action).to_mapping(),
    )
    bundle = load_bundle(write_sample(tmp_path / "b", make_network((17 + size, 8, size)), manifest))
    controller = PolicyController(bundle, PANDA.chain)
    env = ArmEnv(engine="mujoco", action_mode=mode)
    observation, _ = env.reset(seed=0)
    signals = env.signals
    for _ in range(5):
        command = controller.decide(
            signals.joint_position.tolist(),
            signals.joint_velocity.tolist(),
            signals.target_position_base.tolist(),
        )
        assert controller.observation.tobytes() == observation.tobytes()
        action = bundle.policy.act(observation)
        assert (
            command.tobytes()
            == env.decoder.decode(action, signals.joint_position, signals.joint_velocity).tobytes()
        )
        observation = env.step(action)[0]
    env.close()


def test_forgetting_starts_with_a_previous_action_of_zero(bundle):
    controller = PolicyController(bundle, PANDA.chain)
    position, target = PANDA.home_rad.tolist(), [0.5, 0.1, 0.4]
    first = controller.decide(position, AT_REST, target).copy()
    second = controller.decide(position, AT_REST, target).copy()
    controller.forget()
    assert np.array_equal(controller.decide(position, AT_REST, target), first)
    assert not np.array_equal(first, second)


def test_fields_far_outside_the_training_range_are_named(bundle):
    network = bundle.network
    spec = bundle.specification.observation
    where = spec.slice("joint_velocity")
    controller = PolicyController(bundle, PANDA.chain, unusual_std=20.0)
    # The sample network's normaliser: mean of some 1, standard deviation of at most 2, so that a
    # scaled velocity of 100 lies more than 20 of them away, and usual signals do not.
    usual = (network.observation_mean[where] / spec.fields[1].scale).tolist()
    controller.decide(PANDA.home_rad.tolist(), usual, [0.5, 0.1, 0.4])
    assert controller.unusual == ()
    fast = [100.0 / scale for scale in spec.fields[1].scale]
    controller.decide(PANDA.home_rad.tolist(), fast, [0.5, 0.1, 0.4])
    assert controller.unusual == ("joint_velocity",)


def test_lockstep_decides_at_multiples_of_the_control_period():
    ticks = ControlTicks(25, lockstep=True)
    due = [ms for ms in range(1000, 1100, 10) if ticks.is_due(ms * MS)]
    assert due == [1000, 1040, 1080]


def test_lockstep_decides_at_rates_whose_period_is_no_whole_number_of_nanoseconds():
    ticks, answered = ControlTicks(30, lockstep=True), []
    for i in range(600):  # states at 60 Hz
        stamp = 10**9 + i * 10**9 // 60
        if ticks.is_due(stamp):
            assert ticks.answered(stamp) == bool(answered)
            answered.append(i)
    assert answered == list(range(0, 600, 2))


def test_real_time_decides_on_the_first_state_of_each_period():
    ticks = ControlTicks(25, lockstep=False)
    answered = []
    for ms in (1003, 1013, 1039, 1041, 1079, 1095, 1121):
        if ticks.is_due(ms * MS):
            ticks.answered(ms * MS)
            answered.append(ms)
    assert answered == [1003, 1041, 1095, 1121]


@given(st.lists(st.integers(0, 10**10), max_size=50).map(sorted), st.sampled_from([10, 25, 30]))
def test_real_time_never_decides_twice_in_a_period(stamps, rate_hz):
    ticks = ControlTicks(rate_hz, lockstep=False)
    answered = []
    for stamp in stamps:
        if ticks.is_due(stamp):
            ticks.answered(stamp)
            answered.append(stamp // ticks.period_ns)
    assert len(answered) == len(set(answered))
    assert set(answered) == {stamp // ticks.period_ns for stamp in stamps}


def decisions(stamps, **rates):
    ticks = ControlTicks(500, lockstep=False, **rates)
    return [stamp for stamp in stamps if ticks.is_due(stamp) and [ticks.answered(stamp)]]


@given(st.lists(st.integers(-400_000, 400_000), min_size=3, max_size=100), st.integers(0, 2 * MS))
def test_every_state_is_answered_where_there_is_one_for_each_decision(jitter_ns, phase_ns):
    # Neighbours are at least 2 - 2 * 0.4 = 1.2 ms apart, more than half a control period.
    stamps = [2 * MS * (100 + i) + phase_ns + jitter for i, jitter in enumerate(jitter_ns)]
    assert decisions(stamps, state_rate_hz=500) == stamps


def test_a_driver_that_is_faster_than_said_does_not_make_the_policy_faster():
    # 600 Hz instead of 500: 5 of 6 states are answered, and half a period's worth at the start.
    stamps = [10**9 + i * 10**9 // 600 for i in range(6000)]
    assert 5000 <= len(decisions(stamps, state_rate_hz=500)) <= 5002
    assert len(decisions(stamps)) == 5000


@pytest.mark.parametrize(
    ("lockstep", "gap_ms", "in_force"),
    [
        (True, 40, True),
        (True, 80, False),
        (True, -40, False),
        (False, 40, True),
        (False, 99, True),
        (False, 101, False),
        (False, -50, False),
    ],
)
def test_the_previous_action_is_in_force_only_without_a_gap(lockstep, gap_ms, in_force):
    ticks = ControlTicks(25, lockstep=lockstep)
    assert not ticks.answered(2000 * MS)
    assert ticks.answered((2000 + gap_ms) * MS) is in_force


@pytest.mark.parametrize(
    ("jump_ms", "new"), [(40, False), (1000, False), (1001, True), (-40, False), (-41, True)]
)
def test_a_jump_of_the_stamps_is_a_new_epoch_once(jump_ms, new):
    epochs, ticks = StampEpochs(40 * MS), ControlTicks(25, lockstep=False)
    assert not epochs.begins(5000 * MS)
    ticks.answered(5000 * MS)
    after_ms = 5000 + jump_ms
    assert epochs.begins(after_ms * MS) is new
    assert ticks.is_due(after_ms * MS) or not new
    assert not epochs.begins((after_ms + 1) * MS)


def run_on(controller, ticks, position=None):
    at = PANDA.home_rad.tolist() if position is None else position
    return [controller.decide(at, AT_REST, [0.5, 0.1, 0.4]).tolist() for _ in range(ticks)]


def test_a_controller_that_follows_its_equal_commands_what_that_would_have(bundle):
    one, other = (PolicyController(bundle, PANDA.chain) for _ in range(2))
    run_on(one, 3)
    other.follow(one)
    assert run_on(other, 3) == run_on(one, 3)
    fresh = PolicyController(bundle, PANDA.chain)
    assert run_on(fresh, 1) != run_on(other, 1)


def scaled(tmp_path, factor, mode="joint_velocity"):
    action = make_action_spec(mode, PANDA, Rates())
    action = dataclasses.replace(action, scale=tuple(factor * s for s in action.scale))
    manifest = dataclasses.replace(
        make_manifest(PANDA.joint_names, PANDA.limits, "panda"),
        action=action.to_mapping(),
        observation=reach_observation_spec(PANDA.limits, action=action).to_mapping(),
    )
    network = make_network((17 + action.size, 8, action.size))
    folder = tmp_path / f"{mode}{factor}"
    return PolicyController(load_bundle(write_sample(folder, network, manifest)), PANDA.chain)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_followed_action_is_what_asked_for_the_same_in_the_own_scale(tmp_path, factor):
    one, other = scaled(tmp_path, 1.0), scaled(tmp_path, factor)
    run_on(one, 2)
    other.follow(one)
    # An action of 1 stands for `factor` times as much: the same velocity is 1 / factor of it, and
    # where that is more than any action of the follower's, its largest comes closest.
    expected = np.clip(one.signals.previous_action / factor, -1.0, 1.0)
    assert np.any(one.signals.previous_action != 0.0)
    assert np.allclose(other.signals.previous_action, expected, rtol=1e-15, atol=0.0)


def test_an_action_of_another_mode_is_not_carried_over(tmp_path):
    one, other = scaled(tmp_path, 1.0), scaled(tmp_path, 1.0, "tool_velocity")
    run_on(one, 2)
    run_on(other, 2)
    other.follow(one)
    assert np.all(other.signals.previous_action == 0.0)


@pytest.mark.parametrize("mode", ["joint_velocity", "tool_velocity", "joint_acceleration"])
def test_what_is_not_finite_leaves_nothing_behind(tmp_path, mode):
    one, fresh = scaled(tmp_path, 1.0, mode), scaled(tmp_path, 1.0, mode)
    run_on(one, 3)
    # A finite double that is infinite as float32, so that infinities meet in the network.
    huge = [1e39, -1e39, *AT_REST[2:]]
    command = one.decide(PANDA.home_rad.tolist(), huge, [0.5, 0.1, 0.4])
    assert not np.isfinite(command).all()
    assert run_on(one, 3) == run_on(fresh, 3)
