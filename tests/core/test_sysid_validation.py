"""Motion that was not fitted: where it starts is told by its beginning, and Ctrl-C ends it."""

import numpy as np
import pytest

from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.output_error import Weights
from sinew_core.sysid.pieces import cut
from sinew_core.sysid.rollouts import thread_pool
from sinew_core.sysid.validation import predicted
from sysid_samples import PHYSICS_RATE_HZ, commands_of, controller_of, recording_of

PANDA = load_robot("panda")
ARM = SimParams(dynamics=ArmDynamics.nominal(PANDA), controller=controller_of(PANDA, "position"))
NOISE = Weights(position_rad=np.full(7, 1e-4), effort_nm=None)


class Watched:
    """A pool that keeps how many samples its jobs were of, and may be interrupted."""

    def __init__(self, pool, interrupted_at=None):
        self.rough, self.samples = self, []
        self._pool, self._interrupted_at = pool, interrupted_at

    def run(self, jobs):
        self.samples.append(max((job.samples for job in jobs), default=0))
        if len(self.samples) == self._interrupted_at:
            raise KeyboardInterrupt
        return self._pool.run(jobs)


@pytest.fixture(scope="module")
def moved():
    """Pieces of a motion, and its true positions."""
    commands = commands_of(PANDA, "position", 6.0, 0)
    recording, true_rad = recording_of(PANDA, ARM, commands)
    return cut(recording, 0.0, 6.0), true_rad


def test_a_start_is_fitted_to_the_first_seconds_and_the_motion_to_its_end(moved):
    pieces, true_rad = moved
    with thread_pool(Plant(PANDA, PHYSICS_RATE_HZ)) as pool:
        watched = Watched(pool)
        found = predicted(ARM, watched, pieces, NOISE, forgets=True)
    assert max(watched.samples[:-1]) <= 402
    assert watched.samples[-1] == len(true_rad)
    assert np.abs(found - true_rad).max() < 2e-4


@pytest.mark.parametrize("call", [1, 2])
def test_ctrl_c_in_the_fit_of_a_start_ends_it(moved, call):
    pieces, _ = moved
    with (
        thread_pool(Plant(PANDA, PHYSICS_RATE_HZ)) as pool,
        pytest.raises(KeyboardInterrupt),
    ):
        predicted(ARM, Watched(pool, interrupted_at=call), pieces, NOISE, forgets=True)
