import dataclasses

import pytest

from bundle_samples import make_manifest, make_network, write_sample
from push_samples import write_push_bundle
from sinew_core.bundle import load_bundle
from sinew_core.bundle.fit import check_fits, require_fit
from sinew_core.errors import BundleError
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.limits import JointLimits

PANDA = load_robot("panda")
TRAINED = {"control_rate_hz": 25, "filter_rate_hz": 100, "mode": "joint_velocity"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    manifest = make_manifest(PANDA.joint_names, PANDA.limits, "panda")
    folder = tmp_path_factory.mktemp("fit") / "bundle"
    return load_bundle(write_sample(folder, make_network((24, 8, 7)), manifest))


def with_limit(field, joint, factor):
    mapping = PANDA.limits.to_mapping()
    mapping[field][joint] *= factor
    return dataclasses.replace(PANDA, limits=JointLimits.from_mapping(mapping, "test"))


def test_the_trained_robot_at_the_trained_rates_fits(bundle):
    fit = check_fits(bundle, PANDA, **TRAINED)
    assert (fit.problems, fit.remarks) == ((), ())


def test_a_faster_filter_is_a_remark_and_a_slower_one_a_problem(bundle):
    faster = check_fits(bundle, PANDA, **{**TRAINED, "filter_rate_hz": 500})
    slower = check_fits(bundle, PANDA, **{**TRAINED, "filter_rate_hz": 50})
    assert faster.problems == ()
    assert "500" in faster.remarks[0]
    assert "expected at least 100, found 50" in slower.problems[0]


@pytest.mark.parametrize("rate_hz", [20, 50])
def test_another_control_rate_is_a_problem(bundle, rate_hz):
    fit = check_fits(bundle, PANDA, **{**TRAINED, "control_rate_hz": rate_hz})
    assert f"control_rate_hz: expected 25, found {rate_hz}" in fit.problems[0]


@pytest.mark.parametrize("field", ["velocity_rad_s", "position_upper_rad", "position_lower_rad"])
def test_a_wider_limit_is_a_problem_and_a_narrower_one_a_remark(bundle, field):
    wider = check_fits(bundle, with_limit(field, 0, 1.1), **TRAINED)
    narrower = check_fits(bundle, with_limit(field, 0, 0.9), **TRAINED)
    assert f"{field} of panda_joint1" in wider.problems[0]
    assert narrower.problems == ()
    assert f"{field} of panda_joint1" in narrower.remarks[0]


def test_limits_that_differ_by_rounding_are_equal(bundle):
    assert check_fits(bundle, with_limit("velocity_rad_s", 0, 1 + 1e-12), **TRAINED).remarks == ()


def test_another_mode_is_a_problem_with_its_remedy(bundle):
    fit = check_fits(bundle, PANDA, **{**TRAINED, "mode": "joint_position"})
    assert "mode: expected joint_velocity, found joint_position" in fit.problems[0]
    assert "mode:=joint_velocity" in fit.problems[0]


def test_another_joint_order_is_a_problem(bundle):
    swapped = dataclasses.replace(
        PANDA, joint_names=(*PANDA.joint_names[1::-1], *PANDA.joint_names[2:])
    )
    assert "another order" in check_fits(bundle, swapped, **TRAINED).problems[0]


def test_all_problems_are_in_one_line(bundle):
    with pytest.raises(BundleError) as caught:
        require_fit(
            bundle,
            load_robot("iiwa14"),
            control_rate_hz=10,
            filter_rate_hz=50,
            mode="joint_position",
        )
    message = str(caught.value)
    assert "\n" not in message
    for named in ("joint_names", "panda_joint1", "control_rate_hz", "filter_rate_hz", "mode"):
        assert named in message


def test_a_policy_that_sees_an_object_fits_what_commands_joint_velocities(tmp_path):
    bundle = load_bundle(write_push_bundle(tmp_path / "push"))
    rates = {"control_rate_hz": 25, "filter_rate_hz": 100}
    assert check_fits(bundle, PANDA, **rates, mode="joint_velocity").problems == ()
    other = check_fits(bundle, PANDA, **rates, mode="joint_position").problems
    assert any("mode: expected joint_velocity, found joint_position" in p for p in other)
