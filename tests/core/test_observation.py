import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sinew_core.errors import BundleError
from sinew_core.observation import ObservationBuilder, Signals, reach_observation_spec
from sinew_core.specs import FieldSpec, ObservationSpec

LIMITS = types.SimpleNamespace(
    position_lower_rad=np.array([-2.0, -4.0]),
    position_upper_rad=np.array([1.0, 0.5]),
    velocity_rad_s=np.array([2.0, 5.0]),
)
FINITE = st.floats(-3.0, 3.0)


def planar_tool(q, out):
    """Two links of 1 m in the plane z = 0.5 m."""
    out[0] = np.cos(q[0]) + np.cos(q[0] + q[1])
    out[1] = np.sin(q[0]) + np.sin(q[0] + q[1])
    out[2] = 0.5


def make_signals(position, velocity, target, action):
    signals = Signals(2)
    signals.joint_position[:] = position
    signals.joint_velocity[:] = velocity
    signals.target_position_base[:] = target
    signals.previous_action[:] = action
    return signals


def test_reach_observation_by_hand():
    builder = ObservationBuilder(reach_observation_spec(LIMITS, reach_m=0.5), planar_tool)
    signals = make_signals([0.0, 0.0], [1.0, -2.5], [2.5, 1.0, 0.25], [0.25, -1.0])
    # positions / (2, 4); velocities / (2, 5); target - (2, 0, 0.5) = (0.5, 1, -0.25) m, / 0.5 m
    expected = [0.0, 0.0, 0.5, -0.5, 1.0, 2.0, -0.5, 0.25, -1.0]
    observation = builder.build(signals)
    assert observation.dtype == np.float32
    assert observation.tolist() == expected
    assert builder.tool_position_base.tolist() == [2.0, 0.0, 0.5]


def test_the_larger_position_limit_counts_as_one():
    builder = ObservationBuilder(reach_observation_spec(LIMITS), planar_tool)
    observation = builder.build(make_signals([-2.0, -4.0], [0, 0], [0, 0, 0], [0, 0]))
    assert observation[:2].tolist() == [-1.0, -1.0]


def test_build_writes_into_the_given_array():
    builder = ObservationBuilder(reach_observation_spec(LIMITS), planar_tool)
    signals = make_signals([0.1, 0.2], [0, 0], [1, 1, 1], [0, 0])
    out = np.empty(9, dtype=np.float32)
    assert builder.build(signals, out) is out
    assert out.tolist() == builder.build(signals).tolist()


@settings(max_examples=50)
@given(
    arrays(np.float64, (4, 2), elements=FINITE),
    arrays(np.float64, (2, 3), elements=FINITE),
)
def test_relabelling_equals_building_with_the_other_target(joints, targets):
    fields = (
        *reach_observation_spec(LIMITS, reach_m=0.3).fields,
        cartesian_field("target_position_base"),
        cartesian_field("tool_position_base"),
    )
    builder = ObservationBuilder(ObservationSpec(fields), planar_tool)
    before = builder.build(make_signals(joints[0], joints[1], targets[0], joints[3]))
    tool = builder.tool_position_base.copy()
    after = builder.build(make_signals(joints[0], joints[1], targets[1], joints[3]))
    kept = before.copy()
    relabelled = builder.relabel(before[None], tool[None], targets[1][None])
    assert relabelled.tobytes() == after[None].tobytes()
    assert before.tobytes() == kept.tobytes()


def test_a_chain_and_its_function_give_the_same_bits():
    class Planar:
        def tool_position(self, q):
            out = np.zeros(3)
            planar_tool(q, out)
            return out

    spec = reach_observation_spec(LIMITS)
    signals = make_signals([0.3, -0.7], [0.1, 0.2], [1.1, 0.2, 0.3], [0.5, 0.6])
    by_chain = ObservationBuilder(spec, Planar()).build(signals)
    by_function = ObservationBuilder(spec, planar_tool).build(signals)
    assert by_chain.tobytes() == by_function.tobytes()


def cartesian_field(name, size=3):
    return FieldSpec(
        name=name, size=size, unit="m", frame="base", scale=(2.0,) * size, description="test"
    )


def test_a_field_that_nobody_can_compute_is_refused():
    with pytest.raises(BundleError, match="did you mean 'tool_position_base'"):
        ObservationBuilder(ObservationSpec((cartesian_field("tool_position_bse"),)), planar_tool)


def test_fields_that_disagree_on_the_number_of_joints_are_refused():
    good = reach_observation_spec(LIMITS).fields
    odd = FieldSpec(
        name="joint_velocity", size=3, unit="", frame="joint", scale=(1.0,) * 3, description="x"
    )
    with pytest.raises(BundleError, match="joint_velocity: size 3: expected 2"):
        ObservationBuilder(ObservationSpec((good[0], odd)), planar_tool)
