"""What an identification finds, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sinew_core.bags.recording import Defect, Recording
from sinew_core.robots.arrays import Array
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.score_test import Score


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One parameter. Where it is not identifiable the value is the one that was assumed.

    Attributes:
        name: as in `sinew_core.robots.arm_dynamics`, or a gain such as `kp/JOINT`.
        value: in `unit`.
        sigma: standard deviation, infinite where the data say nothing.
        ci95: lower and upper bound.
        identifiable: whether the data alone fix it.
        unit: SI, empty for none.
        nominal: of the robot's description, nan for none.
        at_bound: whether the fit ended at what is allowed.
        remark: why it is not identifiable or not to be trusted; empty for nothing to say.
    """

    name: str
    value: float
    sigma: float
    ci95: tuple[float, float]
    identifiable: bool
    unit: str
    nominal: float
    at_bound: bool = False
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A fitted value that took over the effect of what was not fitted.

    Attributes:
        name: of the value.
        shift: by which one Gauss-Newton step would change it if that were fitted, in its unit.
        sigmas: the same over its standard deviation.
    """

    name: str
    shift: float
    sigmas: float


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Parameters of one kind that were not fitted, and what the data say of them.

    Attributes:
        name: a pattern that a fit takes.
        score: of these alone, given what was fitted.
        shown: whether the data show them, what shows more clearly taken into account.
        values: what one Gauss-Newton step makes of those that it moves by more than counts as
            known; empty where they are not shown.
        units: of the values.
        possible: whether an arm can have such values; else the arm has something alike.
        stand_ins: fitted values that they would move by more than three deviations, farthest first.
        imitated: of fitted values whose effect these parameters have for the most part, beside all
            other fitted ones: the share.
    """

    name: str
    score: Score
    shown: bool = False
    values: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    possible: bool = True
    stand_ins: tuple[StandIn, ...] = ()
    imitated: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Motion that was not fitted, beside its simulation with both sets of parameters.

    Attributes:
        time_s: (N,).
        measured_rad, nominal_rad, identified_rad: (N, n).
        rmse_rad, nominal_rmse_rad: over all samples and joints.
        source: where the motion comes from.
        defects: of that recording, where it is not the one that was fitted.
    """

    time_s: Array
    measured_rad: Array
    nominal_rad: Array
    identified_rad: Array
    rmse_rad: float
    nominal_rmse_rad: float
    source: str
    defects: tuple[Defect, ...] = ()

    @property
    def nominal_error(self) -> str:
        """The nominal arm's root mean square for a reader; it may diverge where no rotors are."""
        if not math.isfinite(self.nominal_rmse_rad):
            return "diverges"
        return f"{1e3 * self.nominal_rmse_rad:.4g} mrad"


@dataclass(frozen=True, kw_only=True, eq=False)
class Identification:
    """The result of fitting one arm.

    Attributes:
        robot_name: of the catalogue, or of the robot file.
        recording: what was fitted.
        estimates: every parameter that was asked for, `delay_s` included.
        covariance: (k, k) of the identifiable ones, in the units of their values.
        covariance_names: those k.
        params: the arm with all values in it.
        verdict: `good`, `not_tested`, `not_converged`, `model_mismatch`, `poor_excitation` or
            `unidentifiable`.
        findings: sentences on what the data can and cannot tell, the most important first.
        chi2_per_sample: 1 where the model explains all but the noise; nan where nothing was fitted.
        noise_rad: (n,) standard deviation of position noise that chi2 goes by.
        residual_rad: (n,) root mean square of the residuals in position.
        cost_history: of stage 2, one value per accepted step.
        singular_values: of the scaled sensitivities, falling.
        directions: words for each combination of parameters that the data do not fix.
        held_out: None where there was no motion to hold out, or nothing to validate.
        wall_s: how long it took.
        seed: of all that is random.
        interrupted: whether Ctrl-C ended the fit, or the validation, before its end.
        left_out: what was not fitted, that which the data show first; None where the fit, or the
            test for it, ended too early to tell.
        usable: whether the fit says anything of the arm; else values and `params` are those of its
            description, and there is nothing to validate.
    """

    robot_name: str
    recording: Recording
    estimates: tuple[Estimate, ...]
    covariance: Array
    covariance_names: tuple[str, ...]
    params: SimParams
    verdict: str
    findings: tuple[str, ...]
    chi2_per_sample: float
    noise_rad: Array
    residual_rad: Array
    cost_history: tuple[float, ...]
    singular_values: Array
    directions: tuple[str, ...]
    held_out: HeldOut | None
    wall_s: float
    seed: int
    interrupted: bool = False
    left_out: tuple[LeftOut, ...] | None = None
    usable: bool = True

    @property
    def shown(self) -> tuple[LeftOut, ...]:
        """What was not fitted and the data show, the clearest first."""
        return tuple(group for group in self.left_out or () if group.shown)

    @property
    def delay_s(self) -> float:
        """Return the delay from a command to the drive."""
        return self.params.dynamics.delay_s
