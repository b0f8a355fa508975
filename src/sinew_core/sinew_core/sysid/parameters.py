"""Parameters of the nodes that identify an arm, and measure and watch its gap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sinew_core.parameters import Parameters, parameter
from sinew_core.sysid.options import PLANTS, FitOptions


@dataclass(frozen=True, kw_only=True)
class BagParameters(Parameters):
    """Which bag, and what in it; topics are relative to `namespace`."""

    bag: str = parameter("", "Bag: its folder or file; required", path=True)
    robot: str = parameter("panda", "Robot of the catalogue, or a path to a robot file", path=True)
    urdf: str = parameter(
        "", "URDF of the arm; empty: robot_description in the bag, or its own", path=True
    )
    controller: str = parameter(
        "", "YAML file of what is known of the arm's joint controllers; empty: nothing", path=True
    )
    namespace: str = parameter("", "Namespace of the recorded arm")
    joint_prefix: str = parameter("", "In front of the robot's joint names in the bag")
    state_topic: str = parameter("joint_states", "Joint states")
    command_topic: str = parameter("", "Commands of the controller; empty: found by their type")
    output: str = parameter("", "Folder that is made for the results; required", path=True)
    overwrite: bool = parameter(False, "Whether results are replaced, if the folder has no more")
    physics_rate_hz: int = parameter(
        1000,
        "Rate of the steps, best that of the arm's own loops; more where gains need it",
        unit="Hz",
        minimum=100,
        maximum=20_000,
    )
    engine: str = parameter("compiled", "What simulates", choices=PLANTS)

    def check(self) -> list[str]:
        """Return what is missing."""
        problems = [] if self.bag else ["bag is empty: give a recorded bag, bag:=PATH"]
        return problems + ([] if self.output else ["output is empty: give a folder, output:=PATH"])


@dataclass(frozen=True, kw_only=True)
class SystemIdParameters(FitOptions, BagParameters):
    """What to identify, from what."""

    held_out: str = parameter(
        "",
        "Another bag, to validate on; empty: the last part of this one, which is not fitted",
        path=True,
    )
    fit: str = parameter(
        "", "Parameters to fit, such as `mass/* delay_s`, between spaces; empty: the usual ones"
    )
    horizon_s: float = parameter(
        0.5, "Length of a prediction of the gap", unit="s", minimum=0.05, maximum=10.0
    )

    def check(self) -> list[str]:
        """Return what is missing, and that motion which is fitted validates nothing."""
        problems = super().check()
        if self.held_out and not problems:
            bag, other = (Path(p).resolve() for p in (self.bag, self.held_out))
            # A file of a bag is part of it.
            if bag in (other, other.parent) or other == bag.parent:
                problems.append(
                    f"held_out is {self.held_out}, which is fitted: give a bag of other motion, or "
                    "leave it empty to validate on the last part of this one"
                )
        return problems


@dataclass(frozen=True, kw_only=True)
class GapParameters(BagParameters):
    """What to replay, with which parameters."""

    sim_params: str = parameter(
        "",
        "File of an identified arm to compare with the nominal one; empty: nominal only",
        path=True,
    )
    horizon_s: float = parameter(
        0.5, "Length of a prediction of the gap", unit="s", minimum=0.05, maximum=10.0
    )


@dataclass(frozen=True, kw_only=True)
class MonitorParameters(Parameters):
    """When the monitor warns and when it is content again."""

    band_scale: float = parameter(
        1.0, "Factor on the limits of the identified band", minimum=0.01, maximum=1000.0
    )
    warn_after: int = parameter(
        3, "Predictions in a row beyond the band before it warns", minimum=1, maximum=1000
    )
    clear_after: int = parameter(
        5, "Predictions in a row well inside before it is content again", minimum=1, maximum=1000
    )
    clear_share: float = parameter(
        0.8, "Share of the limit that counts as well inside", minimum=0.01, maximum=1.0
    )
    command_timeout_s: float = parameter(
        0.25, "Silence after which nothing is predicted", unit="s", minimum=0.001, maximum=10.0
    )
    sample_rate_hz: float = parameter(
        200.0, "States that are kept of each second", unit="Hz", minimum=10.0, maximum=10_000.0
    )
