"""Training as a whole, on episodes of ten decisions: what a run leaves, and that it repeats."""

import numpy as np
import pytest

from sinew_core.bundle import load_bundle
from sinew_core.errors import ConfigError
from sinew_core.evaluation import evaluate
from sinew_core.training import jobs, keeper
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_environment
from sinew_core.training.jobs import split
from sinew_core.training.loop import train
from sinew_core.training.seeds import Seeds

TINY = {
    "env_steps": 120,
    "evaluation_period_steps": 50,
    "confirm_episodes": 5,
    "eval_episodes": 20,
    "target_success_rate": 1.0,
    "reach": {"episode_s": 0.4, "hold_s": 0.1},
}
DDPG = {**TINY, "algorithm": "ddpg", "ddpg": {"warmup_steps": 20, "batch_size": 16}}
PPO = {**TINY, "algorithm": "ppo", "ppo": {"episodes_per_iteration": 2, "epochs": 2}}


def run(folder, values, *, workers=1, should_stop=lambda: False):
    reports = []
    result = train(
        RunConfiguration.from_mapping(values),
        on_progress=reports.append,
        should_stop=should_stop,
        run_folder=folder,
        workers=workers,
    )
    return result, reports


def curve_of(result):
    return [(p.env_steps, p.success_rate, p.return_mean, p.episodes) for p in result.curve]


@pytest.fixture(scope="module", params=[DDPG, PPO], ids=["ddpg", "ppo"])
def finished(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return request.param, folder, *run(folder, request.param)


def test_a_run_uses_its_steps_and_says_how_it_went(finished):
    _, _, result, reports = finished
    assert result.env_steps >= 120
    assert result.updates > 0
    assert not result.stopped
    assert not result.confirmed  # ten decisions are too few to reach and hold
    assert reports[-1].env_steps == result.env_steps
    assert reports[-1].remaining_s == 0.0
    assert [p.env_steps for p in result.curve] == sorted(p.env_steps for p in result.curve)


def test_the_best_policy_is_a_bundle_that_loads(finished):
    values, folder, result, _ = finished
    bundle = load_bundle(folder / "bundle")
    assert result.bundle == folder / "bundle"
    assert bundle.manifest.algorithm == values["algorithm"]
    assert bundle.manifest.evaluation["success_rate"] == result.evaluation.success_rate
    assert bundle.manifest.training["randomisation"] is None
    assert bundle.policy.act(np.zeros(24, np.float32)).shape == (7,)


def test_the_policy_of_the_bundle_is_evaluated_as_evaluate_would(finished):
    values, folder, result, _ = finished
    configuration = RunConfiguration.from_mapping(values)
    env = make_environment(configuration)
    try:
        policy = load_bundle(folder / "bundle").policy
        again = evaluate(
            env, policy.act, configuration.train.eval_episodes, configuration.train.seed
        )
    finally:
        env.close()
    assert result.final_evaluation == again


def test_one_seed_gives_one_result_whatever_the_number_of_workers(finished, tmp_path):
    values, folder, result, _ = finished
    again, _ = run(tmp_path, values, workers=3)
    assert curve_of(again) == curve_of(result)
    first, second = (load_bundle(f / "bundle").network for f in (folder, tmp_path))
    for (weight, bias), (other_weight, other_bias) in zip(first.layers, second.layers, strict=True):
        assert np.array_equal(weight, other_weight)
        assert np.array_equal(bias, other_bias)


def test_another_seed_gives_another_result(finished, tmp_path):
    values, _, result, _ = finished
    other, _ = run(tmp_path, {**values, "seed": 1})
    assert curve_of(other) != curve_of(result)


def test_a_discrete_policy_is_a_bundle_that_chooses_among_its_nudges(tmp_path):
    small = {"warmup_steps": 20, "batch_size": 16, "nudges": [0.5]}
    run(tmp_path, {**TINY, "env_steps": 40, "algorithm": "dqn", "dqn": small})
    bundle = load_bundle(tmp_path / "bundle")
    nudges = bundle.specification.action.nudges
    assert len(nudges) == 15  # to rest, or one of 7 joints one way or the other
    assert tuple(bundle.policy.act(np.zeros(24, np.float32)).tolist()) in nudges


def test_a_stop_keeps_the_best_bundle(tmp_path):
    endless = {**DDPG, "env_steps": 1_000_000}
    result, _ = run(tmp_path, endless, should_stop=(tmp_path / "bundle" / "manifest.json").exists)
    assert result.stopped
    assert result.env_steps < 1_000_000
    load_bundle(tmp_path / "bundle")


def test_a_stop_while_the_first_bundle_is_made_keeps_it(tmp_path, monkeypatch):
    asked = []

    def observe(**arguments):
        asked.append(arguments)
        return jobs.ObserveJob(**arguments)

    monkeypatch.setattr(keeper, "ObserveJob", observe)
    result, _ = run(tmp_path, DDPG, should_stop=lambda: bool(asked))
    assert result.stopped
    load_bundle(tmp_path / "bundle")


def test_an_environment_that_cannot_be_made_is_the_users_error(tmp_path):
    with pytest.raises(ConfigError, match="start_rad"):
        run(tmp_path, {**DDPG, "reach": {**TINY["reach"], "start_rad": [0.0]}})


def test_streams_of_seeds_never_meet():
    seeds = Seeds(0)
    drawn = [*seeds.training(100), *seeds.quick(100), *seeds.fresh(100)]
    assert len(set(drawn)) == 300
    assert Seeds(0).training(3) == drawn[:3]
    assert Seeds(1).training(3) != drawn[:3]


def test_jobs_hold_all_seeds_in_order():
    assert split([1, 2, 3, 4, 5], 2) == [(1, 2), (3, 4), (5,)]
