"""Read topics of a rosbag2 bag, without trusting it: a folder or a single file, either storage."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from sinew_core.bags.folder import is_unfinished, recover_command
from sinew_core.bags.mcap_file import McapFile
from sinew_core.bags.read_metadata import FILE_NAME, STORAGES, read_metadata
from sinew_core.bags.sqlite_file import SqliteFile
from sinew_core.bags.storage import BagFile, Block, DamagedError, unpack_file, unpack_messages
from sinew_core.errors import BagError

M = TypeVar("M")

STATE, COMMAND, OUTPUT, CONFIGURATION = "state", "command", "output", "configuration"
TRAJECTORY = "trajectory"
TYPES = {
    STATE: "sensor_msgs/msg/JointState",
    COMMAND: "trajectory_msgs/msg/JointTrajectory",
    OUTPUT: "std_msgs/msg/Float64MultiArray",
    TRAJECTORY: "trajectory_msgs/msg/JointTrajectory",
    CONFIGURATION: "std_msgs/msg/String",
}
"""Message type of each kind of topic."""
_PACKED = ".zstd"


class Recorded(NamedTuple):
    """One message: when it was recorded, its kind, and its serialised form."""

    time_ns: int
    kind: str
    data: bytes


class Bag:
    """An open bag."""

    def __init__(self, path: str | Path) -> None:
        """Open a bag's folder, or one of its files.

        Raises:
            BagError: if there is none, or it cannot be read.
        """
        self.name = str(path)
        place = Path(path).expanduser()
        self._folder = place.parent if place.is_file() else place
        self._files: list[BagFile] = []
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None
        self._claimed: Mapping[str, int] | None = None
        try:
            for file in self._find(place):
                self._files.append(self._open(file))
            self.counts = self._count()
        except BagError:
            self.close()
            raise
        # Files that are cut off or damaged fail in whatever the formats' readers are made of.
        except Exception as error:
            self.close()
            raise self.unreadable(error) from None

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()
        if self._unpacked:
            self._unpacked.cleanup()

    @property
    def is_unfinished(self) -> bool:
        """Whether the recording was cut off or still runs, so that its last file is not read."""
        return is_unfinished(self._folder)

    @property
    def topics(self) -> dict[str, str]:
        """Type of each topic with messages."""
        return {
            channel.topic: channel.msgtype
            for file in self._files
            for channel in file.channels
            if self.counts.get(channel.topic)
        }

    def topics_of(self, msgtype: str) -> list[str]:
        """Return the topics of a type that have messages, in order."""
        return sorted(topic for topic, found in self.topics.items() if found == msgtype)

    def require(self, kind: str, topic: str, remedy: str) -> None:
        """Refuse a bag without a topic of this kind.

        Raises:
            BagError: with the topics of that type.
        """
        if self.topics.get(topic) == TYPES[kind]:
            return
        same = self.topics_of(TYPES[kind])
        has = f"it has {', '.join(same)}" if same else "nor any other of its type"
        raise BagError(f"bag '{self.name}' has no {topic} ({TYPES[kind]}), {has}: {remedy}")

    def blocks(self, topic: str) -> Iterator[Block]:
        """Return the messages of a topic in blocks, in the order of the files.

        Raises:
            BagError: where the bag ends too early or is damaged.
        """
        try:
            for file in self._files:
                yield from _blocks_of(file, [topic], ordered=False)
        except Exception as error:
            raise self.unreadable(error) from None

    def messages(self, topics: Mapping[str, str]) -> Iterator[Recorded]:
        """Return the messages of topics, given with their kinds, in the order of recording.

        Raises:
            BagError: where the bag ends too early or is damaged.
        """
        found = self._messages(topics)
        while True:
            try:
                message = next(found)
            except StopIteration:
                return
            except Exception as error:
                raise self.unreadable(error) from None
            yield message

    def decode(self, message: Recorded, decode: Callable[[bytes], M]) -> M:
        """Return a message as an object.

        Raises:
            BagError: if it is damaged.
        """
        try:
            return decode(message.data)
        except Exception as error:
            raise self.damaged(message, error) from None

    def damaged(self, message: Recorded, error: Exception) -> BagError:
        """Return the error for a message that cannot be decoded."""
        return BagError(
            f"bag '{self.name}': the {message.kind} recorded at {message.time_ns} ns cannot be "
            f"decoded ({_line(error)}): the bag is damaged"
        )

    def unreadable(self, error: Exception) -> BagError:
        """Return the error for a bag whose files are not what they should be."""
        return BagError(
            f"bag '{self.name}' cannot be read to its end ({_line(error)}): it is cut off or "
            f"damaged; recover what is left with `{recover_command(self._folder)}`"
        )

    def _messages(self, topics: Mapping[str, str]) -> Iterator[Recorded]:
        for file in self._files:
            kinds = {c.id: topics[c.topic] for c in file.channels if topics.get(c.topic)}
            waiting: list[Recorded] = []
            for block in _blocks_of(file, topics, ordered=True):
                waiting += _recorded(block, kinds)
                waiting.sort(key=_time_of)
                ready = sum(m.time_ns < block.horizon_ns for m in waiting)
                yield from waiting[:ready]
                del waiting[:ready]
            yield from waiting

    def _find(self, path: Path) -> list[Path]:
        """Return the files of the bag in the order of recording."""
        if path.is_file() and _storage_of(path):
            return [path]
        if not (path / FILE_NAME).is_file():
            raise BagError(f"no complete bag at '{self.name}': {_remedy(path, self.name)}")
        metadata = read_metadata(path)
        files = [path / name for name in metadata.files]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise BagError(
                f"bag '{self.name}' lacks {', '.join(missing[:3])} that its {FILE_NAME} names: "
                f"put the files back, or list what is left with `ros2 bag reindex {self.name}`"
            )
        self._claimed = metadata.counts
        return files

    def _open(self, path: Path) -> BagFile:
        if path.suffix == _PACKED:
            self._unpacked = self._unpacked or tempfile.TemporaryDirectory(prefix="sinew-bag-")
            target = Path(self._unpacked.name) / path.stem
            unpack_file(path, target)
            path = target
        return McapFile(path) if _storage_of(path) == STORAGES["mcap"] else SqliteFile(path)

    def _count(self) -> dict[str, int]:
        """Return the number of messages by topic, from the metadata where there are any."""
        if self._claimed is not None:
            return dict(self._claimed)
        counts: dict[str, int] = {}
        for file in self._files:
            by_channel = file.counts()
            for channel in file.channels:
                n = counts.get(channel.topic, 0) + by_channel.get(channel.id, 0)
                counts[channel.topic] = n
        return counts


def _blocks_of(
    file: BagFile, topics: Mapping[str, str] | list[str], *, ordered: bool
) -> Iterator[Block]:
    """Return the messages of topics in a file, decompressed."""
    channels = [channel.id for channel in file.channels if channel.topic in topics]
    if channels:
        for block in file.blocks(channels, ordered=ordered):
            if block.channel.size:
                yield unpack_messages(block)


def _recorded(block: Block, kinds: Mapping[int, str]) -> Iterator[Recorded]:
    columns = (block.channel, block.time_ns, block.offset, block.length)
    for channel, time_ns, at, size in zip(*(c.tolist() for c in columns), strict=True):
        yield Recorded(time_ns, kinds[channel], block.data[at : at + size])


def _time_of(message: Recorded) -> int:
    return message.time_ns


def _storage_of(path: Path) -> str:
    """Return the suffix of the storage of a file, compressed or not, '' where it is none."""
    suffix = Path(path.stem).suffix if path.suffix == _PACKED else path.suffix
    return suffix if suffix in STORAGES.values() else ""


def _remedy(path: Path, name: str) -> str:
    if path.is_file():
        return f"give the folder of a bag or a file {' or '.join(STORAGES.values())}"
    files = sorted(f for f in path.glob("*") if _storage_of(f)) if path.is_dir() else []
    recover = f"complete it with `{recover_command(name)}`"
    if files:
        return f"{recover} or `ros2 bag reindex {name}`, or give one file, as {files[0].name}"
    if is_unfinished(path):
        return f"its recording was cut off or still runs; {recover}"
    return f"give the folder of a bag, with {FILE_NAME} in it, or a file of one"


def _line(error: Exception) -> str:
    if isinstance(error, struct.error):
        return "a record ends too early"
    kind = "" if isinstance(error, DamagedError) else f"{type(error).__name__}: "
    return " ".join(f"{kind}{error}".split())
