"""Put the files of an output together."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sinew_core.robots.described_by import URDF_FILE
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.gap import Gap
from sinew_core.sysid.identification import Identification
from sinew_core.sysid.outputs.folder import PAGE, RANGES, REPORT, SIM_PARAMS
from sinew_core.sysid.outputs.gap_page import gap_figures, gap_page, gap_report
from sinew_core.sysid.outputs.page import report_page
from sinew_core.sysid.outputs.ranges import describe_ranges, inflation, make_ranges, ranges_text
from sinew_core.sysid.outputs.simulation_file import provenance, sim_params_text
from sinew_core.sysid.outputs.summary import summarise
from sinew_core.sysid.residual_band import BAND_FILE, MARGIN, ResidualBand, band_text

NOMINAL, IDENTIFIED = "nominal", "identified"


def identification_files(
    found: Identification, robot: RobotModel, gaps: Sequence[Gap], *, date: str
) -> dict[str, str]:
    """Return the text of each file by its name.

    Args:
        found: the result.
        robot: its arm.
        gaps: of the recording, labelled `nominal` and `identified`; none without commands.
        date: for provenance.
    """
    joints, factor = found.recording.joint_names, inflation(found)
    origin = provenance(found, date)
    ranges = make_ranges(found, robot)
    told = summarise(found, date=date, inflation=factor) | {"gap": gap_figures(gaps, joints)}
    files = {
        URDF_FILE: robot.urdf_text,
        SIM_PARAMS: sim_params_text(found, robot, date),
        RANGES: ranges_text(
            ranges, [*origin, f"Sigmas are those of the fit times {factor:.4g}; bounds at 2 sigma."]
        ),
        REPORT: _json(told),
        PAGE: report_page(found, robot, describe_ranges(ranges), gaps, date=date),
    }
    for gap in gaps:
        if gap.label == IDENTIFIED and not gap.diverges:
            comments = [*origin, f"Limits: {MARGIN:g} times the largest prediction error there."]
            files[BAND_FILE] = band_text(ResidualBand.of(gap), joints, comments)
    return files


def gap_files(
    gaps: Sequence[Gap], joints: Sequence[str], *, robot: str, bag: str, date: str
) -> dict[str, str]:
    """Return the text of each file of a gap's output by its name."""
    told = gap_report(gaps, joints, robot=robot, bag=bag, date=date)
    return {
        REPORT: _json(told),
        PAGE: gap_page(gaps, joints, robot=robot, bag=bag, date=date),
    }


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
