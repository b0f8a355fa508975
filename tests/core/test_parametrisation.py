"""What is fitted: names from patterns, coordinates to values and back, and files of gains."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import ConfigError
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.inertia import carried_bodies, carrying_links
from sinew_core.robots.link_shape import can_exist, shape_of
from sinew_core.robots.sim_params import load_sim_params
from sinew_core.sysid import log_cholesky
from sinew_core.sysid.controller_file import KnownController, parse_controller, read_controller
from sinew_core.sysid.parametrisation import make_parametrisation

EXAMPLES = Path(__file__).parents[2] / "config" / "controllers"
ROBOTS = {name: load_robot(name) for name in ("panda", "iiwa14")}
PANDA = ROBOTS["panda"]
POSITION = KnownController(mode="position", gains={"kp": np.full(7, 600.0), "kd": np.full(7, 50.0)})
floats = st.floats(-1.5, 1.5)


@pytest.mark.parametrize("robot", ROBOTS.values(), ids=ROBOTS)
def test_the_links_of_a_description_have_coordinates(robot):
    for body in carried_bodies(robot):
        values = np.array([body.mass, *shape_of(body)])
        again = log_cholesky.inertia_of(log_cholesky.coordinates_of(values))
        np.testing.assert_allclose(again, values, rtol=1e-9, atol=1e-12)


@given(st.lists(floats, min_size=10, max_size=10).map(np.array))
def test_any_coordinates_are_a_link_that_can_exist(coordinates):
    values = log_cholesky.inertia_of(coordinates)
    assert values[0] > 0.0
    assert can_exist(values[1:])
    np.testing.assert_allclose(log_cholesky.coordinates_of(values), coordinates, atol=1e-6)


@given(st.lists(floats, min_size=10, max_size=10).map(np.array))
def test_the_jacobian_of_a_links_values_is_that_of_finite_differences(coordinates):
    jacobian = log_cholesky.inertia_jacobian(coordinates)
    for i, unit in enumerate(np.eye(10)):
        high, low = (log_cholesky.inertia_of(coordinates + s * unit) for s in (1e-5, -1e-5))
        slope = (high - low) / 2e-5
        np.testing.assert_allclose(jacobian[:, i], slope, rtol=1e-5, atol=1e-5)


def test_a_unit_cube_of_water_has_its_textbook_coordinates():
    # Side 1 m, 1000 kg: S = m / 12 about the centre, exp(d) = 1 / sqrt(12), a = ln(1000) / 2.
    inertia = 1000.0 / 6.0
    values = np.array([1000.0, 0.1, 0.2, 0.3, inertia, 0, 0, inertia, 0, inertia])
    expected = [0.5 * np.log(1000.0), *[-0.5 * np.log(12.0)] * 3, 0, 0, 0, 0.1, 0.2, 0.3]
    np.testing.assert_allclose(log_cholesky.coordinates_of(values), expected, atol=1e-12)


def test_patterns_give_their_names_in_order():
    asked = ["delay_s", "coulomb/panda_joint2", "mass/*", "payload/mass"]
    names = make_parametrisation(PANDA, asked, POSITION).names
    masses = [f"mass/{link}" for link in carrying_links(PANDA)]
    assert list(names) == [*masses, "coulomb/panda_joint2", "payload/mass", "delay_s"]


def test_unknown_gains_are_fitted_and_known_ones_are_not():
    kd = np.array([50.0, 50.0, np.nan, 50.0, 50.0, 50.0, 50.0])
    known = KnownController(mode="position", gains={"kp": None, "kd": kd})
    names = make_parametrisation(PANDA, ["delay_s"], known).names
    assert list(names) == ["delay_s", *(f"kp/{j}" for j in PANDA.joint_names), "kd/panda_joint3"]


def test_a_whole_link_takes_its_mass_with_it_and_starts_as_described():
    robot = PANDA
    fit = make_parametrisation(robot, ["mass/*", "inertia/panda_link5"], POSITION)
    assert fit.names[:2] == ("mass/panda_link5", "centre_x/panda_link5")
    assert sum(name == "mass/panda_link5" for name in fit.names) == 1
    np.testing.assert_allclose(fit.value_array(fit.start), fit.nominal, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(
        fit.params(fit.start).dynamics.bodies(robot), carried_bodies(robot), strict=True
    ):
        np.testing.assert_allclose(ours.inertia, theirs.inertia, atol=1e-12)


def test_coordinates_reach_the_arm_by_their_names():
    asked = ["mass/*", "inertia/panda_link7", "armature/*", "motor_strength/panda_joint1"]
    known = KnownController(mode="velocity", gains={"kp_v": None, "ki_v": np.zeros(7)})
    fit = make_parametrisation(PANDA, [*asked, "delay_s", "payload"], known)
    rng = np.random.default_rng(3)
    theta = np.clip(fit.start + 20.0 * fit.step * rng.random(fit.size), fit.lower, fit.upper)
    params = fit.params(theta)
    have = params.dynamics.values(PANDA)
    values = fit.values(theta)
    for name in fit.names:
        if not name.startswith("kp_v/"):
            assert have[name] == pytest.approx(values[name], rel=1e-12)
    gains = [values[f"kp_v/{joint}"] for joint in PANDA.joint_names]
    np.testing.assert_allclose(params.controller.gains["kp_v"], gains)
    np.testing.assert_allclose(fit.theta_of(values), theta, rtol=1e-9, atol=1e-9)


def test_the_prior_of_a_mass_is_a_share_of_the_description_and_friction_has_none():
    fit = make_parametrisation(PANDA, ["mass/*", "coulomb/*"], POSITION, prior_relative_sigma=0.1)
    np.testing.assert_allclose(fit.prior_sigma[:7], 0.1 * fit.nominal[:7])
    assert np.isinf(fit.prior_sigma[7:]).all()


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["coulom/*", "mas/*"], r"'coulom/\*': did you mean 'coulomb/\*'.*'mas/\*'"),
        (["coulomb/panda_joint9"], "did you mean 'coulomb/panda_joint"),
        (["sensor_noise/position_rad"], "measured, not fitted"),
        (["centre_x/panda_link4"], "name 'inertia/panda_link4'"),
        (["kp_v/*"], "mode 'position' has kp and kd"),
        ([], "nothing to fit"),
    ],
)
def test_a_pattern_that_stands_for_nothing_is_refused(patterns, message):
    with pytest.raises(ConfigError, match=message):
        make_parametrisation(PANDA, patterns, POSITION)


def test_the_example_of_a_controller_file_is_read():
    for path in sorted(EXAMPLES.glob("*.yaml")):
        assert read_controller(path, PANDA).mode in ("position", "velocity", "effort")
    known = read_controller(EXAMPLES / "panda_position.yaml", PANDA)
    assert known.gains["kp"].tolist() == [6000, 6000, 5000, 5000, 3000, 2500, 2000]
    assert (known.hold, known.gravity_compensation) == ("zoh", True)


def test_the_controller_file_of_the_mismatched_arm_has_its_gains():
    known = read_controller(EXAMPLES / "panda_mismatched.yaml", PANDA)
    arm = load_sim_params("mismatched", PANDA, "velocity").controller
    for name, gains in arm.gains.items():
        assert known.gains[name] == pytest.approx(gains, rel=1e-5)
    assert (known.mode, known.hold) == (arm.mode, arm.hold)
    assert known.gravity_compensation == arm.gravity_compensation


def test_gains_are_one_number_or_a_list_or_by_joint():
    known = parse_controller(
        {"mode": "position", "kp": 10, "kd": {"panda_joint2": 3.0}}, PANDA, "file"
    )
    assert known.gains["kp"].tolist() == [10.0] * 7
    assert known.gains["kd"][1] == 3.0
    assert np.isnan(np.delete(known.gains["kd"], 1)).all()
    assert parse_controller({"mode": "position"}, PANDA, "file").gains == {"kp": None, "kd": None}


def test_all_that_is_wrong_in_a_controller_file_is_told_at_once(tmp_path):
    path = tmp_path / "controller.yaml"
    path.write_text(
        "mode: positon\nhold: foh\nkpp: 1\nkp: [1, 2]\nkd: {panda_joint: 3}\n"
        "ki_v: -1\ngravity_compensation: 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_controller(path, PANDA)
    message = str(caught.value)
    for part in (
        "controller.yaml", "mode is 'positon': choose one of position", "hold is 'foh'",
        "unknown key 'kpp': did you mean 'kp'?", "kp has 2 numbers: expected 7",
        "unknown joint 'panda_joint'", "ki_v/panda_joint1 is -1: expected a number from 0",
        "gravity_compensation is 1: expected true or false",
    ):  # fmt: skip
        assert part in message


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=12,
    ),
    st.sampled_from(["mode", "hold", "kp", "kd", "kp_v", "ki_v", "gravity_compensation", "x"]),
)
def test_any_content_of_a_controller_file_is_read_or_refused(value, key):
    try:
        known = parse_controller({"mode": "position", key: value}, PANDA, "file")
    except ConfigError:
        return
    assert set(known.gains) == {
        "position": {"kp", "kd"}, "velocity": {"kp_v", "ki_v"}, "effort": set()
    }[known.mode]  # fmt: skip
