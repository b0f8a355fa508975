"""The result of an identification in a few lines, for a terminal."""

from __future__ import annotations

import math

from sinew_core.sysid.identification import Estimate, Identification

_ROW = "{:<26} {:>12} {:>12} {:>12}  {:<12} {}"


def identification_lines(found: Identification) -> list[str]:
    """Return verdict, findings, the table of parameters and the held-out error."""
    lines = [_ROW.format("parameter", "value", "+- 95 %", "nominal", "unit", "")]
    lines += [_line(e) for e in found.estimates]
    held = found.held_out
    if held is not None:
        lines.append(
            f"held-out error {1e3 * held.rmse_rad:.4g} mrad, "
            f"nominal {held.nominal_error} ({held.source})"
        )
    lines.append(f"chi2 per sample {found.chi2_per_sample:.4g}, {found.wall_s:.1f} s")
    lines.append(f"verdict: {found.verdict.replace('_', ' ')}")
    return [*lines, *(f"- {sentence}" for sentence in found.findings)]


def _line(estimate: Estimate) -> str:
    e = estimate
    half = (e.ci95[1] - e.ci95[0]) / 2.0
    spread = f"{half:.3g}" if e.identifiable and math.isfinite(half) else "-"
    nominal = f"{e.nominal:.5g}" if math.isfinite(e.nominal) else "-"
    standing = "" if e.identifiable else "not identifiable"
    standing = "at its bound" if e.at_bound and e.identifiable else standing
    return _ROW.format(e.name, f"{e.value:.6g}", spread, nominal, e.unit, standing).rstrip()
