"""What an identification leaves behind: files that the rest of the stack reads, and a report."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import report_samples as samples
from sinew_core.errors import ConfigError, RunError
from sinew_core.randomisation import read_randomisation
from sinew_core.robots.arm_dynamics import nominal_values, quantity_of
from sinew_core.robots.sim_params import read_sim_params
from sinew_core.sysid.gap import measure_gap
from sinew_core.sysid.outputs import check_output, identification_files, write_folder
from sinew_core.sysid.outputs.coverage import coverage_of
from sinew_core.sysid.outputs.folder import GAP_FILES
from sinew_core.sysid.outputs.lines import identification_lines
from sinew_core.sysid.outputs.ranges import MOST_INFLATION, inflation, make_ranges
from sinew_core.sysid.residual_band import BAND_FILE, ResidualBand, band_text, read_band

DATE = "2026-01-02 03:04 UTC"


@pytest.fixture(scope="module")
def found():
    return samples.identification()


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    arms = {"nominal": samples.arm({}), "identified": found.params}
    gaps = [measure_gap(found.recording, samples.plant(), p, label) for label, p in arms.items()]
    files = identification_files(found, samples.robot(), gaps, date=DATE)
    return write_folder(tmp_path_factory.mktemp("out") / "arm", files, overwrite=False)


def test_the_report_has_its_stable_keys_and_nothing_that_json_lacks(folder, found):
    text = (folder / "report.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    told = json.loads(text)
    assert set(told["parameters"]) == {e.name for e in found.estimates}
    assert {"value", "sigma", "ci95", "identifiable", "unit"} <= set(
        told["parameters"]["payload/mass"]
    )
    assert told["parameters"]["mass/panda_link1"]["sigma"] is None
    assert told["parameters"]["mass/panda_link1"]["ci95"] == [None, None]
    assert told["held_out"]["rmse_rad"] == found.held_out.rmse_rad
    assert told["held_out"]["nominal_rmse_rad"] == found.held_out.nominal_rmse_rad
    assert told["delay_s"] == found.delay_s
    assert told["verdict"] == "good"
    assert told["wall_s"] == found.wall_s
    assert told["chi2_per_sample"] == found.chi2_per_sample
    assert told["gap"]["identified"]["rmse_rad"] < 0.1 * told["gap"]["nominal"]["rmse_rad"]


def test_without_held_out_motion_the_report_says_so(found):
    alone = dataclasses.replace(found, held_out=None, chi2_per_sample=math.nan)
    files = identification_files(alone, samples.robot(), [], date=DATE)
    told = json.loads(files["report.json"])
    assert told["held_out"] is None
    assert told["chi2_per_sample"] is None
    assert BAND_FILE not in files


def test_sim_params_are_the_identified_arm_with_its_origin_above(folder, found):
    path = folder / "sim_params.yaml"
    again = read_sim_params(path, samples.robot())
    values = again.dynamics.values(samples.robot())
    assert values == pytest.approx(found.params.dynamics.values(samples.robot()))
    assert again.controller.mode == "position"
    np.testing.assert_allclose(again.controller.gains["kp"], samples.KP)
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    for word in (DATE, found.recording.source, "seed 0", "Verdict: good", "payload/mass"):
        assert any(word in line for line in comments)


def test_training_draws_the_identified_parameters_with_their_correlation(folder, found):
    ranges = read_randomisation(folder / "randomization.yaml", samples.robot())
    draws = [ranges.draw_values(seed) for seed in range(600)]
    names = [n for g in ranges.correlated for n in g.names]
    assert set(names) == set(samples.FITTED)
    i, j = names.index("coulomb/panda_joint2"), names.index("viscous/panda_joint2")
    table = np.array([[draw[name] for name in names] for draw in draws])
    sigma = np.sqrt(np.diag(found.covariance))
    wanted = found.covariance[i, j] / (sigma[i] * sigma[j])
    assert wanted < -0.5  # of a motion this short: the one friction for the other
    assert np.corrcoef(table[:, i], table[:, j])[0, 1] == pytest.approx(wanted, abs=0.12)
    reach = 2.0 * inflation(found) * sigma
    mean = np.array([next(e.value for e in found.estimates if e.name == n) for n in names])
    assert (np.abs(table - mean) <= reach * (1.0 + 1e-9)).all()


def test_what_is_not_identifiable_is_drawn_widely_or_stays_nominal(folder):
    ranges = read_randomisation(folder / "randomization.yaml", samples.robot())
    bounds, nominal = ranges.bounds(), nominal_values(samples.robot())
    mass = nominal["mass/panda_link1"]
    assert bounds["mass/panda_link1"] == pytest.approx((0.8 * mass, 1.2 * mass))
    assert "armature/panda_joint1" not in bounds
    assert bounds["payload/z_m"] == (samples.TRUE["payload/z_m"],) * 2
    assert bounds["sensor_noise/position_rad"] == (samples.NOISE_RAD,) * 2


def test_a_model_that_fails_on_new_motion_gets_wider_ranges(found):
    wrong = dataclasses.replace(found.held_out, rmse_rad=3.0 * samples.NOISE_RAD)
    worse = dataclasses.replace(found, held_out=wrong)
    assert inflation(worse) == pytest.approx(3.0, rel=0.02)
    hopeless = dataclasses.replace(found.held_out, rmse_rad=1.0)
    assert inflation(dataclasses.replace(found, held_out=hopeless)) == MOST_INFLATION
    assert inflation(dataclasses.replace(found, held_out=None)) == 1.0


@settings(max_examples=60)
@given(
    scale=st.floats(1e-3, 1e3),
    value=st.floats(0.0, 2.0),
    known=st.lists(st.booleans(), min_size=17, max_size=17),
)
def test_ranges_are_always_within_what_the_quantities_allow(scale, value, known):
    """Whatever an identification is sure of, training can draw from the file that it writes."""
    base = samples.identification()
    estimates, names = [], []
    for estimate, sure in zip(base.estimates, known, strict=False):
        low = quantity_of(estimate.name).lowest
        sigma = scale * estimate.sigma if sure else math.inf
        changed = dataclasses.replace(
            estimate, value=max(low, value * estimate.value), sigma=sigma, identifiable=sure
        )
        estimates.append(changed)
        names += [estimate.name] if sure else []
    rows = [samples.FITTED.index(name) for name in names]
    covariance = scale**2 * base.covariance[np.ix_(rows, rows)]
    other = dataclasses.replace(
        base, estimates=tuple(estimates), covariance=covariance, covariance_names=tuple(names)
    )
    ranges = make_ranges(other, samples.robot())
    for name, drawn in ranges.draw_values(1).items():
        quantity = quantity_of(name)
        assert quantity.lowest <= drawn <= quantity.highest


def test_the_page_needs_no_other_file_and_names_every_parameter(folder, found):
    page = (folder / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    for estimate in found.estimates:
        assert estimate.name in page
    for finding in found.findings:
        assert finding in page
    assert "no stamp" in page
    assert found.recording.defects[0].text in page
    assert page.count("<img") >= 7


def test_a_bag_of_any_name_breaks_neither_page_nor_files(found):
    bad = dataclasses.replace(found.recording, source="<script>alert(1)</script>\ndynamics: {}")
    files = identification_files(
        dataclasses.replace(found, recording=bad), samples.robot(), [], date=DATE
    )
    assert "<script>" not in files["report.html"]
    assert set(yaml.safe_load(files["sim_params.yaml"])) == {
        "dynamics",
        "controller",
        "description",
    }
    assert "correlated" in yaml.safe_load(files["randomization.yaml"])


def test_the_summary_says_what_is_assumed(found):
    lines = "\n".join(identification_lines(found))
    assert re.search(r"mass/panda_link1 .* not identifiable", lines)
    assert "verdict: good" in lines


def test_coverage_is_that_of_the_motion(found):
    # A joint that swings with 0.3 rad at 2 rad/s moves at most at 0.6 rad/s and 1.2 rad/s^2.
    recording = found.recording
    time_s = np.arange(0.0, 4.0 * np.pi, 0.005)
    swing = samples.robot().home_rad + 0.3 * np.sin(2.0 * time_s)[:, None] * np.eye(7)[0]
    moved = dataclasses.replace(recording, time_s=time_s, position_rad=swing)
    coverage = coverage_of(moved, samples.robot().limits)
    assert coverage.speed_rad_s[0] == pytest.approx(0.6, rel=0.02)
    assert coverage.acceleration_rad_s2[0] == pytest.approx(1.2, rel=0.02)
    assert coverage.reversals.tolist() == [8, 0, 0, 0, 0, 0, 0]
    assert coverage.high_rad[0] - coverage.low_rad[0] == pytest.approx(0.6, rel=0.01)


def test_an_existing_output_is_refused_unless_it_may_be_replaced(folder, tmp_path):
    with pytest.raises(RunError, match="overwrite:=true"):
        check_output(folder, overwrite=False)
    assert check_output(folder, overwrite=True) == folder
    other = tmp_path / "photos"
    other.mkdir()
    with pytest.raises(RunError, match=r"no report\.json"):
        check_output(other, overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="not a folder"):
        check_output(tmp_path / "file" / "out", overwrite=False)


def test_an_output_with_anything_else_in_it_is_not_replaced(folder, tmp_path):
    run = tmp_path / "run"
    write_folder(run, {"report.json": "{}", "report.html": ""}, overwrite=False)
    (run / "bundle").mkdir()
    with pytest.raises(RunError, match="holds bundle, which would be lost"):
        write_folder(run, {"report.json": "[]"}, overwrite=True)
    with pytest.raises(RunError, match=r"holds randomization\.yaml, .* which would be lost"):
        check_output(folder, overwrite=True, files=GAP_FILES)
    assert (run / "bundle").is_dir()


def test_an_output_that_fails_leaves_the_old_one_whole(tmp_path):
    folder = write_folder(tmp_path / "out", {"report.json": "{}"}, overwrite=False)
    with pytest.raises(RunError, match="cannot be written"):
        write_folder(folder, {"report.json": "[]", "no/such/place": ""}, overwrite=True)
    assert (folder / "report.json").read_text() == "{}"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    write_folder(folder, {"report.json": "[]"}, overwrite=True)
    assert (folder / "report.json").read_text() == "[]"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_band_is_read_as_it_was_written(folder, tmp_path):
    robot = samples.robot()
    band = read_band(folder / BAND_FILE, robot)
    assert band.horizon_s == 0.5
    assert (band.limit_rad > samples.NOISE_RAD).all()
    assert (band.limit_rad < 5.0 * samples.NOISE_RAD).all()
    path = tmp_path / "band.yaml"
    path.write_text(band_text(band, robot.joint_names, ["a comment"]))
    np.testing.assert_array_equal(read_band(path, robot).limit_rad, band.limit_rad)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("horizon_s: 0.0\nlimit_rad: {}", "horizon_s"),
        ("horizon_s: 0.5\nlimit_rad: {joint: 1.0}", "one for each of"),
        ("horizon_s: 0.5\nlimits: {}", "unknown key"),
        ("horizon_s: 0.5", "limit_rad"),
    ],
)
def test_a_band_that_does_not_fit_is_refused(tmp_path, content, match):
    path = tmp_path / "band.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=match):
        read_band(path, samples.robot())


def test_a_band_of_a_joint_that_is_not_positive_is_refused(tmp_path):
    path = tmp_path / "band.yaml"
    names = samples.robot().joint_names
    path.write_text(band_text(ResidualBand(horizon_s=0.5, limit_rad=[0.0] * 7), names, []))
    with pytest.raises(ConfigError, match="positive"):
        read_band(path, samples.robot())
