import dataclasses
import errno
import os

import pytest

from sinew_core.errors import ConfigError, RunError
from sinew_core.evaluation import Outcome, summarise
from sinew_core.training.configuration import RunConfiguration, read_parameter_file
from sinew_core.training.progress import Progress, TrainResult
from sinew_core.training.sweep import Interrupted, Space, Sweep, SweepParameters
from sinew_core.training.sweep.study import objective
from sinew_trainer.arguments import read_arguments
from sinew_trainer.sweep_job import line, main

BASE = RunConfiguration.from_mapping({"algorithm": "ddpg", "env_steps": 10_000, "seed": 3})
DOMAINS = {
    "ddpg.gamma": {"low": 0.8, "high": 0.99},
    "ddpg.batch_size": {"low": 32, "high": 256, "log": True},
    "ddpg.noise": {"choices": ["gaussian", "ornstein_uhlenbeck"]},
}
SPACE = Space.from_mapping(DOMAINS, BASE, "space")


def result(*, env_steps=2000, confirmed=True, stopped=False, success=1.0):
    outcomes = [
        Outcome(succeeded=index < round(10 * success), total_reward=0.0, length=1)
        for index in range(10)
    ]
    return TrainResult(
        env_steps=env_steps,
        wall_s=env_steps / 100,
        updates=1,
        confirmed=confirmed,
        stopped=stopped,
        curve=(),
        evaluation=summarise(outcomes),
        final_evaluation=None,
        episode_wall_s=None,
        bundle=None,
        picture=None,
        randomisation=None,
    )


class FakeTraining:
    """Needs fewer steps the closer gamma is to 0.95; keeps the configurations it got."""

    def __init__(self, success=lambda call: 1.0, interrupted_at=None):
        self.seen = []
        self.success = success
        self.interrupted_at = interrupted_at

    def __call__(self, configuration, *, on_progress, should_stop, run_folder):
        assert run_folder.is_dir()
        self.seen.append(configuration)
        if len(self.seen) == self.interrupted_at:
            return result(stopped=True)
        for env_steps in range(500, 4001, 500):
            on_progress(progress(env_steps, self.success(len(self.seen))))
            if should_stop():
                return result(stopped=True)
        return result(env_steps=1000 + round(1e4 * abs(configuration.algorithm.gamma - 0.95)))


def progress(env_steps, success_rate):
    return Progress(
        state="training",
        env_steps=env_steps,
        wall_s=1.0,
        env_steps_per_s=1.0,
        success_rate=success_rate,
        return_mean=0.0,
        remaining_s=0.0,
    )


def sweep(folder, train, space=SPACE, **values):
    parameters = SweepParameters.from_mapping({"trials": 6, "startup_trials": 2, **values})
    return Sweep(folder, BASE, space, parameters, train=train, should_stop=lambda: False)


def run(study):
    try:
        return list(study.run())
    finally:
        study.close()


def test_the_best_trial_becomes_a_parameter_file_of_a_run(tmp_path):
    train = FakeTraining()
    trials = run(sweep(tmp_path, train))
    best = min(trials, key=lambda trial: trial.value)
    read = RunConfiguration.from_mapping(read_parameter_file(tmp_path / "best.yaml"))
    assert read.train == BASE.train
    assert read.algorithm == train.seen[best.number].algorithm
    assert read.algorithm.gamma == best.values["ddpg.gamma"]
    assert best.value == 1000 + round(1e4 * abs(read.algorithm.gamma - 0.95))


def test_equal_seeds_try_equal_values(tmp_path):
    assert run(sweep(tmp_path / "a", FakeTraining())) == run(sweep(tmp_path / "b", FakeTraining()))


def test_every_trial_stays_in_the_space_and_changes_nothing_else(tmp_path):
    train = FakeTraining()
    run(sweep(tmp_path, train))
    for seen in train.seen:
        assert 0.8 <= seen.algorithm.gamma <= 0.99
        assert 32 <= seen.algorithm.batch_size <= 256
        kept = {"checkpoint_period_s": 30.0, "eval_episodes": BASE.train.eval_episodes}
        assert dataclasses.replace(seen.train, **kept) == BASE.train
        assert seen.safety == BASE.safety


