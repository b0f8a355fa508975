"""The plan of an excite node: made or read in a thread, so that signals and messages are served."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.rates import Rates
from sinew_core.robots.arm_dynamics import read_dynamics
from sinew_core.robots.model import RobotModel
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.sysid.excitation.limits import motion_limits
from sinew_core.sysid.excitation.parameters import ExcitationParameters
from sinew_core.sysid.excitation.plan import Plan, read_plan, write_plan
from sinew_core.sysid.excitation.planning import Planner, refusal
from sinew_core.sysid.excitation.trial import FilterSetting
from sinew_sysid.excite_parameters import ExciteParameters


class _CancelledError(Exception):
    """The node is ending."""


class PlanThread:
    """Plans in the background.

    Attributes:
        planner: None until it is prepared.
        plan: None until it is complete.
        commands: (N, n) of the plan, computed before anything moves, since that takes a while.
    """

    def __init__(
        self,
        robot: RobotModel,
        parameters: ExciteParameters,
        excitation: ExcitationParameters,
        safety: SafetyParameters,
    ) -> None:
        """Begin."""
        p = parameters
        self.setting = FilterSetting(
            mode=p.mode,
            safety=safety,
            rates=Rates(
                physics_rate_hz=p.physics_rate_hz,
                state_rate_hz=p.state_rate_hz,
                filter_rate_hz=p.filter_rate_hz,
                control_rate_hz=p.control_rate_hz,
            ),
            lockstep=p.pace == "lockstep",
            gravity_compensation=p.gravity_compensation,
        )
        self._robot, self._p, self._excitation = robot, p, excitation
        self.planner: Planner | None = None
        self.plan: Plan | None = None
        self.commands = np.zeros((0, robot.n_joints))
        self._error: BaseException | None = None
        self._cancelled = False
        self._thread = threading.Thread(target=self._run, name="plan", daemon=True)
        self._thread.start()

    def poll(self) -> bool:
        """Return whether the plan is complete.

        Raises:
            SinewError: there will be none; or whatever else ended the planning.
        """
        if self._error is not None:
            raise self._error
        return self.plan is not None

    def cancel(self) -> None:
        """End soon."""
        self._cancelled = True
        self._thread.join(1.0)

    def _run(self) -> None:
        try:
            self.plan = self._make()
        except _CancelledError:
            pass
        # Whatever it is, nobody must wait for a plan that does not come.
        except Exception as error:
            self._error = error

    def _make(self) -> Plan:
        p = self._p
        known = read_dynamics(Path(p.dynamics), self._robot) if p.dynamics else None
        self.planner = planner = Planner(
            self._robot, self.setting, self._excitation, known, self._progress, self._check
        )
        if p.plan:
            plan = read_plan(Path(p.plan), self._robot)
            if plan.rate_hz != p.control_rate_hz:
                raise ConfigError(
                    f"plan {p.plan} has {plan.rate_hz} samples a second: set the rates of control, "
                    f"filter and states to it, found control_rate_hz {p.control_rate_hz}"
                )
            trial = planner.trial(plan.reference)
            if not trial.passed:
                raise ConfigError(
                    f"the safety filter would change the plan {p.plan}: {refusal(trial)}: plan "
                    "anew, without plan:="
                )
        else:
            plan = planner.plan()
        self.commands = planner.commands(plan.reference)
        self._write(plan)
        return plan

    def _write(self, plan: Plan) -> None:
        """Write plan and picture, and print the prediction."""
        # Here because drawing takes its time to be imported, too.
        from sinew_core.sysid.excitation.figures import write_picture

        folder, setting = self._p.folder, self.setting
        write_plan(plan, folder / "plan.yaml")
        allowed = motion_limits(
            setting.mode, self._robot, setting.assumed, setting.rates.filter_period_s, 1.0
        )
        write_picture(plan, self._robot, allowed, folder / "plan.png")
        self._progress(
            f"predicted standard deviations, from efforts with {plan.noise_nm:g} N m of noise:\n"
            f"{plan.table()}\nplan of {plan.reference.duration_s:.1f} s: {folder / 'plan.yaml'}, "
            f"drawn in {folder / 'plan.png'}"
            + ("" if plan.repeatable else "; plan_s ended the search: the seed gives another one")
        )

    def _progress(self, text: str) -> None:
        self._check()
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def _check(self) -> None:
        if self._cancelled:
            raise _CancelledError
