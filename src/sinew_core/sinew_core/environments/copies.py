"""Which copy of the arm each episode of an environment is with."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sinew_core.environments.drive import Drive
from sinew_core.environments.varied import VariedArm
from sinew_core.errors import ConfigError
from sinew_core.randomisation import Randomisation, check_assumptions
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.sim_params import SimParams, check_compensation
from sinew_core.simulation.arm_control import check_controllers
from sinew_core.simulation.engine import Engine
from sinew_core.tasks.setup import TaskSetup

FloatArray = NDArray[np.float64]


class Copies:
    """The environment's own arm, which is nominal unless `sim_params` says otherwise, and others.

    Attributes:
        present: the copy that is simulated, None for the nominal arm.
    """

    def __init__(
        self,
        engine: Engine,
        drive: Drive,
        tool_position_of: Callable[[FloatArray, FloatArray], None],
        command_period_s: float,
        randomisation: Randomisation | None,
        sim_params: SimParams | None,
    ) -> None:
        """Take what simulates them, and what they are drawn from."""
        self._engine, self._drive = engine, drive
        self._tool_position_of, self._command_period_s = tool_position_of, command_period_s
        self._randomisation, self._own = randomisation, sim_params
        self.present: VariedArm | None = None
        self._drawn_seed: int | None = None
        self._episodes_of_draw = 0

    def choose(self, options: dict[str, object], rng: np.random.Generator, *, seeded: bool) -> None:
        """Take the arm's dynamics out of the options of a reset, or draw them where it is time.

        The episode's generator gives the seed of a draw, so that a seed decides everything.

        Raises:
            ConfigError: the options do not fit, or the physics rate is too low for the arm's
                controllers.
        """
        given = "dynamics" in options
        dynamics, drawn = options.pop("dynamics", None), _seed(options.pop("dynamics_seed", None))
        if given:
            if not isinstance(dynamics, ArmDynamics | None):
                raise ConfigError(f"reset option 'dynamics' is {dynamics!r:.40}: give ArmDynamics")
            self._simulate(dynamics)
            self._drawn_seed = None
            return
        randomisation = self._randomisation
        if randomisation is None:
            if drawn is not None:
                raise ConfigError(
                    "reset option 'dynamics_seed': the environment has no randomisation"
                )
            self._simulate(None)
            return
        self._episodes_of_draw += 1
        due = seeded or self._episodes_of_draw > randomisation.every_episodes
        if drawn is not None:
            seed = drawn
        elif due or self._drawn_seed is None:
            seed = int(rng.integers(2**63))
        else:
            seed = self._drawn_seed
        if seed != self._drawn_seed:
            self._simulate(randomisation.draw(seed))
            self._drawn_seed, self._episodes_of_draw = seed, 1

    def _simulate(self, dynamics: ArmDynamics | None) -> None:
        """Have the engine simulate another copy of the arm, or the environment's own."""
        own = self._own
        if dynamics is None and own is None:
            if self.present is not None:
                self._engine.set_dynamics(None)
                self.present = None
            return
        if own is None:
            assert dynamics is not None
            params = SimParams(dynamics=dynamics)
        else:
            params = dataclasses.replace(own, dynamics=dynamics or own.dynamics)
        if self.present is not None and self.present.params.dynamics is params.dynamics:
            return
        self.present = VariedArm(
            self._engine, self._drive, params, self._tool_position_of, self._command_period_s
        )


def _seed(given: object) -> int | None:
    """Return the seed of a draw, None where none is given.

    Raises:
        ConfigError: it is no integer, or negative.
    """
    if given is None:
        return None
    try:
        # Integers of numpy, which its generators return, are none of Python's.
        seed = operator.index(given)  # type: ignore[arg-type]  # what has no index raises
    except TypeError:
        seed = -1
    if seed < 0:
        raise ConfigError(f"reset option 'dynamics_seed' is {given!r:.40}: give an integer from 0")
    return seed


def check_arm(
    setup: TaskSetup,
    sim_params: SimParams | None,
    randomisation: Randomisation | None,
    *,
    gravity_compensation: bool,
) -> None:
    """Check that the safety filter assumes no better arm than is simulated.

    Raises:
        ConfigError: it does, or the arm's controllers take other commands or need more physics
            steps.
    """
    controller = sim_params.controller if sim_params else None
    check_compensation(controller, gravity_compensation=gravity_compensation)
    if sim_params is not None:
        check_controllers(setup.robot, sim_params, setup.rates.physics_rate_hz)
    if randomisation is None:
        if sim_params is None:
            return
        randomisation = Randomisation(robot=setup.robot, base=sim_params.dynamics)
    check_assumptions(
        randomisation, setup.safety_parameters, setup.rates, setup.action_spec.mode, controller
    )
