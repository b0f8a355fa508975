"""Run folders: what replaces a run, what goes on with one, and what is refused before either."""

import dataclasses
import datetime

import pytest
import yaml

from bundle_samples import make_manifest, make_network, resign, write_sample
from sinew_core.errors import ConfigError, RunError, SinewError
from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.training.checkpoints.resume import locked, read_configuration
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_setup
from sinew_trainer.graph_parameters import GraphTrainParameters
from sinew_trainer.graph_run import prepare_run
from sinew_trainer.main_job import make_job
from sinew_trainer.run_folder import create_run

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
FOUND = {
    "mode": "joint_velocity",
    "shadow": False,
    "rates": Rates().to_mapping(),
    "safety": {k: v for k, v in SafetyParameters().to_mapping().items() if v != []},
}


@pytest.fixture
def run_with_a_bundle(tmp_path):
    """Return the folder of a run with a bundle of the Panda's."""
    folder = tmp_path / "first"
    folder.mkdir()
    configuration = RunConfiguration.from_mapping({"run": "first", "output": str(tmp_path)})
    (folder / "config.yaml").write_text(configuration.to_yaml())
    setup = make_setup(configuration)
    specification = {
        "observation": setup.observation_spec.to_mapping(),
        "action": setup.action_spec.to_mapping(),
    }
    robot = setup.robot
    manifest = make_manifest(robot.joint_names, robot.limits, robot.name)
    network = make_network((setup.observation_spec.size, 8, robot.n_joints))
    bundle = folder / "bundle"
    write_sample(bundle, network, dataclasses.replace(manifest, **specification))
    (bundle / "training.yaml").write_text(configuration.to_yaml())
    resign(bundle)
    return folder


def content(folder):
    """Return the bytes of every file of a run by name; its lock is none of its results."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def over_the_graph(folder, **values):
    place = {"run": folder.name, "output": str(folder.parent)}
    return prepare_run(GraphTrainParameters(**place, **values), FOUND)


def test_a_run_over_the_graph_may_begin_with_the_bundle_that_it_replaces(run_with_a_bundle):
    before = content(run_with_a_bundle / "bundle")
    over_the_graph(run_with_a_bundle, bundle=str(run_with_a_bundle / "bundle"), overwrite=True)
    assert content(run_with_a_bundle / "start_bundle") == before
    assert not (run_with_a_bundle / "bundle").exists()
    assert read_configuration(run_with_a_bundle).train.overwrite is False


@pytest.mark.parametrize(
    "mistake",
    [{"urdf": "/nowhere.urdf"}, {"robot": "pandaa"}, {"bundle": "nowhere"}, {"training": "none"}],
)
def test_a_mistake_over_the_graph_leaves_the_run_that_was_to_be_replaced(
    run_with_a_bundle, mistake
):
    before = content(run_with_a_bundle)
    with pytest.raises(SinewError):
        over_the_graph(run_with_a_bundle, overwrite=True, **mistake)
    assert content(run_with_a_bundle) == before
    assert [p.name for p in run_with_a_bundle.parent.iterdir()] == ["first"]


@pytest.mark.parametrize(
    ("mistake", "reason"),
    [
        ({"urdf": "/nowhere.urdf"}, "/nowhere.urdf"),
        ({"randomisation": "/nowhere.yaml"}, "/nowhere.yaml"),
        ({"sim_params": "/nowhere.yaml"}, "/nowhere.yaml"),
        ({"device": "cuda"}, "device is cuda"),
        ({"randomisation": "RUN/randomisation.yaml"}, "randomisation is .*: copy it to another"),
    ],
)
def test_a_mistake_leaves_the_run_that_was_to_be_replaced(
    run_with_a_bundle, mistake, reason, monkeypatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    noise = {"distribution": "uniform", "low": 0.0, "high": 1e-4}
    drawn = yaml.safe_dump({"parameters": {"sensor_noise/position_rad": noise}})
    (run_with_a_bundle / "randomisation.yaml").write_text(drawn)
    before = content(run_with_a_bundle)
    values = {k: v.replace("RUN", str(run_with_a_bundle)) for k, v in mistake.items()}
    place = {"run": "first", "output": str(run_with_a_bundle.parent), "overwrite": True}
    configuration = RunConfiguration.from_mapping({**place, **values})
    with pytest.raises(SinewError, match=reason):
        create_run(configuration, NOW)
    assert content(run_with_a_bundle) == before


@pytest.fixture
def graph_run(tmp_path):
    """Return the folder of a run over the graph of 5,000 steps."""
    return over_the_graph(tmp_path / "graph", env_steps=5000, seed=3).folder


def go_on(folder, **values):
    return prepare_run(GraphTrainParameters(resume=str(folder), **values), FOUND).configuration


def test_a_run_over_the_graph_goes_on_with_what_may_change(graph_run):
    assert go_on(graph_run).train.env_steps == 5000
    asked = {"env_steps": 20_000, "eval_episodes": 7, "checkpoint_period_s": 5.0}
    configuration = go_on(graph_run, **asked, seed=3)
    assert {name: getattr(configuration.train, name) for name in asked} == asked
    assert read_configuration(graph_run) == configuration


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"seed": 4}, "seed is 3, not 4"),
        ({"env_steps": 4000}, "env_steps may only grow, and 4000 is less than 5000"),
        ({"robot": "iiwa14"}, "robot is panda, not iiwa14"),
    ],
)
def test_what_contradicts_a_run_over_the_graph_is_refused(graph_run, values, reason):
    before = content(graph_run)
    with pytest.raises(RunError, match=reason):
        go_on(graph_run, **values)
    assert content(graph_run) == before


def test_a_run_over_the_graph_goes_on_despite_what_is_accepted(graph_run):
    run = prepare_run(GraphTrainParameters(resume=str(graph_run)), FOUND)
    assert run.despite == ()
    asked = GraphTrainParameters(resume=str(graph_run), resume_despite="code,versions")
    assert prepare_run(asked, FOUND).despite == ("code", "versions")


def test_a_run_goes_on_only_where_it_was_trained(graph_run, run_with_a_bundle):
    with pytest.raises(RunError, match=f"over the graph: .* train_graph resume:={graph_run}"):
        make_job([f"resume:={graph_run}"])
    remedy = f"in simulation: .* bundle:={run_with_a_bundle}/bundle"
    with pytest.raises(RunError, match=remedy):
        go_on(run_with_a_bundle)


def test_a_run_that_is_being_trained_keeps_its_configuration(graph_run):
    before = content(graph_run)
    with locked(graph_run), pytest.raises(RunError, match="is being trained by process"):
        go_on(graph_run, env_steps=9000)
    assert content(graph_run) == before


def test_a_new_run_over_the_graph_has_steps_of_its_own(tmp_path):
    assert over_the_graph(tmp_path / "new").configuration.train.env_steps == 20_000
    with pytest.raises(ConfigError, match="env_steps"):
        GraphTrainParameters(env_steps=-1)
