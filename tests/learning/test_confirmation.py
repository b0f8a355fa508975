"""Which policy a training ends with, its episodes being scripted."""

from concurrent.futures import Future

import numpy as np

from sinew_core.algorithms.replay import Motions
from sinew_core.bundle import load_bundle
from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.evaluation import Outcome
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.graph.start import GraphTraining
from sinew_core.training.jobs import CollectJob, JudgeJob, ObserveJob
from sinew_core.training.loop import train
from sinew_core.training.rollout import Episode

QUICK = 20
WIDTHS = {
    "observation": 24,
    "action": 7,
    "next_observation": 24,
    "seen_goal": 3,
    "next_seen_goal": 3,
    "next_achieved_goal": 3,
    "next_joint_velocity": 7,
}
SEEN = np.random.default_rng(0).normal(size=(64, 24)).astype(np.float32)


class Scripted:
    """Runs no episode: the policies, in order of their first evaluation, succeed as told.

    `told` has for each policy the successes of its quick evaluation and of its confirmation.
    """

    size = 1

    def __init__(self, *told):
        self.networks = []
        self.judged = []
        self._told = [[*quick, *confirmation] for quick, confirmation in told]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, job):
        future = Future()
        if isinstance(job, CollectJob):
            future.set_result([episode(seed) for seed in job.seeds])
        elif isinstance(job, JudgeJob):
            future.set_result([self._judge(job.network) for _ in job.seeds])
        else:
            future.set_result(SEEN if isinstance(job, ObserveJob) else None)
        return future

    def _judge(self, network):
        if network not in self.networks:
            self.networks.append(network)
        self.judged.append(network)
        left = self._told[self.networks.index(network)]
        return Outcome(succeeded=left.pop(0) if left else True, total_reward=-1.0, length=10)


def episode(seed):
    rng = np.random.default_rng(seed)
    shapes = {name: (10, WIDTHS[name]) if name in WIDTHS else (10,) for name in fields()}
    drawn = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    motions = Motions(**{**drawn, "terminated": np.zeros(10, np.float32)})
    return Episode(transitions=motions, total_reward=-1.0, succeeded=False)


def fields():
    return Motions.__dataclass_fields__


def test_the_policy_whose_success_is_confirmed_is_the_one_that_is_kept(tmp_path):
    # By chance the first does better in its quick evaluation, and then fails: 20 of 20 make more
    # success likely than 5 of 5 do.
    first = [True] * QUICK, [False] * 5
    second = [False] + [True] * (QUICK - 1), [True] * 5
    pool = Scripted(first, second)
    result = train(
        RunConfiguration.from_mapping(
            {
                "env_steps": 400,
                "evaluation_period_steps": 50,
                "confirm_episodes": 5,
                "eval_episodes": 5,
                "ddpg": {"warmup_steps": 20, "batch_size": 16},
            }
        ),
        on_progress=lambda _: None,
        should_stop=lambda: False,
        run_folder=tmp_path,
        graph=GraphTraining(pool),
    )
    assert result.confirmed
    assert len(pool.networks) == 2
    assert all(network is pool.networks[1] for network in pool.judged[-5:])
    assert (result.evaluation.successes, result.evaluation.episodes) == (5, 5)
    expected = NumpyPolicy(pool.networks[1]).act(SEEN[0])
    assert np.array_equal(load_bundle(tmp_path / "bundle").policy.act(SEEN[0]), expected)