def test_the_trainings_of_a_trial_have_consecutive_seeds_and_their_mean_counts(tmp_path):
    train = FakeTraining()
    run(sweep(tmp_path, train, trials=1, trainings=3))
    assert [seen.train.seed for seen in train.seen] == [3, 4, 5]


def test_an_interrupted_trial_is_done_again_first(tmp_path):
    stopped = FakeTraining(interrupted_at=4)
    with pytest.raises(Interrupted):
        run(sweep(tmp_path, stopped))
    resumed = FakeTraining()
    assert len(run(sweep(tmp_path, resumed))) == 3
    assert resumed.seen[0].algorithm == stopped.seen[3].algorithm


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
def test_a_study_whose_journal_was_cut_off_in_an_entry_goes_on(tmp_path, share):
    run(sweep(tmp_path, FakeTraining(), trials=3))
    journal = tmp_path / "journal.log"
    *whole, last = journal.read_bytes().splitlines(keepends=True)
    kept = last[: round(share * (len(last) - 1))]  # without the end of its line, at least
    journal.write_bytes(b"".join([*whole, kept]))
    for trials in (5, 6):
        run(sweep(tmp_path, FakeTraining(), trials=trials))
    study = sweep(tmp_path, FakeTraining(), trials=6)
    assert run(study) == []
    assert study.best is not None


