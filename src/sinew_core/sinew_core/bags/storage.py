"""What the files of a bag have in common: channels, blocks of messages, and bounded decompression.

Nothing in a file is believed before it is held against the size of what is really there, so that a
damaged length costs an error and no memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import lz4.frame
import numpy as np
from backports import zstd  # like lz4 a requirement of rosbags
from numpy.typing import NDArray

from sinew_core.robots.arrays import Array

Integers = NDArray[np.int64]

MAX_UNPACKED_BYTES = 1 << 30
"""Largest chunk or message after decompression; writers make chunks of some MB."""
MAX_EXPANSION = 2000
"""How many times larger a whole file may become by decompression."""
LATEST_NS = (1 << 62) - 1
"""Latest log time, in 2116; differences of such times fit 64 bits."""
_SLICE_BYTES = 1 << 22
_ZSTD_MAGIC = 0x28
"""First byte of a zstd frame; serialised messages begin with 0."""


class DamagedError(Exception):
    """A file is not what its format says; `Bag` adds the bag and the remedy."""


class Channel(NamedTuple):
    """A topic in a file, by the number that its messages carry."""

    id: int
    topic: str
    msgtype: str


class Block(NamedTuple):
    """Some messages of a file, k of them, in the order of the file.

    Attributes:
        data: bytes that hold all of them.
        channel, time_ns, offset, length: (k,) channel, log time, and place in `data`.
        horizon_ns: no later block of the file has an earlier message, if the file tells the truth.
    """

    data: bytes
    channel: Integers
    time_ns: Integers
    offset: Integers
    length: Integers
    horizon_ns: int


class BagFile(Protocol):
    """A file of a bag."""

    channels: list[Channel]

    def counts(self) -> dict[int, int]:
        """Return the number of messages by channel."""

    def blocks(self, channels: Collection[int], *, ordered: bool) -> Iterator[Block]:
        """Return the messages of these channels; `ordered` makes the horizons tell something.

        Raises:
            DamagedError: where the file is not what it says.
        """

    def close(self) -> None:
        """Close the file."""


def unpack(data: bytes, compression: str, size: int, what: str) -> bytes:
    """Return decompressed bytes, which must be `size`.

    Raises:
        DamagedError: if they are not, or too many, or the compression is another one.
    """
    if size > MAX_UNPACKED_BYTES:
        raise DamagedError(f"{what} claims {size} bytes, more than {MAX_UNPACKED_BYTES}")
    unpacked: bytes
    if not compression:
        unpacked = data
    elif compression == "zstd":
        unpacked = _bounded_zstd(data, size, what)
    elif compression == "lz4":
        # One byte more than wanted tells an end from a cut.
        unpacked = lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=size + 1)
    else:
        raise DamagedError(f"{what} is compressed by '{compression}', known are zstd and lz4")
    if len(unpacked) != size:
        raise DamagedError(f"{what} has {len(unpacked)} bytes where it claims {size}")
    return unpacked


def _bounded_zstd(data: bytes, limit: int, what: str) -> bytes:
    decompressor = zstd.ZstdDecompressor()
    unpacked: bytes = decompressor.decompress(data, max_length=limit + 1)
    if len(unpacked) <= limit and not decompressor.eof:
        raise DamagedError(f"{what} is compressed data without its end")
    return unpacked


def unpack_file(source: Path, target: Path) -> None:
    """Decompress a zstd file slice by slice.

    Raises:
        DamagedError: if it becomes larger than any recording does.
    """
    limit = MAX_EXPANSION * source.stat().st_size + _SLICE_BYTES
    with zstd.open(source, "rb") as packed, target.open("wb") as file:
        while piece := packed.read(_SLICE_BYTES):
            limit -= len(piece)
            if limit < 0:
                raise DamagedError(f"{source.name} grows more than {MAX_EXPANSION} times")
            file.write(piece)


def unpack_messages(block: Block) -> Block:
    """Return the block with its compressed messages decompressed, itself where there are none.

    Raises:
        DamagedError: for a message that is not zstd after all.
    """
    filled = block.offset[block.length > 0]
    if not (np.frombuffer(block.data, np.uint8)[filled] == _ZSTD_MAGIC).any():
        return block
    pieces, total = [], 0
    for offset, length in zip(block.offset.tolist(), block.length.tolist(), strict=True):
        piece = block.data[offset : offset + length]
        if piece[:1] == bytes([_ZSTD_MAGIC]):
            piece = _bounded_zstd(piece, MAX_UNPACKED_BYTES - total, "a compressed message")
        total += len(piece)
        if total > MAX_UNPACKED_BYTES:
            raise DamagedError(f"compressed messages become more than {MAX_UNPACKED_BYTES} bytes")
        pieces.append(piece)
    offset, length = places(pieces)
    return block._replace(data=b"".join(pieces), offset=offset, length=length)


def seconds(time_ns: Integers) -> Array:
    """Return ns as s."""
    return np.asarray(time_ns / 1e9, np.float64)


def places(pieces: Collection[bytes]) -> tuple[Integers, Integers]:
    """Return offset and length of each piece in all of them joined."""
    length = np.fromiter(map(len, pieces), np.int64, len(pieces))
    return np.cumsum(length) - length, length
