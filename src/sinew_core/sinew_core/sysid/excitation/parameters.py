"""What is to be identified, and by what kind of motion."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter
from sinew_core.sysid.excitation.fourier import MIN_HARMONICS

KINDS = ("fourier", "chirp", "both")


@dataclass(frozen=True, kw_only=True)
class ExcitationParameters(Parameters):
    """How a motion is planned."""

    kind: str = parameter(
        "fourier", "Optimised Fourier series, a chirp, or first one and then the other",
        choices=KINDS,
    )  # fmt: skip
    duration_s: float = parameter(
        60.0, "Length of the Fourier motion; it grows where it has to be slower", unit="s",
        minimum=1.0, maximum=3600.0,
    )  # fmt: skip
    period_s: float = parameter(
        10.0, "Each part of that starts and ends at home, and has this length at most", unit="s",
        minimum=1.0, maximum=120.0,
    )  # fmt: skip
    harmonics: int = parameter(
        5, "Of each part; the highest frequency is this over period_s",
        minimum=MIN_HARMONICS, maximum=40,
    )  # fmt: skip
    identify: tuple[str, ...] = parameter(
        ("mass/*", "coulomb/*", "viscous/*"),
        "Parameters whose information is maximised: mass, coulomb, viscous, armature, each for "
        "one link or joint or all (*), and payload/mass",
    )
    effort_noise_nm: float = parameter(
        0.2, "Standard deviation of a measured effort, for the prediction", unit="N m",
        minimum=1e-6, maximum=100.0,
    )  # fmt: skip
    limit_share: float = parameter(
        0.8, "Share of the filter's limits of speed and acceleration, and of the efforts, to use",
        minimum=0.05, maximum=0.95,
    )  # fmt: skip
    seed: int = parameter(0, "Of the search", minimum=0, maximum=2**31 - 1)
    evaluations: int = parameter(
        3000, "Motions that the search tries, in all parts together", minimum=0, maximum=10_000_000
    )
    plan_s: float = parameter(
        60.0, "Longest time for the search; where it ends it, the plan says that it is not "
        "repeatable", unit="s", minimum=0.1, maximum=3600.0,
    )  # fmt: skip
    chirp_s: float = parameter(20.0, "Length of a chirp", unit="s", minimum=2.0, maximum=600.0)
    chirp_from_hz: float = parameter(
        0.1, "Frequency that a chirp begins with", unit="Hz", minimum=0.01, maximum=50.0
    )
    chirp_to_hz: float = parameter(
        2.0, "Frequency that a chirp ends with", unit="Hz", minimum=0.01, maximum=50.0
    )
    chirp_joints: str = parameter(
        "all", "All joints in one chirp, or each in one of its own", choices=("all", "each")
    )
    rest_s: float = parameter(
        0.5, "Rest at home before and after", unit="s", minimum=0.0, maximum=60.0
    )

    def check(self) -> list[str]:
        """Return what does not fit together."""
        problems = []
        if self.period_s > self.duration_s:
            problems.append(
                f"period_s {self.period_s:g} is above duration_s {self.duration_s:g}: lower it"
            )
        if self.chirp_from_hz >= self.chirp_to_hz:
            problems.append(
                f"chirp_from_hz {self.chirp_from_hz:g} is not below chirp_to_hz "
                f"{self.chirp_to_hz:g}: lower it"
            )
        return problems