def test_a_study_on_a_full_disk_is_refused_in_one_line(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot be written \(No space left on device\): free"):
        sweep(tmp_path, FakeTraining())


def test_a_crash_before_the_file_of_the_best_trial_is_made_up_for(tmp_path, monkeypatch):
    def full(path, text):
        raise OSError("No space left on device")

    monkeypatch.setattr("sinew_core.training.sweep.study.write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        run(sweep(tmp_path, FakeTraining(), trials=1))
    monkeypatch.undo()
    study = sweep(tmp_path, FakeTraining(), trials=1)
    assert run(study) == []
    gamma = read_parameter_file(study.best_file)["ddpg"]["gamma"]
    assert gamma == study.best.values["ddpg.gamma"]


def test_a_finished_study_has_nothing_left_to_do(tmp_path):
    run(sweep(tmp_path, FakeTraining()))
    again = FakeTraining()
    assert run(sweep(tmp_path, again)) == []
    assert again.seen == []


def test_a_trial_that_fails_more_than_the_median_is_pruned(tmp_path):
    train = FakeTraining(success=lambda call: 0.1 if call == 4 else 0.9)
    trials = run(sweep(tmp_path, train))
    assert [trial.value is None for trial in trials] == [False] * 3 + [True] + [False] * 2
    assert "pruned" in line(trials[3], trials[0])


def test_a_study_is_not_continued_with_another_space(tmp_path):
    run(sweep(tmp_path, FakeTraining(), trials=1))
    other = Space.from_mapping({"ddpg.gamma": {"low": 0.5, "high": 0.99}}, BASE, "space")
    with pytest.raises(RunError, match=r"another space.*study:=FOLDER"):
        Sweep(
            tmp_path,
            BASE,
            other,
            SweepParameters(startup_trials=2),
            train=FakeTraining(),
            should_stop=lambda: False,
        )


def test_a_study_in_use_is_refused(tmp_path):
    first = sweep(tmp_path, FakeTraining())
    with pytest.raises(RunError, match="in use"):
        sweep(tmp_path, FakeTraining())
    first.close()


def rates_of(low, high):
    return Space.from_mapping({"rates.control_rate_hz": {"low": low, "high": high}}, BASE, "space")


def test_values_that_no_run_could_have_are_passed_over_with_a_line_of_why(tmp_path):
    # Of 20 to 25 only the two ends divide the filter's 100 Hz.
    trials = run(sweep(tmp_path, FakeTraining(), rates_of(20, 25)))
    refused = [trial for trial in trials if trial.why]
    assert refused
    for trial in refused:
        rate = trial.values["rates.control_rate_hz"]
        assert f"control_rate_hz {rate} does not divide filter_rate_hz 100" in trial.why
        assert f"could not be run: {trial.why} (" in line(trial, None)
    assert [trial.value is None for trial in trials] == [trial in refused for trial in trials]
    assert len(trials) - len(refused) == 6
    assert run(sweep(tmp_path, FakeTraining(), rates_of(20, 25))) == []


def test_a_training_that_cannot_begin_is_passed_over_too(tmp_path):
    train = FakeTraining()

    def some(configuration, **arguments):
        if configuration.algorithm.noise == "gaussian":
            raise ConfigError("no environment can be made of it")
        return train(configuration, **arguments)

    trials = run(sweep(tmp_path, some))
    whys = {trial.values["ddpg.noise"]: trial.why for trial in trials}
    assert whys == {"gaussian": "no environment can be made of it", "ornstein_uhlenbeck": ""}


def test_a_trial_under_way_with_impossible_values_is_not_begun_for_ever(tmp_path):
    def interrupted(configuration, **arguments):
        raise Interrupted

    def refused(configuration, **arguments):
        raise ConfigError("no environment can be made of it")

    with pytest.raises(Interrupted):
        run(sweep(tmp_path, interrupted))
    study = sweep(tmp_path, refused)
    begun = next(iter(study.run()))
    study.close()
    train = FakeTraining()
    run(sweep(tmp_path, train))
    assert begun.why
    assert begun.values["ddpg.gamma"] not in [seen.algorithm.gamma for seen in train.seen]


def test_a_search_that_finds_nothing_that_can_be_run_ends(tmp_path):
    def refused(configuration, **arguments):
        raise ConfigError("no environment can be made of it")

    study = sweep(tmp_path, refused)
    with pytest.raises(RunError, match=r"50 trials in a row.*no environment.*narrow the space"):
        run(study)


@pytest.mark.parametrize("argument", ["sim_params", "randomisation"])
def test_what_no_trial_could_be_run_with_is_refused_before_the_first(tmp_path, capsys, argument):
    study = tmp_path / "study"
    assert main([f"{argument}:={tmp_path / 'none.yaml'}", f"study:={study}"]) == 2
    assert "none.yaml" in capsys.readouterr().err
    assert not study.exists()


def test_a_training_without_success_counts_as_longer_than_any_with_it():
    # 10,000 steps allowed, 70 % at last: 10,000 * (2 - 0.7) = 13,000.
    failed = result(env_steps=10_000, confirmed=False, success=0.7)
    assert objective(failed, 10_000, "env_steps") == pytest.approx(13_000)
    assert objective(result(env_steps=9900), 10_000, "env_steps") == 9900
    assert objective(result(env_steps=9900), 10_000, "wall_s") == 99


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ({"ddpg.gama": {"low": 0.1, "high": 0.2}}, "did you mean 'ddpg.gamma'"),
        ({"ppo.epochs": {"low": 1, "high": 2}}, "unknown parameter 'ppo.epochs'"),
        ({"ddpg.gamma": {"low": 0.1, "hihg": 0.2}}, "did you mean 'high'"),
        ({"ddpg.gamma": {"low": 0.5, "high": 1.5}}, "gamma is 1.5: allowed 0 to 1"),
        ({"ddpg.gamma": {"low": 0.5, "high": 0.1}}, "gamma: "),
        ({"ddpg.gamma": {"low": 0.5}}, "gamma: "),
        ({"ddpg.gamma": 0.5}, "write {low: A, high: B}"),
        ({"ddpg.batch_size": {"low": 1.5, "high": 3}}, "give integers"),
        ({"ddpg.noise": {"low": 0, "high": 3}}, "give choices"),
        ({"ddpg.noise": {"choices": ["pink"]}}, "noise is 'pink'"),
        ({"ddpg.gamma": {"choices": [[0.1], [0.2]]}}, "neither a number nor text"),
        ({"ddpg.noise": {"choices": ["gaussian", None]}}, "choice None is neither"),
    ],
)
def test_a_space_that_no_run_could_have_is_refused(domains, message):
    with pytest.raises(ConfigError) as error:
        Space.from_mapping(domains, BASE, "space")
    assert message in str(error.value)


def test_an_unknown_argument_is_refused_before_anything_starts(tmp_path, capsys):
    assert main(["trails:=3", f"study:={tmp_path / 'study'}"]) == 2
    assert "unknown argument 'trails': did you mean 'trials'?" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_arguments_are_those_of_a_training_and_of_the_search():
    configuration, parameters = read_arguments(
        ["algorithm:=ppo", "ppo.epochs:=3", "trials:=7"], SweepParameters
    )
    assert configuration.algorithm.epochs == 3
    assert parameters.trials == 7


def test_help_lists_the_arguments(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in ("trials", "study", "env_steps"))
