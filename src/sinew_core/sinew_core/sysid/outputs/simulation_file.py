"""The file of the identified arm that drivers and environments take, and where it comes from.

All values of one fit belong together. A parameter that the data do not fix is written as the fit
had it: at what was assumed, or pulled from there by no more than its prior lets it. Putting it
back to nominal would spoil the others, which were found with it there: where only the sum of two
masses shows, a nominal one beside a fitted one has the wrong sum. The comments on top say which is
which. Only where a motion was too poor for the fit to settle, nothing of it is kept.
"""

from __future__ import annotations

from sinew_core.robots.described_by import description_text
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import write_sim_params
from sinew_core.sysid.comments import as_comments
from sinew_core.sysid.identification import Estimate, Identification

_ASSUMED = "Not identifiable; what the others were found with:"
_DESCRIBED = "Not identifiable, and the fit did not settle; these are of the arm's description:"


def provenance(found: Identification, date: str) -> list[str]:
    """Return the lines that say where an output comes from."""
    held = found.held_out
    error = (
        "nothing held out"
        if held is None
        else f"held-out error {1e3 * held.rmse_rad:.4g} mrad, nominal {held.nominal_error}"
    )
    return [
        f"{found.robot_name}, identified {date} from {found.recording.source}, seed {found.seed}.",
        f"Verdict: {found.verdict}; chi2 per sample {found.chi2_per_sample:.4g}; {error}.",
    ]


def sim_params_text(found: Identification, robot: RobotModel, date: str) -> str:
    """Return the file, with provenance and every parameter's standing as comments."""
    sure = [e for e in found.estimates if e.identifiable]
    assumed = [e for e in found.estimates if not e.identifiable]
    lines = [
        *provenance(found, date),
        *(["Identified, with 95 % intervals:"] if sure else ["Nothing was identified."]),
        *(f"  {_interval(e)}" for e in sure),
        *([_ASSUMED if found.usable else _DESCRIBED] if assumed else []),
        *(f"  {e.name} {e.value:.6g} {e.unit}".rstrip() for e in assumed),
    ]
    return as_comments(lines) + write_sim_params(found.params, robot) + description_text(robot)


def _interval(estimate: Estimate) -> str:
    low, high = estimate.ci95
    return f"{estimate.name} {estimate.value:.6g} [{low:.6g}, {high:.6g}] {estimate.unit}".rstrip()
