"""Recordings that were cut off: what can be read at once, and what a recovery brings."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import zlib

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

from bag_samples import (
    STATE_TYPE,
    STATES,
    STORAGES,
    STORE,
    HandClock,
    metadata,
    read_all,
    states,
    write,
)
from sinew_core.bags.bag import Bag
from sinew_core.bags.folder import is_unfinished
from sinew_core.bags.recovery import recover_bag
from sinew_core.bags.writer import BagWriter
from sinew_core.errors import BagError

CHUNK = 6
each_storage = pytest.mark.parametrize("storage", STORAGES)
# Writes until it is killed, or until the disk is full; says when a file is finished.
WRITE_FOR_EVER = """
import itertools, sys
from pathlib import Path
from bag_samples import states
from sinew_core.bags.writer import BagWriter
from sinew_core.errors import SinewError
writer = BagWriter(Path(sys.argv[1]), storage=sys.argv[2], split_s=0.2, flush_s=1e-6)
try:
    for i in itertools.count():
        writer.write(*states(1, i)[0])
        if i % 100 == 99:
            print(i, flush=True)
except SinewError as error:
    print("ERROR", error, flush=True)
"""


@given(
    n_messages=st.integers(1, 60),
    storage=st.sampled_from(STORAGES),
    flushed=st.sampled_from([1e-9, 4.0, 1000.0]),
)
@settings(max_examples=10)
def test_a_crash_costs_at_most_what_was_not_flushed(tmp_path_factory, n_messages, storage, flushed):
    folder = tmp_path_factory.mktemp("bags")
    clock, messages = HandClock(), states(n_messages)
    # Ten messages to a file by log time; the clock moves a second with each.
    writer = BagWriter(
        folder / "bag", storage=storage, split_s=0.01, flush_s=flushed, clock=lambda: clock.now_s
    )
    n_flushed = 0
    for i, message in enumerate(messages):
        clock.now_s = 1e-4 * i
        writer.write(*message)
    finished = (n_messages - 1) // 10 * 10
    n_flushed = n_messages if flushed < 1e-3 and (n_messages - 1) % 10 else finished
    left = folder / "left"
    shutil.copytree(folder / "bag", left)  # what a kill leaves at this moment
    writer.close()
    assert (left / "metadata.yaml").exists() == (finished > 0)
    if finished:
        assert read_all(left) == messages[:finished]
    assert is_unfinished(left)
    if n_flushed == 0:
        with pytest.raises(BagError, match="no whole message"):
            recover_bag(left)
        return
    recovered = recover_bag(left)
    found = read_all(left)
    assert found == messages[: len(found)]
    assert len(found) >= n_flushed
    assert recovered.n_messages == len(found) == finished + recovered.n_salvaged
    assert not is_unfinished(left)
    before = (left / "metadata.yaml").read_bytes()
    assert recover_bag(left).n_salvaged == 0
    assert (left / "metadata.yaml").read_bytes() == before


@pytest.fixture(scope="module")
def cut_recordings(tmp_path_factory):
    """A killed recording of each storage, all of it flushed and in the open file."""
    folder = tmp_path_factory.mktemp("cut")
    for storage in STORAGES:
        writer = BagWriter(folder / "bag", storage=storage, flush_s=1e-9)
        for message in states(50):
            writer.write(*message)
        shutil.copytree(folder / "bag", folder / storage)
        writer.discard()
    return folder


@given(part=st.floats(0.0, 1.0), junk=st.binary(max_size=40))
@settings(max_examples=30)
def test_an_open_file_cut_anywhere_gives_what_comes_before(
    tmp_path_factory, cut_recordings, part, junk
):
    path = tmp_path_factory.mktemp("bag") / "bag"
    shutil.copytree(cut_recordings / "mcap", path)
    (file,) = path.glob(".open/*/*.mcap")
    data = file.read_bytes()
    cut = int(part * len(data))
    file.write_bytes(data[:cut] + junk)
    messages = states(50)
    whole = sum(data.find(m[2]) + len(m[2]) <= cut for m in messages)
    if not whole:
        with pytest.raises(BagError, match="no whole message"):
            recover_bag(path)
        return
    recover_bag(path)
    found = read_all(path)
    assert found[:whole] == messages[:whole]
    assert whole <= len(found) <= whole + 1


@given(at=st.floats(0.0, 1.0), value=st.integers(0, 255))
@settings(max_examples=20)
@each_storage
def test_a_flipped_byte_never_breaks_the_recovery(
    tmp_path_factory, cut_recordings, storage, at, value
):
    path = tmp_path_factory.mktemp("bag") / "bag"
    shutil.copytree(cut_recordings / storage, path)
    (file,) = (f for f in path.glob(".open/*/*") if f.suffix in (".mcap", ".db3"))
    data = bytearray(file.read_bytes())
    data[int(at * (len(data) - 1))] = value
    file.write_bytes(data)
    try:
        recovered = recover_bag(path)
    except BagError:
        return
    with Reader(path) as reader:
        assert sum(1 for _ in reader.messages()) == recovered.n_messages


@each_storage
def test_a_file_that_another_recorder_left_broken_is_put_aside(tmp_path, storage):
    path, messages = tmp_path / "bag", states(2500)
    write(path, messages, storage=storage, split_s=1.0)
    last = sorted(path.glob("bag_2.*"))[0]
    data = last.read_bytes()
    last.write_bytes(data[: len(data) // 2])
    recovered = recover_bag(path)
    found = read_all(path)
    assert found == messages[: len(found)]
    assert recovered.n_messages == len(found) > (2000 if storage == "mcap" else 1999)
    assert last.with_name(last.name + ".damaged").stat().st_size == len(data) // 2


def test_a_killed_recording_of_compressed_chunks_is_recovered(tmp_path):
    path, messages = tmp_path / "bag", states(9000)
    recorder = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    recorder.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with recorder:
        connection = recorder.add_connection(STATES, STATE_TYPE, typestore=STORE)
        for _, _, data, time_ns in messages:
            recorder.write(connection, time_ns, data)
    (path / "metadata.yaml").unlink()
    (file,) = path.iterdir()
    data = file.read_bytes()
    file.write_bytes(data[: int(0.9 * len(data))])
    recovered = recover_bag(path)
    assert recovered.n_messages > 3000
    assert read_all(path) == messages[: recovered.n_messages]


@pytest.mark.parametrize("mode", [CompressionMode.NONE, CompressionMode.STORAGE])
@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_chunk_costs_what_is_in_it(tmp_path, mode, which):
    path, messages = tmp_path / "bag", states(12_000)
    recorder = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    recorder.set_compression(mode, CompressionFormat.ZSTD)
    with recorder:
        connection = recorder.add_connection(STATES, STATE_TYPE, typestore=STORE)
        for _, _, data, time_ns in messages:
            recorder.write(connection, time_ns, data)
    (file,) = path.glob("*.mcap")
    file.write_bytes(with_damage(file.read_bytes(), which))
    with pytest.raises(BagError, match="recover what is left"):
        read_whole(path)
    recovered = recover_bag(path)
    assert 6000 < recovered.n_messages < 12_000
    assert read_whole(path) == recovered.n_messages
    found = read_all(path)
    assert set(found) < set(messages)
    assert found[-1] == messages[-1]


def with_damage(data, which):
    """An MCAP file whose chunks have checksums, as rosbag2 writes them; one of them is damaged."""
    damaged, at, chunks = bytearray(data), 8, 0
    while chunks <= which:
        opcode, size = struct.unpack_from("<BQ", data, at)
        if opcode == CHUNK:
            chunks += 1
            (length,) = struct.unpack_from("<I", data, at + 37)
            body = at + 49 + length
            chunk = data[body : at + 9 + size]
            checksum = zlib.crc32(zstd.decompress(chunk) if length else chunk)
            struct.pack_into("<I", damaged, at + 33, checksum)
        at += 9 + size
    damaged[(body + at) // 2] ^= 0x10
    return damaged


def read_whole(path):
    """The number of joint states of a bag."""
    bag = Bag(path)
    try:
        return sum(block.length.size for block in bag.blocks(STATES))
    finally:
        bag.close()


def test_what_a_database_holds_in_its_journal_is_recovered(tmp_path):
    messages = states(20)
    write(tmp_path / "whole", messages, storage="sqlite3")
    database = sqlite3.connect(tmp_path / "whole" / "whole_0.db3")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(
        "INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)",
        (messages[0][3] + 10**9, messages[0][2]),
    )
    database.commit()
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    database.close()
    assert recover_bag(tmp_path / "killed").n_messages == 21
    assert len(read_all(tmp_path / "killed")) == 21


def start_writing(path, storage, **options):
    return subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(path), storage],
        # pytest's own paths: nothing else has to be set for the tests to run.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@each_storage
def test_a_killed_process_leaves_a_bag_that_can_be_read(tmp_path, storage):
    path = tmp_path / "bag"
    with start_writing(path, storage) as process:
        assert process.stdout is not None
        written = 0
        while written < 950:
            written = int(process.stdout.readline()) + 1
        with pytest.raises(BagError, match="is being recorded"):
            recover_bag(path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    n_messages = len(read_all(path))
    assert n_messages >= 800 if storage == "mcap" else n_messages > 0
    assert metadata(path)["message_count"] == n_messages
    recover_bag(path)
    found = read_all(path)
    assert found == states(len(found))
    assert len(found) >= written


@each_storage
def test_a_full_disk_ends_in_one_line_and_keeps_what_is_done(tmp_path, storage):
    path = tmp_path / "bag"
    # No file can grow beyond this, as on a full disk: room for a part of the first one.
    limit = 48 * 1024

    def limit_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with start_writing(path, storage, preexec_fn=limit_files) as process:
        assert process.stdout is not None
        last = process.stdout.read().splitlines()[-1]
    assert last.startswith(f"ERROR bag '{path}' cannot be written on (")
    assert f"./sinew bag recover {path}" in last
    recover_bag(path)
    found = read_all(path)
    assert found == states(len(found))
    assert len(found) > 20
    assert not (path / ".open").exists()
