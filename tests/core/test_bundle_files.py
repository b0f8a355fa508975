import contextlib
import ctypes
import dataclasses
import io
import json
import os
import pickle
import shutil
import threading

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle_samples import make_manifest, make_network, resign, write_sample
from sinew_core.bundle import load_bundle
from sinew_core.bundle.manifest import (
    GOLDEN_FILE,
    HASHED_FILES,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    decode_manifest,
)
from sinew_core.bundle.writer import write_bundle
from sinew_core.errors import BundleError

ALL_FILES = (MANIFEST_FILE, *HASHED_FILES)
SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path):
    return write_sample(tmp_path / "bundle")


def refusal(folder):
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message
    assert "found" in message
    return message


@contextlib.contextmanager
def replaced(folder, name, content):
    """A file of other content, with checksums to match."""
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    resign(folder)
    try:
        yield
    finally:
        (folder / name).write_bytes(whole)


def test_copies_have_the_same_fingerprint_and_other_weights_another(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    other = write_sample(tmp_path / "other", make_network(seed=1))
    found = [load_bundle(each).fingerprint for each in (folder, copy, other)]
    assert found[0] == found[1] != found[2]


def test_a_written_bundle_is_read_back(folder):
    network = make_network()
    bundle = load_bundle(folder)
    assert bundle.manifest.joint_names == ("one", "two")
    assert bundle.manifest.training == {"env_steps": 1000, "wall_s": 1.5}
    assert sorted(p.name for p in folder.iterdir()) == sorted(ALL_FILES)
    for (weight, bias), (read_weight, read_bias) in zip(
        network.layers, bundle.network.layers, strict=True
    ):
        assert np.array_equal(weight, read_weight)
        assert np.array_equal(bias, read_bias)


def test_weights_in_fortran_order_are_read_back(tmp_path):
    network = make_network()
    turned = tuple((np.asfortranarray(weight), bias) for weight, bias in network.layers)
    fortran = type(network)(**{**vars(network), "layers": turned})
    bundle = load_bundle(write_sample(tmp_path / "bundle", fortran))
    assert np.array_equal(bundle.network.layers[0][0], network.layers[0][0])


@SHARED_FOLDER
@given(data=st.data())
def test_any_flipped_byte_is_refused_and_the_file_is_named(folder, data):
    name = data.draw(st.sampled_from(ALL_FILES))
    path = folder / name
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    flip = data.draw(st.integers(1, 255))
    damaged = bytearray(whole)
    damaged[position] ^= flip
    path.write_bytes(damaged)
    try:
        assert name in refusal(folder)
    finally:
        path.write_bytes(whole)


def test_every_flipped_bit_of_the_manifest_is_refused(folder):
    whole = (folder / MANIFEST_FILE).read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(BundleError):
            decode_manifest(bytes(damaged))


@SHARED_FOLDER
@given(garbage=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_as_the_manifest_is_refused(folder, garbage):
    (folder / MANIFEST_FILE).write_bytes(garbage)
    assert MANIFEST_FILE in refusal(folder)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[1]", '{"schema_version": 1}', "9" * 5000, '{"schema_version": 1e999}']
)
def test_hostile_json_is_refused(folder, text):
    (folder / MANIFEST_FILE).write_text(text)
    assert MANIFEST_FILE in refusal(folder)


@SHARED_FOLDER
@given(garbage=st.binary(max_size=200), name=st.sampled_from([WEIGHTS_FILE, GOLDEN_FILE]))
def test_garbage_with_right_checksums_is_refused(folder, garbage, name):
    with replaced(folder, name, garbage):
        assert name in refusal(folder)


@SHARED_FOLDER
@given(data=st.data(), name=st.sampled_from([WEIGHTS_FILE, GOLDEN_FILE]))
def test_truncation_with_right_checksums_is_refused(folder, data, name):
    whole = (folder / name).read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    with replaced(folder, name, whole[:length]):
        assert name in refusal(folder)


@SHARED_FOLDER
@given(data=st.data(), name=st.sampled_from([WEIGHTS_FILE, GOLDEN_FILE]))
def test_damage_with_right_checksums_never_raises_anything_else(folder, data, name):
    damaged = bytearray((folder / name).read_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    with replaced(folder, name, damaged):
        try:
            load_bundle(folder)
        except BundleError as error:
            assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert name in refusal(folder)


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_folder_in_place_of_a_file_is_named(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    assert name in refusal(folder)


def test_a_missing_folder_is_named(tmp_path):
    assert str(tmp_path / "none") in refusal(tmp_path / "none")


def test_another_schema_version_names_both(folder):
    path = folder / MANIFEST_FILE
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "schema_version": 2}))
    message = refusal(folder)
    assert "schema_version: expected 1, found 2" in message


@pytest.mark.parametrize("joints", [("one",), ("one", "two", "three")])
def test_a_missing_or_extra_joint_is_refused(folder, joints):
    resign(folder, joint_names=joints)
    assert "action.joint_names: expected" in refusal(folder)


@pytest.mark.parametrize("joints", [("one", "one"), ()])
def test_joint_names_are_different_names(joints):
    with pytest.raises(BundleError, match="joint_names"):
        dataclasses.replace(make_manifest(), joint_names=joints)


