import math
import types

import numpy as np
import pytest

from sinew_core.action import ActionDecoder, ActionParameters, make_action_spec, nudged
from sinew_core.errors import ConfigError
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.dynamics import joint_inertia
from sinew_core.specs import ActionSpec

NAMES = ("a", "b")
ROBOT = types.SimpleNamespace(
    joint_names=NAMES,
    limits=types.SimpleNamespace(
        velocity_rad_s=np.array([2.0, 4.0]), effort_nm=np.array([80.0, 10.0])
    ),
    home_rad=np.array([0.5, -1.0]),
)
PANDA = load_robot("panda")
CHAIN = PANDA.chain


@pytest.mark.parametrize(
    ("mode", "scale"),
    [
        ("joint_velocity", (1.0, 2.0)),  # half of (2, 4) rad/s
        ("joint_position", (0.02, 0.04)),  # a quarter of (2, 4) rad/s for 0.04 s
    ],
)
def test_the_scale_is_a_fraction_of_the_limits(mode, scale):
    fractions = ActionParameters(velocity_fraction=0.5, position_fraction=0.25)
    spec = make_action_spec(mode, ROBOT, Rates(), fractions)
    assert spec.scale == pytest.approx(scale)


def test_an_effort_is_at_most_what_accelerates_the_joint_as_asked():
    fractions = ActionParameters(effort_fraction=0.2, effort_acceleration_rad_s2=4.0)
    spec = make_action_spec("joint_effort", PANDA, Rates(), fractions)
    largest, wanted = 0.2 * PANDA.limits.effort_nm, 4.0 * joint_inertia(PANDA)
    assert spec.scale == pytest.approx(np.minimum(largest, wanted))
    assert (wanted < largest).any()
    assert (largest < 4.0 * 10.0 * joint_inertia(PANDA)).any()


def test_a_tool_velocity_has_three_components_and_the_joints_share_of_their_limits():
    fractions = ActionParameters(velocity_fraction=0.5, tool_speed_m_s=0.2)
    spec = make_action_spec("tool_velocity", ROBOT, Rates(), fractions)
    assert (spec.components, spec.scale, spec.unit) == (("x", "y", "z"), (0.2,) * 3, "m/s")
    assert (spec.size, spec.n_joints, spec.command_mode) == (3, 2, "joint_velocity")
    assert (spec.tool.joint_speed_rad_s, spec.tool.home_rad) == ((1.0, 2.0), (0.5, -1.0))


def test_an_unknown_mode_is_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean 'joint_effort'"):
        make_action_spec("joint_efort", ROBOT, Rates())


def decode(mode, action, position=(0.5, -0.5)):
    decoder = ActionDecoder(ActionSpec(mode=mode, joint_names=NAMES, scale=(2.0, 0.5)), CHAIN)
    command = decoder.decode(np.array(action, dtype=np.float32), np.array(position), np.zeros(2))
    return command.tolist(), decoder.action.tolist()


def test_a_velocity_action_is_scaled():
    assert decode("joint_velocity", [0.5, -1.0]) == ([1.0, -0.5], [0.5, -1.0])


def test_an_action_beyond_one_is_clipped():
    assert decode("joint_effort", [3.0, -7.0]) == ([2.0, -0.5], [1.0, -1.0])


def test_a_position_action_counts_from_the_measured_position():
    # 0.5 + 0.25 * 2 = 1; -0.5 + 1 * 0.5 = 0
    assert decode("joint_position", [0.25, 1.0])[0] == [1.0, 0.0]


def test_not_a_number_is_passed_on_for_the_filter_to_refuse():
    command, _ = decode("joint_velocity", [math.nan, 0.0])
    assert math.isnan(command[0])


def test_nudges_rest_or_move_one_joint_by_each_size_and_way():
    spec = ActionSpec(mode="joint_velocity", joint_names=NAMES, scale=(2.0, 0.5))
    assert nudged(spec, [0.25, 1.0]).nudges == (
        (0.0, 0.0),
        (0.25, 0.0),
        (-0.25, 0.0),
        (1.0, 0.0),
        (-1.0, 0.0),
        (0.0, 0.25),
        (0.0, -0.25),
        (0.0, 1.0),
        (0.0, -1.0),
    )


@pytest.mark.parametrize("sizes", [[0.0], [1.5], [0.5, 0.5], [math.nan]])
def test_a_nudge_that_does_nothing_too_much_or_the_same_is_refused(sizes):
    spec = ActionSpec(mode="joint_velocity", joint_names=NAMES, scale=(2.0, 0.5))
    with pytest.raises(ConfigError, match="give different ones above 0, up to 1"):
        nudged(spec, sizes)
