"""Checkpoints on disk: written whole or not at all, refused when altered, pruned, and pieced."""

import json
import shutil

import numpy as np
import pytest

from learning import toy
from sinew_core.algorithms.parameters import PARAMETERS
from sinew_core.errors import RunError
from sinew_core.evaluation import Outcome, summarise
from sinew_core.training.checkpoints import store as checkpoint_store
from sinew_core.training.checkpoints.manifest import CheckpointManifest
from sinew_core.training.checkpoints.packing import pack, unpack
from sinew_core.training.checkpoints.snapshot import SNAPSHOT_CLASSES, Best, Quick, Snapshot
from sinew_core.training.checkpoints.store import CheckpointStore
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.learners import Problem, make_learner
from sinew_core.training.learners.problem import Hindsight
from sinew_core.training.progress import CurvePoint
from sinew_core.training.rollout import Episode
from sinew_core.training.seeds import Seeds

CONFIGURATION = RunConfiguration.from_mapping({})
CAPACITY = 50


def make():
    small = {"warmup_steps": 1, "batch_size": 4, "hidden_units": 8, "replay_capacity": CAPACITY}
    hindsight = Hindsight(relabel=toy.relabel, goal_reward=toy.goal_reward)
    problem = Problem(observation_size=4, action_size=2, hindsight=hindsight)
    return make_learner(problem, PARAMETERS["ddpg"].from_mapping(small), 0)


def learn(learner, rounds, first=0):
    episodes = []
    for number in range(first, first + rounds):
        choose = learner.explorer(number).begin(number)
        steps, _ = toy.episode(
            lambda o, choose=choose: choose(o).action, np.random.default_rng(number)
        )
        episodes.append(Episode(transitions=steps, total_reward=-0.1, succeeded=False))
        learner.learn(episodes[-1:], 100)
    return episodes


def snapshot_of(learner, episodes, env_steps=40):
    result = summarise([Outcome(succeeded=True, total_reward=0.1, length=3)])
    network = learner.network()
    point = CurvePoint(env_steps=20, wall_s=0.3, success_rate=1.0, return_mean=0.1, episodes=1)
    return Snapshot(
        env_steps=env_steps,
        wall_s=1.5,
        episodes=tuple(episodes),
        returns=(0.1, 0.2),
        curve=(point,),
        best=Best(network=network, result=result, env_steps=20, wall_s=0.3),
        quick=Quick(network=network, env_steps=20, seeds=(2**63 - 1, 5)),
        next_evaluation=60,
        seeds=Seeds(3).state(),
        events_bytes=88,
    )


def same(first, second):
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first
    )


def everything(learner):
    return {**learner.state(), **learner.replay.since(0)}


