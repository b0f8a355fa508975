"""The physics rates of an identification, and rotors that its start needs."""

import numpy as np
import pytest

from sinew_core.errors import ConfigError
from sinew_core.robots.catalogue import load_robot
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.controller_file import KnownController
from sinew_core.sysid.output_error import OutputError, Weights
from sinew_core.sysid.parametrisation import make_parametrisation
from sinew_core.sysid.pieces import cut
from sinew_core.sysid.plants import HIGHEST_RATE_HZ, needed_rate_hz, steadied
from sinew_core.sysid.rollouts import thread_pool
from sysid_samples import commands_of, recording_of

PANDA = load_robot("panda")
POSES = np.tile(PANDA.home_rad, (30, 1))
RATE_HZ = 1000


def fit_of(*patterns, kd=60.0):
    known = KnownController(
        mode="position",
        gravity_compensation=True,
        gains={"kp": np.full(7, 3000.0), "kd": np.full(7, kd)},
    )
    return make_parametrisation(PANDA, patterns, known)


def needed(fit):
    return needed_rate_hz(PANDA, fit.params(fit.start), POSES, RATE_HZ)


@pytest.mark.parametrize("lightest", [0.0, 1e-3])
def test_rotors_too_light_for_the_gains_start_heavier_instead_of_in_finer_steps(lightest):
    fit = fit_of("mass/*", "armature/*")
    theta = np.array(fit.start)
    theta[[fit.index(f"armature/{joint}") for joint in PANDA.joint_names]] = lightest
    fit = fit.with_start(theta)
    assert needed(fit) > RATE_HZ
    steady = steadied(fit, POSES, RATE_HZ)
    assert needed(steady) == RATE_HZ
    masses = [fit.index(name) for name in fit.names if name.startswith("mass/")]
    assert np.array_equal(steady.start[masses], fit.start[masses])
    assert (steady.start >= fit.start).all()


def test_a_start_that_is_stable_stays():
    fit = fit_of("armature/*", kd=0.1)
    fit = fit.with_start(np.full(7, 0.1))
    assert needed(fit) == RATE_HZ
    assert np.array_equal(steadied(fit, POSES, RATE_HZ).start, fit.start)


def test_where_rotors_are_not_fitted_finer_steps_have_to_do():
    fit = fit_of("mass/*")
    assert needed(fit) > RATE_HZ
    assert np.array_equal(steadied(fit, POSES, RATE_HZ).start, fit.start)


def test_the_highest_rate_is_tried_before_gains_are_refused():
    rates = []

    def stiffen():
        for power in range(60):
            rates.append(needed(fit_of("mass/*", kd=60.0 * 1.1**power)))

    with pytest.raises(ConfigError, match="is too low for the controller"):
        stiffen()
    assert rates == sorted(rates)
    assert rates[-1] == HIGHEST_RATE_HZ


def test_where_coarse_steps_diverge_derivatives_are_taken_in_exact_ones():
    fit = fit_of("viscous/*", kd=0.1)
    commands = commands_of(PANDA, "position", 3.0, 0)
    recording, _ = recording_of(PANDA, fit.params(fit.start), commands, plant=Plant(PANDA, 8000))
    pieces = cut(recording, 0.0, 3.0)
    noise = Weights(position_rad=np.full(7, 1e-4), effort_nm=None)
    found = []
    for rough in (None, Plant(PANDA, 100)):
        with thread_pool(Plant(PANDA, 8000), rough_plant=rough) as pool:
            problem = OutputError(fit, pool, pieces, noise, forgets=True)
            if rough is not None:
                arm = fit.params(fit.start)
                assert problem.residuals_of([arm], problem.starts(), rough=True) == [None]
            found.append(problem.linearise(fit.start, problem.starts())[0].shared)
    assert found[0].any()
    assert np.array_equal(*found)
