"""Damage bags at random, and see what reading them does.

`python -m benchmarks.bag.mutations FOLDER FIRST COUNT` damages the bags in FOLDER with the seeds
from FIRST on and prints a line of JSON for each before and after it is read, so that whoever
started it knows at which seed it died.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.bag.samples import (
    NAMES,
    START_NS,
    STRING,
    Message,
    motion,
    split_bag,
    text,
    write_bag,
    write_plain_mcap,
)
from sinew_core.bags.reader import read_recording
from sinew_core.errors import BagError

JOINTS = NAMES[:3]
HEADROOM_BYTES = 1 << 30
"""Address space that reading may take beside what the process has when it starts."""
LIMIT_S = 20
"""A process that reads one bag for longer is ended."""
_HUGE = (0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1, 0x10000000, 0)
Random = random.Random


def write_originals(folder: Path, n: int = 60) -> None:
    """Write whole bags of each storage, compression and way to split into a new folder."""
    folder.mkdir(parents=True)
    messages = motion(n, names=JOINTS)
    described = Message("/robot_description", STRING, START_NS, text("<robot name='arm'/>"))
    messages = [described, *messages]
    for storage, compressions in (
        ("mcap", ("", "file", "message", "storage")),
        ("sqlite3", ("", "file", "message")),
    ):
        for compression in compressions:
            write_bag(
                folder / f"{storage}-{compression or 'plain'}", messages, storage, compression
            )
        split_bag(folder / f"{storage}-split", messages, 3, storage)
    for name, packed in (("unchunked", None), ("chunk", ""), ("lz4", "lz4")):
        (folder / f"mcap-{name}").mkdir()
        write_plain_mcap(folder / f"mcap-{name}" / "bag.mcap", messages, packed, crc=False)


def mutate(original: Path, copy: Path, rng: Random) -> Path:
    """Damage one file of a copy of a bag; return what to read."""
    shutil.copytree(original, copy)
    files = sorted(path for path in copy.iterdir() if path.suffix != ".yaml")
    metadata = copy / "metadata.yaml"
    file = metadata if metadata.exists() and rng.random() < 0.25 else rng.choice(files)
    damages = _TEXT_DAMAGES if file.suffix == ".yaml" and rng.random() < 0.6 else _DAMAGES
    data = file.read_bytes()
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        data = rng.choice(damages)(data, rng)
    file.write_bytes(data)
    whole = metadata.exists() and rng.random() < 0.8
    return copy if whole else file if file.suffix != ".yaml" else copy


def _flip(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 20)) if data else 0):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 4, 64))) + data[at + 4 :]


def _truncate(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _insert(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 8, 500))) + data[at:]


def _remove(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 8, 500)) :]


def _repeat(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[: at + rng.choice((8, 400, 4096))] + data[at:]


def _clear(data: bytes, rng: Random) -> bytes:
    at, size = rng.randrange(len(data) + 1), rng.choice((8, 400, 4096))
    return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]


def _explode(data: bytes, rng: Random) -> bytes:
    """Put a huge number where a small one is, as that may be a length."""
    size, order = rng.choice((2, 4, 8)), rng.choice(("little", "big"))
    tries = [rng.randrange(max(len(data) - size, 1)) for _ in range(100)]
    at = next((i for i in tries if data[i : i + size].count(0) == size - 1), tries[0])
    value = rng.choice(_HUGE) & ((1 << (8 * size)) - 1)
    return data[:at] + value.to_bytes(size, order) + data[at + size :]  # type: ignore[arg-type]  # one of the two words


def _garble_word(data: bytes, rng: Random) -> bytes:
    words = data.split(b" ")
    other = rng.choice(
        (b"", b"-1", b"9" * 30, b"[" * 3000, b"{", b"*a", b"&a [*a]", b"null", b"\t")
    )
    words[rng.randrange(len(words))] = other
    return b" ".join(words)


def _drop_line(data: bytes, rng: Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def _swap_lines(data: bytes, rng: Random) -> bytes:
    lines = data.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines)


_DAMAGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(_flip, _flip, _flip, _overwrite, _overwrite),
    *(_truncate, _insert, _remove, _repeat, _clear),
    *(_explode, _explode, _explode),
)
_TEXT_DAMAGES = (_garble_word, _garble_word, _drop_line, _swap_lines)


def outcomes(folder: Path, seeds: range, scratch: Path) -> Iterator[dict[str, object]]:
    """Read one damaged bag per seed; yield its start and its end."""
    originals = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    for seed in seeds:
        rng = Random(seed)
        copy = scratch / str(seed)
        path = mutate(rng.choice(originals), copy, rng)
        yield {"seed": seed}
        # Without a handler this ends the process, wherever it is.
        signal.alarm(LIMIT_S)
        start = time.monotonic()
        outcome = read(path)
        wall_s = time.monotonic() - start
        signal.alarm(0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        yield {"seed": seed, "outcome": outcome, "wall_s": wall_s, "peak_kib": peak}
        shutil.rmtree(copy)


def read(path: Path) -> str:
    """Return `read`, `refused`, or what went wrong where neither happened."""
    try:
        recording = read_recording(path, JOINTS)
    except BagError as error:
        message = str(error)
        return "refused" if "\n" not in message and ": " in message else f"unclear: {message}"
    # What reading must not raise is what is looked for here.
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    samples, joints = recording.position_rad.shape
    shaped = recording.time_s.shape == (samples,) and joints == len(JOINTS)
    return "read" if shaped else f"shapes {samples}, {joints}, {recording.time_s.shape}"


def _limit_memory() -> None:
    with Path("/proc/self/statm").open() as file:
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + HEADROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> int:
    """Damage and read as the command line says."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    _limit_memory()
    scratch = folder / f".scratch-{first}"
    for line in outcomes(folder, range(first, first + count), scratch):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
