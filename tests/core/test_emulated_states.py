"""What the joint states and the description of emulated arms hold."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import ConfigError
from sinew_core.robots.catalogue import load_robot
from sinew_sim.emulation.description import published_description
from sinew_sim.emulation.parameters import ArmParameters
from sinew_sim.emulation.publication import StateLayout, Thinning, wrapped

JOINTS = ("base", "elbow", "wrist")
angles = st.lists(st.floats(-50.0, 50.0), min_size=3, max_size=3)


def layout(prefix="", **parameters):
    return StateLayout(JOINTS, prefix, ArmParameters(**parameters))


def merged(messages):
    """Return position, velocity and effort by name, as a subscriber of all messages ends up."""
    found = {}
    for message in messages:
        n = len(message.names)
        assert len(message.position) == n
        assert len(message.velocity) in (0, n)
        assert len(message.effort) in (0, n)
        for k, name in enumerate(message.names):
            assert name not in found
            found[name] = tuple(
                values[k] if values else None
                for values in (message.position, message.velocity, message.effort)
            )
    return found


@given(
    angles,
    angles,
    angles,
    st.permutations(JOINTS),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(["", "left_"]),
)
def test_every_joint_is_told_once_under_its_name(q, v, e, order, parts, apart, prefix):
    told = layout(
        prefix, joint_order=tuple(order), parts=parts, extra_joints=("finger",), extra_apart=apart
    )
    messages = told.messages(q, v, e)
    expected = {prefix + name: values for name, *values in zip(JOINTS, q, v, e, strict=True)}
    found = merged(messages)
    assert found.pop(f"{prefix}finger") == (0.0, 0.0, 0.0)
    assert found == {name: tuple(values) for name, values in expected.items()}
    names = [name for message in messages for name in message.names if name in found]
    assert names == [prefix + name for name in order]
    assert f"{prefix}finger" not in merged(told.messages(q, v, e, with_extra=False))


def test_values_that_an_arm_does_not_tell_are_nan_or_not_there():
    state = [0.1, 0.2, 0.3], [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]
    (message,) = layout(velocity="nans", effort="empty").messages(*state)
    assert message.position == (0.1, 0.2, 0.3)
    assert len(message.velocity) == 3
    assert all(map(math.isnan, message.velocity))
    assert message.effort == ()


@given(st.floats(-100.0, 100.0))
def test_a_wrapped_angle_is_the_same_angle_within_a_turn(angle):
    turned = wrapped(angle)
    assert -math.pi - 1e-9 <= turned <= math.pi + 1e-9
    assert math.cos(turned - angle) == pytest.approx(1.0)


def test_only_endless_joints_jump_at_half_a_turn():
    # 3.2 rad is 3.2 - 2 pi = -3.0832 of a joint that turns without end.
    (message,) = layout(endless_joints=("elbow",)).messages([3.2] * 3, [0.0] * 3, [0.0] * 3)
    assert message.position == pytest.approx((3.2, 3.2 - 2.0 * math.pi, 3.2))


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        (
            {"joint_order": ("base", "elbow")},
            "arm.joint_order do not fit the robot: missing: wrist",
        ),
        ({"endless_joints": ("hand",)}, "arm.endless_joints: the robot has no hand"),
    ],
)
def test_joints_that_are_not_the_robot_s_are_refused(parameters, reason):
    with pytest.raises(ConfigError, match=reason):
        layout(**parameters)


def test_thinned_states_keep_their_mean_rate():
    # Of a second at 1 kHz, 30 Hz leave the states at 0, 34, 67, 100 ms and so on: 30 of them.
    thinning = Thinning(30.0)
    kept = [k for k in range(1000) if thinning.due(k * 1_000_000)]
    assert kept[:4] == [0, 34, 67, 100]
    assert len(kept) == 30


@given(st.lists(st.integers(1, 400), min_size=2, max_size=200), st.sampled_from([10, 30, 100]))
def test_thinned_states_are_never_closer_than_a_period_in_the_mean(steps_ms, rate_hz):
    thinning, stamp, kept = Thinning(rate_hz), 0, []
    for step in steps_ms:
        stamp += step * 1_000_000
        if thinning.due(stamp):
            kept.append(stamp)
    elapsed_s = (stamp - steps_ms[0] * 1_000_000) / 1e9
    assert 1 <= len(kept) <= elapsed_s * rate_hz + 2


@pytest.mark.parametrize("jump_ns", [-5_000_000_000, 5_000_000_000])
def test_a_jump_of_the_clock_does_not_silence_a_thinned_topic(jump_ns):
    thinning = Thinning(30.0)
    assert thinning.due(10_000_000_000)
    assert not thinning.due(10_010_000_000)
    assert thinning.due(10_010_000_000 + jump_ns)


def test_a_description_has_the_prefix_and_the_joints_without_ends():
    robot = load_robot("gen3")
    root = ElementTree.fromstring(published_description(robot.urdf_text, "left_", ("joint_1",)))
    joints = {joint.get("name"): joint for joint in root.findall("joint")}
    assert {f"left_{name}" for name in robot.joint_names} <= joints.keys()
    first, second = joints["left_joint_1"], joints["left_joint_2"]
    assert (first.get("type"), second.get("type")) == ("continuous", "revolute")
    assert first.find("limit").get("upper") is None
    assert float(first.find("limit").get("velocity")) == pytest.approx(1.3963)
    links = {link.get("name") for link in root.findall("link")}
    ends = {joint.find(end).get("link") for joint in joints.values() for end in ("parent", "child")}
    assert ends <= links
    assert all(name.startswith("left_") for name in links)


def test_a_plain_description_stays_as_it_is():
    text = load_robot("panda").urdf_text
    assert published_description(text) is text
