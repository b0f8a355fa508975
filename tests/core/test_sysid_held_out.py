"""A bag to validate on is driven as the one that is fitted, and what is wrong with it is told."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import yaml

import report_samples as samples
from sinew_core.errors import IdentificationError
from sinew_core.sysid.controller_file import KnownController
from sinew_core.sysid.identify import identify
from sinew_core.sysid.jobs import JOBS
from sinew_core.sysid.options import IdentifyOptions

KNOWN = KnownController(
    mode="position",
    gains={"kp": np.array(samples.KP), "kd": np.array(samples.KD)},
    gravity_compensation=True,
)
FITTED = IdentifyOptions(parameters=("payload/mass", "delay_s"), max_steps=1)


@pytest.fixture(scope="module")
def driven():
    return samples.record(samples.TRUE, 2.5, seed=3)


def without_commands(recording):
    return dataclasses.replace(recording, commands=None)


def test_measured_efforts_do_not_stand_in_for_commands_that_were_not_found(driven):
    other = without_commands(samples.record(samples.TRUE, 2.5, seed=4))
    with pytest.raises(IdentificationError, match=r"held_out bags/arm_4 .*command_topic:="):
        identify(driven, samples.robot(), KNOWN, FITTED, other)


def test_commands_do_not_validate_what_was_fitted_without_any(driven):
    other = samples.record(samples.TRUE, 2.5, seed=4)
    with pytest.raises(IdentificationError, match=r"has position commands .* has no commands"):
        identify(without_commands(driven), samples.robot(), None, FITTED, other)


def test_commands_of_another_mode_do_not_validate(driven):
    told = dataclasses.replace(driven.commands, mode="velocity")
    with pytest.raises(IdentificationError, match=r"velocity commands .* position commands"):
        identify(driven, samples.robot(), KNOWN, FITTED, dataclasses.replace(driven, commands=told))


def without(recording, begin_s, end_s):
    """The same without the samples between two times."""
    kept = (recording.time_s < begin_s) | (recording.time_s > end_s)
    names = ("time_s", "position_rad", "velocity_rad_s", "effort_nm")
    left = {name: getattr(recording, name)[kept] for name in names}
    gap = int(np.count_nonzero(recording.time_s < begin_s))
    return dataclasses.replace(recording, **left, gaps=(gap,))


def refuse_progress(progress):
    pytest.fail(f"{progress.stage} began")


@pytest.mark.parametrize("closed", [True, False])
def test_motion_to_validate_on_that_is_a_gap_is_refused_before_the_fit(closed):
    recording = without(samples.record(samples.TRUE, 10.0, seed=3), 7.0, 9.96)
    known = KNOWN if closed else None
    recording = recording if closed else without_commands(recording)
    with pytest.raises(IdentificationError, match=r"to validate on .* give held_out_share:=0"):
        identify(recording, samples.robot(), known, FITTED, None, refuse_progress)


def broken(recording):
    """The same with a tenth of a second missing."""
    kept = np.r_[0:400, 420 : len(recording.time_s)]
    names = ("time_s", "position_rad", "velocity_rad_s", "effort_nm")
    return dataclasses.replace(recording, **{n: getattr(recording, n)[kept] for n in names})


def test_defects_of_the_held_out_bag_are_told_and_reported(driven, tmp_path):
    samples.write_bag(driven, tmp_path / "fitted")
    samples.write_bag(broken(samples.record(samples.TRUE, 3.5, seed=4)), tmp_path / "other")
    known = {"mode": "position", "kp": samples.KP, "kd": samples.KD, "gravity_compensation": True}
    (tmp_path / "controller.yaml").write_text(yaml.safe_dump(known))
    given = {
        "bag": str(tmp_path / "fitted"),
        "held_out": str(tmp_path / "other"),
        "controller": str(tmp_path / "controller.yaml"),
        "output": str(tmp_path / "out"),
        "fit": "payload/mass delay_s",
        "max_steps": 2,
        "horizon_s": 0.25,
    }
    told = []
    JOBS["system_id"](given, told.append)
    said = [t["say"] for t in told if "say" in t]
    assert any(sentence.startswith("held_out: gap") for sentence in said)
    assert not any(sentence.startswith("gap") for sentence in said)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    both = {"command_log_time"}
    assert {d["kind"] for d in report["held_out"]["defects"]} == {"gap"} | both
    assert {d["kind"] for d in report["defects"]} == both
    assert "Defects of that bag" in (tmp_path / "out" / "report.html").read_text()
    assert {gap["horizon_s"] for gap in report["gap"].values()} == {0.25}
