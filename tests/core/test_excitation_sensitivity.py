import numpy as np
import pytest

from sinew_core.errors import ConfigError
from sinew_core.robots import dynamics
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.sysid.excitation.sensitivity import EffortSensitivity
from sinew_core.sysid.regressor import SMOOTHING_RAD_S

ROBOT = load_robot("panda")
ALL = ("mass/*", "coulomb/*", "viscous/*", "armature/*", "payload/mass")
KNOWN = ArmDynamics.from_values(
    ROBOT,
    {
        "coulomb/*": 0.4,
        "viscous/*": 0.3,
        "armature/*": 0.1,
        "payload/mass": 0.7,
        "payload/x_m": 0.1,
    },
)


def motion(samples=20, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(samples, 7)) for _ in range(3))


def efforts_by_python(arm, position, velocity, acceleration):
    """Efforts of the links from the plain inverse dynamics, with frictions and rotors added."""
    chain, bodies, gravity = dynamics.dynamics_rows(ROBOT, arm.bodies(ROBOT))
    rotations, wrenches, rows = [0.0] * 63, [0.0] * 42, []
    for q, v, a in zip(position, velocity, acceleration, strict=True):
        out = [0.0] * 7
        dynamics.rotate_joints(q.tolist(), chain, rotations)
        dynamics.inverse_dynamics(
            rotations, v.tolist(), a.tolist(), chain, bodies, gravity, wrenches, out
        )
        rows.append(out)
    friction = arm.coulomb_nm * np.tanh(velocity / SMOOTHING_RAD_S)
    return (
        np.array(rows)
        + friction
        + arm.viscous_nm_s_rad * velocity
        + (arm.armature_kg_m2 * acceleration)
    )


def test_efforts_are_those_of_the_arm_that_is_known():
    model = EffortSensitivity(ROBOT, KNOWN, ALL)
    effort, _ = model.evaluate(*motion())
    assert np.allclose(effort, efforts_by_python(KNOWN, *motion()), rtol=1e-10, atol=1e-10)


def test_every_column_is_the_change_of_the_efforts_with_its_parameter():
    model = EffortSensitivity(ROBOT, KNOWN, ALL)
    _, columns = model.evaluate(*motion())
    values = KNOWN.values(ROBOT)
    assert len(model.asked) == columns.shape[2] == 29
    for k, asked in enumerate(model.asked):
        # Efforts are linear in each, so one difference is exact.
        changed = ArmDynamics.from_values(ROBOT, {**values, asked.name: values[asked.name] + 0.5})
        difference = efforts_by_python(changed, *motion()) - efforts_by_python(KNOWN, *motion())
        assert np.allclose(columns[:, :, k], difference / 0.5, rtol=1e-7, atol=1e-8), asked.name


def test_the_predicted_deviation_is_the_scatter_of_least_squares():
    model = EffortSensitivity(ROBOT, KNOWN, ("mass/panda_link4", "viscous/*"))
    _, columns = model.evaluate(*motion(samples=60))
    flat = columns.reshape(-1, columns.shape[2])
    scales = np.array([each.scale for each in model.asked])
    information = model.information(columns, noise_nm=0.2)
    predicted = np.sqrt(np.diag(np.linalg.inv(information))) * scales
    noise = np.random.default_rng(1).normal(scale=0.2, size=(len(flat), 4000))
    scatter = (np.linalg.pinv(flat) @ noise).std(axis=1)
    # The deviation of a deviation from 4000 draws is 1 / sqrt(8000) = 1.1 %: 5 of them.
    assert np.allclose(scatter, predicted, rtol=0.06)


def test_patterns_give_each_name_once_in_their_order():
    names = [
        each.name
        for each in EffortSensitivity(ROBOT, KNOWN, ("viscous/panda_joint3", "viscous/*")).asked
    ]
    assert names[0] == "viscous/panda_joint3"
    assert len(names) == len(set(names)) == 7


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("delay_s",), "no motion can be planned for 'delay_s'"),
        (("mass/none",), "unknown name 'mass/none'"),
        (("coulom/*",), r"did you mean 'coulomb/\*'"),
        ((), "parameters is empty"),
    ],
)
def test_what_efforts_do_not_show_is_refused(patterns, message):
    with pytest.raises(ConfigError, match=message):
        EffortSensitivity(ROBOT, KNOWN, patterns)


def test_an_unknown_friction_is_compared_with_a_typical_one():
    model = EffortSensitivity(ROBOT, ArmDynamics.nominal(ROBOT), ("coulomb/panda_joint1",))
    assert model.asked[0].nominal == 0.0
    assert model.asked[0].scale == pytest.approx(0.02 * 87.0)
    assert EffortSensitivity(ROBOT, KNOWN, ("coulomb/panda_joint1",)).asked[0].scale == 0.4