def plain(snapshot):
    arrays = {}
    return pack(snapshot, arrays, "run"), arrays


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a run with three checkpoints, and what each held."""
    folder, held = tmp_path_factory.mktemp("run"), []
    learner, store = make(), CheckpointStore(folder, CONFIGURATION)
    for number in range(3):
        episodes = learn(learner, 2, first=2 * number)
        snapshot = snapshot_of(learner, episodes, env_steps=40 * (number + 1))
        store.save(snapshot, learner)
        held.append((snapshot, everything(learner)))
    return folder, held


@pytest.fixture
def saved(written, tmp_path):
    """Return a copy of it to damage."""
    shutil.copytree(written[0], tmp_path / "run")
    return tmp_path / "run", written[1]


def load(folder, configuration=CONFIGURATION, despite=()):
    learner, told = make(), []
    snapshot = CheckpointStore(folder, configuration, despite).load(learner, told.append)
    return learner, snapshot, told


def test_a_checkpoint_brings_back_all_that_was_saved(saved):
    folder, held = saved
    learner, snapshot, told = load(folder)
    expected, state = held[-1]
    (text, arrays), (found_text, found_arrays) = plain(expected), plain(snapshot)
    assert found_text == text
    assert same(found_arrays, arrays)
    assert same(everything(learner), state)
    assert told == ["going on from checkpoint 000003 at 120 environment steps"]


def test_the_last_two_are_kept_with_the_pieces_of_the_replay_that_they_need(saved):
    folder, _ = saved
    learner, _, _ = load(folder)
    held = len(learner.replay.since(0)["steps_left"])
    assert held == CAPACITY  # two episodes of twenty steps each time: the ring has wrapped
    names = sorted(p.name for p in (folder / "checkpoints").iterdir())
    assert names == ["000002", "000003", "replay"]
    pieces = sorted(p.name for p in (folder / "checkpoints" / "replay").iterdir())
    assert pieces == ["000001.safetensors", "000002.safetensors", "000003.safetensors"]


def test_each_checkpoint_writes_only_what_came_since_the_last(saved):
    folder, _ = saved
    manifest = json.loads((folder / "checkpoints/000003/manifest.json").read_text())
    rows = [(piece["first"], piece["total"]) for piece in manifest["replay"]]
    assert rows == [(40, 80), (80, 120)]  # of 120, the last 50 are held


def flip_a_bit(path):
    data = path.read_bytes()
    path.write_bytes(data[:9] + bytes([data[9] ^ 1]) + data[10:])


DAMAGES = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "altered": flip_a_bit,
    "missing": lambda path: path.unlink(),
}
FILES = (
    "000003/manifest.json",
    "000003/state.json",
    "000003/arrays.safetensors",
    "replay/000003.safetensors",
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_checkpoint_is_refused_by_name_and_the_one_before_taken(saved, file, damage):
    folder, held = saved
    DAMAGES[damage](folder / "checkpoints" / file)
    learner, _, told = load(folder)
    assert same(everything(learner), held[1][1])
    (line,) = told
    assert file.removeprefix("000003/") in line
    assert "checkpoint 000003" in line
    assert "refused; going on from checkpoint 000002 at 80 environment steps" in line


def test_where_the_manifest_is_altered_with_its_json_intact_it_is_refused(saved):
    folder, _ = saved
    path = folder / "checkpoints/000003/manifest.json"
    path.write_text(path.read_text().replace('"total": 120', '"total": 119'))
    assert "manifest.json is altered" in load(folder)[2][0]


def test_a_run_without_any_good_checkpoint_is_refused_with_the_remedy(saved):
    folder, _ = saved
    for path in (folder / "checkpoints").glob("0*/state.json"):
        path.write_text("{}")
    with pytest.raises(RunError, match=r"000002: .*state.json has 2 bytes.*remove that folder"):
        load(folder)


def test_after_a_damaged_checkpoint_the_next_has_a_new_number_and_the_damaged_goes(saved):
    folder, _ = saved
    (folder / "checkpoints/000003/state.json").unlink()
    learner, store = make(), CheckpointStore(folder, CONFIGURATION)
    store.load(learner, str)
    episodes = learn(learner, 1, first=9)
    store.save(snapshot_of(learner, episodes), learner)
    assert store.numbers() == [2, 4]
    assert same(everything(load(folder)[0]), everything(learner))


def test_a_run_without_checkpoints_begins_anew(tmp_path):
    assert load(tmp_path)[1:] == (None, [])


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize("step", range(12))
def test_a_crash_at_any_step_of_writing_leaves_a_good_checkpoint(saved, monkeypatch, step):
    folder, held = saved
    left = [step]

    def cut(function):
        def cutting(*arguments, **named):
            left[0] -= 1
            if left[0] < 0:
                raise PowerCutError
            return function(*arguments, **named)

        return cutting

    learner, store = make(), CheckpointStore(folder, CONFIGURATION)
    store.load(learner, str)
    episodes = learn(learner, 1, first=9)
    for name in ("write_durably", "sync_folder"):
        monkeypatch.setattr(checkpoint_store, name, cut(getattr(checkpoint_store, name)))
    monkeypatch.setattr(shutil, "rmtree", cut(shutil.rmtree))
    try:
        store.save(snapshot_of(learner, episodes, env_steps=140), learner)
        state = everything(learner)
    except PowerCutError:
        written = (folder / "checkpoints/000004").is_dir()
        state = everything(learner) if written else held[-1][1]
    monkeypatch.undo()
    again, _, told = load(folder)
    assert same(everything(again), state)
    assert "refused" not in told[0]
    later = CheckpointStore(folder, CONFIGURATION)
    later.load(again, str)
    later.save(snapshot_of(again, episodes, env_steps=160), again)
    later.save(snapshot_of(again, episodes, env_steps=180), again)
    names = sorted(p.name for p in (folder / "checkpoints").iterdir())
    assert len(names) == 3
    assert not any(name.startswith(".") for name in names)


def test_other_code_or_another_schema_is_refused_with_the_reason(saved, monkeypatch):
    folder, _ = saved
    monkeypatch.setattr(
        checkpoint_store, "provenance", lambda _: {"code": "other", "python": "3", "numpy": "1"}
    )
    with pytest.raises(RunError, match=r"its code, at git revision .* is not the present one"):
        load(folder)
    monkeypatch.undo()
    monkeypatch.setattr(
        checkpoint_store, "provenance", lambda c: {**REAL_PROVENANCE(c), "torch": "9.9"}
    )
    with pytest.raises(RunError, match=r"trained with torch .* here is 9.9"):
        load(folder)
    monkeypatch.undo()
    path = folder / "checkpoints/000003/manifest.json"
    manifest = CheckpointManifest.decode(path.read_bytes())
    object.__setattr__(manifest, "schema", 2)
    path.write_bytes(manifest.encode())
    with pytest.raises(RunError, match="schema 2, this version reads 1"):
        load(folder)


REAL_PROVENANCE = checkpoint_store.provenance


def become(monkeypatch, **others):
    """Let what computes now be another than what wrote the checkpoints."""
    monkeypatch.setattr(
        checkpoint_store, "provenance", lambda _: {**REAL_PROVENANCE(CONFIGURATION), **others}
    )


@pytest.mark.parametrize(
    ("others", "despite", "remedy"),
    [
        ({"code": "other"}, (), "resume_despite:=code,"),
        ({"code": "other", "numpy": "9.9"}, ("code",), "resume_despite:=code,versions,"),
        ({"torch": "9.9"}, ("code", "device"), "resume_despite:=versions,"),
        ({"device": "Some GPU"}, ("code",), "resume_despite:=device,"),
    ],
)
def test_what_is_not_accepted_is_refused_with_all_that_has_to_be(
    saved, monkeypatch, others, despite, remedy
):
    become(monkeypatch, **others)
    with pytest.raises(RunError) as refused:
        load(saved[0], despite=despite)
    assert remedy in str(refused.value)


def test_a_run_goes_on_despite_what_is_accepted_and_keeps_the_record_of_it(saved, monkeypatch):
    folder, held = saved
    become(monkeypatch, code="other", numpy="9.9")
    learner, store = make(), CheckpointStore(folder, CONFIGURATION, ("code", "versions"))
    snapshot = store.load(learner, str)
    assert same(everything(learner), held[-1][1])
    (change,) = store.changes
    assert (change.env_steps, dict(change.now)) == (120, {"code": "other", "numpy": "9.9"})
    assert change.then == {name: REAL_PROVENANCE(CONFIGURATION)[name] for name in change.now}

    episodes = learn(learner, 1, first=9)
    store.save(snapshot_of(learner, episodes, env_steps=140), learner)
    again = CheckpointStore(folder, CONFIGURATION)  # nothing has changed since
    assert again.load(make(), str).env_steps == 140 > snapshot.env_steps
    assert again.changes == (change,)
    monkeypatch.undo()
    back = CheckpointStore(folder, CONFIGURATION, ("code", "versions"))
    back.load(make(), str)
    assert [c.env_steps for c in back.changes] == [120, 140]


def test_a_state_that_other_code_cannot_read_names_the_code_that_can(saved, monkeypatch):
    class Grown:
        replay = None

        def load_state(self, state):
            state["agent.third_critic.parameters"]

    become(monkeypatch, code="other")
    store = CheckpointStore(saved[0], CONFIGURATION, ("code",))
    with pytest.raises(RunError, match=r"third_critic.*: resume it with git revision"):
        store.load(Grown(), str)


def test_the_device_of_a_run_changes_only_where_that_is_accepted(saved, monkeypatch):
    folder, held = saved
    become(monkeypatch, device="Some GPU")
    elsewhere = RunConfiguration.from_mapping({"device": "cuda"})
    with pytest.raises(RunError, match="device is cpu, not cuda, which resume_despite:=device"):
        load(folder, elsewhere)
    assert same(everything(load(folder, elsewhere, ("device",))[0]), held[-1][1])


def test_another_configuration_is_refused_by_every_difference(saved):
    folder, _ = saved
    other = RunConfiguration.from_mapping({"seed": 4, "ddpg.gamma": 0.5, "env_steps": 300_000})
    with pytest.raises(RunError, match=r"ddpg.gamma is 0.93, not 0.5, seed is 0, not 4"):
        load(folder, other)
    more = RunConfiguration.from_mapping({"env_steps": 300_000, "checkpoint_period_s": 0.0})
    assert load(folder, more)[1].env_steps == 120
    fewer = RunConfiguration.from_mapping({"env_steps": 100})
    with pytest.raises(RunError, match="env_steps may only grow"):
        load(folder, fewer)


def test_only_the_classes_of_a_snapshot_are_made_from_a_file():
    with pytest.raises(ValueError, match="Popen"):
        unpack({"class": "Popen", "fields": {}}, {}, SNAPSHOT_CLASSES)
