"""How far an identified model may be from the real arm before something about the arm has changed.

```yaml
horizon_s: 0.5
limit_rad: {panda_joint1: 0.00021, panda_joint2: 0.00035}
```

Each limit is on the root mean square of a prediction's error over one horizon, see `sinew_core.
sysid.gap`: `MARGIN` times the largest in the motion that was identified, so that motions a little
unlike it do not warn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from sinew_core.errors import ConfigError
from sinew_core.robots.arm_dynamics import read_mapping
from sinew_core.robots.arrays import Array, as_numbers, frozen_array
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.comments import as_comments
from sinew_core.sysid.gap import Gap

BAND_FILE = "residual_band.yaml"
MARGIN = 2.0
LEAST_LIMIT_RAD = 1e-5
"""Below the resolution of any encoder: a simulated arm without noise has no smaller one."""
_KEYS = ("horizon_s", "limit_rad")
_HORIZONS_S = (0.01, 10.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualBand:
    """Limits (n,) rad on the prediction error of n joints over one horizon."""

    horizon_s: float
    limit_rad: Array

    def __post_init__(self) -> None:
        """Freeze the array."""
        object.__setattr__(self, "limit_rad", frozen_array(self.limit_rad))

    @classmethod
    def of(cls, gap: Gap) -> ResidualBand:
        """Return the band of a model, by its gap to the motion that it was identified from."""
        largest = np.max(gap.window_rms_rad, axis=0)
        limit = np.maximum(MARGIN * largest, LEAST_LIMIT_RAD)
        return cls(horizon_s=gap.horizon_s, limit_rad=limit)


def band_text(band: ResidualBand, joints: Sequence[str], comments: Sequence[str]) -> str:
    """Return the file that `read_band` reads, with comments above."""
    limits = dict(zip(joints, band.limit_rad.tolist(), strict=True))
    return as_comments(comments) + yaml.safe_dump(
        {"horizon_s": band.horizon_s, "limit_rad": limits}, sort_keys=False
    )


def read_band(path: Path, robot: RobotModel) -> ResidualBand:
    """Read a band for a robot.

    Raises:
        ConfigError: when it cannot be read, or has not one positive limit for each joint.
    """
    content = read_mapping(path, _KEYS)
    horizon = as_numbers([content.get("horizon_s")])
    if not horizon or not _HORIZONS_S[0] <= horizon[0] <= _HORIZONS_S[1]:
        raise ConfigError(
            f"{path}: horizon_s is {content.get('horizon_s')!r}: "
            f"expected {_HORIZONS_S[0]:g} to {_HORIZONS_S[1]:g} s"
        )
    given = content.get("limit_rad")
    if not isinstance(given, dict) or sorted(map(str, given)) != sorted(robot.joint_names):
        found = sorted(map(str, given)) if isinstance(given, dict) else given
        raise ConfigError(
            f"{path}: limit_rad is for {found!r}: expected one for each of "
            f"{', '.join(robot.joint_names)}"
        )
    limits = as_numbers([given[name] for name in robot.joint_names])
    if not limits or not np.isfinite(limits).all() or min(limits) <= 0.0:
        raise ConfigError(f"{path}: limit_rad is {given!r}: expected positive numbers, rad")
    return ResidualBand(horizon_s=horizon[0], limit_rad=frozen_array(limits))