@pytest.mark.parametrize(
    ("field", "key", "value", "named"),
    [
        ("action", "joint_names", ["two", "one"], "action.joint_names: expected"),
        ("action", "mode", "joint_torque", "mode"),
        ("action", "scale", [1.0], "scale"),
        ("observation", "size", 8, "size"),
        ("observation", "fields", [], "size"),
        ("limits", "velocity_rad_s", [1.0, -1.0], "velocity_rad_s"),
        ("limits", "velocity_rad_s", [1.0], "velocity_rad_s"),
        ("rates", "control_rate_hz", 33, "control_rate_hz"),
        ("rates", "control_rate_hz", 0, "control_rate_hz"),
        ("network", "hidden_activation", "elu", "hidden_activation"),
        ("network", "observation_clip", "wide", "observation_clip"),
        ("network", "layer_sizes", [9, 2], "layer_sizes"),
    ],
)
def test_contradictions_of_the_manifest_are_refused(folder, field, key, value, named):
    manifest = load_bundle(folder).manifest
    resign(folder, **{field: {**getattr(manifest, field), key: value}})
    with pytest.raises(BundleError, match=named) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


def change_weights(folder, **changes):
    tensors = safetensors.numpy.load_file(folder / WEIGHTS_FILE)
    tensors = {k: v for k, v in {**tensors, **changes}.items() if v is not None}
    safetensors.numpy.save_file(tensors, folder / WEIGHTS_FILE)
    resign(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"layer.0.weight": np.full((8, 9), np.nan, np.float32)},
        {"layer.0.weight": np.zeros((8, 10), np.float32)},
        {"layer.0.weight": np.zeros((8, 9), np.float64)},
        {"layer.0.weight": None},
        {"observation.std": np.zeros(9, np.float32)},
        {"surplus": np.zeros(1, np.float32)},
    ],
)
def test_weights_that_cannot_run_are_refused(folder, changes):
    change_weights(folder, **changes)
    assert WEIGHTS_FILE in refusal(folder)


def test_other_weights_fail_the_golden_pairs(folder):
    change_weights(folder, **{"layer.2.bias": np.zeros(2, np.float32)})
    assert "golden.npz: action[" in refusal(folder)


@pytest.mark.parametrize(
    ("observation", "action"),
    [
        (np.zeros((5, 10), np.float32), np.zeros((5, 2), np.float32)),
        (np.zeros((0, 9), np.float32), np.zeros((0, 2), np.float32)),
        (np.zeros((5, 9), np.float32), np.zeros((4, 2), np.float32)),
        (np.zeros((5, 9), np.float64), np.zeros((5, 2), np.float32)),
        (np.full((1, 9), np.nan, np.float32), np.zeros((1, 2), np.float32)),
        (np.zeros((1, 9), np.float32), np.full((1, 2), np.nan, np.float32)),
    ],
)
def test_golden_pairs_of_wrong_shape_or_value_are_refused(folder, observation, action):
    np.savez(folder / GOLDEN_FILE, observation=observation, action=action)
    resign(folder)
    assert GOLDEN_FILE in refusal(folder)


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


def test_no_pickle_is_ever_loaded(folder):
    np.savez(folder / GOLDEN_FILE, observation=np.array([Bomb()], dtype=object), action=np.zeros(1))
    resign(folder)
    assert GOLDEN_FILE in refusal(folder)
    (folder / GOLDEN_FILE).write_bytes(pickle.dumps(Bomb()))
    resign(folder)
    assert GOLDEN_FILE in refusal(folder)
    assert not Bomb.exploded


def test_a_compressed_archive_with_a_wrong_size_is_refused(folder):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, observation=np.zeros((5, 9), np.float32))
    (folder / GOLDEN_FILE).write_bytes(buffer.getvalue()[:-30])
    resign(folder)
    assert GOLDEN_FILE in refusal(folder)


def test_a_network_that_differs_from_its_actor_is_not_written(tmp_path):
    observations = np.zeros((3, 9), np.float32)
    with pytest.raises(BundleError, match="golden"):
        write_bundle(
            tmp_path / "bundle",
            make_manifest(),
            make_network(),
            observations,
            np.zeros((3, 2), np.float32),
            "",
        )
    assert list(tmp_path.iterdir()) == []


def test_nan_in_the_manifest_is_not_written(tmp_path):
    manifest = type(make_manifest())(**{**vars(make_manifest()), "evaluation": {"x": float("nan")}})
    with pytest.raises(BundleError, match="finite"):
        write_sample(tmp_path / "bundle", manifest=manifest)


def test_a_folder_with_other_files_is_not_replaced(tmp_path):
    precious = tmp_path / "bundle" / "thesis.tex"
    precious.parent.mkdir()
    precious.write_text("kept")
    with pytest.raises(BundleError, match=r"thesis\.tex"):
        write_sample(tmp_path / "bundle")
    assert precious.read_text() == "kept"


def test_writing_again_replaces_and_leaves_nothing_behind(folder):
    write_sample(folder, make_network(seed=7))
    expected = make_network(seed=7).layers[0][0]
    assert np.array_equal(load_bundle(folder).network.layers[0][0], expected)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_reader_beside_a_writer_always_finds_a_whole_bundle(folder):
    networks = [make_network(seed=seed) for seed in range(2)]
    done = threading.Event()
    failures = []

    def read():
        while not done.is_set():
            try:
                load_bundle(folder)
            except BundleError as error:
                failures.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(20):
            write_sample(folder, networks[turn % 2])
    finally:
        done.set()
        reader.join()
    assert failures == []


def test_a_disk_that_fails_leaves_the_old_bundle(folder, monkeypatch):
    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BundleError, match="No space left on device"):
        write_sample(folder, make_network(seed=7))
    assert np.array_equal(load_bundle(folder).network.layers[0][0], make_network().layers[0][0])
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_system_without_exchange_still_replaces(folder, monkeypatch, caplog):
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_kwargs: object())
    write_sample(folder, make_network(seed=7))
    expected = make_network(seed=7).layers[0][0]
    assert np.array_equal(load_bundle(folder).network.layers[0][0], expected)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    assert "cannot exchange" in caplog.text
