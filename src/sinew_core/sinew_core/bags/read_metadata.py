"""Read `metadata.yaml` of a bag, of any version, as far as reading messages needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from sinew_core.bags.storage import DamagedError

FILE_NAME = "metadata.yaml"
STORAGES = {"mcap": ".mcap", "sqlite3": ".db3"}
"""Identifiers of the storages and the suffixes of their files."""
_MAX_BYTES = 1 << 25
_MAX_NESTING = 32
# Many times faster, and missing in some installations.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ROOT = "rosbag2_bagfile_information"


@dataclass(frozen=True, kw_only=True)
class BagMetadata:
    """What the file says.

    Attributes:
        storage: `mcap` or `sqlite3`.
        files: names of the files, in the order of recording.
        packed: whether whole files are compressed.
        counts: number of messages by topic.
    """

    storage: str
    files: tuple[str, ...]
    packed: bool
    counts: Mapping[str, int]


def read_metadata(folder: Path) -> BagMetadata:
    """Read the file in a bag's folder.

    Raises:
        DamagedError: says what is wrong with it.
        OSError: if it cannot be read.
    """
    path = folder / FILE_NAME
    if path.stat().st_size > _MAX_BYTES:
        raise DamagedError(f"{FILE_NAME} has more than {_MAX_BYTES} bytes")
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_nesting(text)
        return _parse(yaml.load(text, Loader=_LOADER)[_ROOT])
    except DamagedError:
        raise
    # Garbled text fails wherever it happens to lead: in the parser, by keys, by types.
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise DamagedError(f"{FILE_NAME} is no YAML ({type(error).__name__})") from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        text = f"{type(error).__name__}: {error}"
        raise DamagedError(f"{FILE_NAME} lacks what it should have ({text})") from None


def _refuse_nesting(text: str) -> None:
    """Refuse what is nested deeper than metadata are: the loader in C would overflow its stack.

    Events are made one after another, without recursion.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_NESTING:
            raise DamagedError(f"{FILE_NAME} is nested more than {_MAX_NESTING} levels deep")


def _parse(content: Mapping[str, object]) -> BagMetadata:
    storage, paths = content["storage_identifier"], content["relative_file_paths"]
    if storage not in STORAGES:
        raise DamagedError(f"storage '{storage}' is not known, {' and '.join(STORAGES)} are")
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise DamagedError(f"{FILE_NAME} has no list of files")
    # Old versions write paths that begin at another folder.
    names = tuple(PurePosixPath(path).name for path in paths)
    mode = str(content.get("compression_mode") or "").lower()
    codec = str(content.get("compression_format") or "")
    if mode == "file" and codec != "zstd":
        raise DamagedError(f"files are compressed by '{codec}', only zstd is known")
    counts: dict[str, int] = {}
    topics = content["topics_with_message_count"]
    if not isinstance(topics, list):
        raise DamagedError(f"{FILE_NAME} has no list of topics")
    for each in topics:
        name, count = each["topic_metadata"]["name"], each["message_count"]
        counts[str(name)] = counts.get(str(name), 0) + int(count)
    return BagMetadata(storage=str(storage), files=names, packed=mode == "file", counts=counts)
