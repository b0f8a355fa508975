"""Keeping what PyBullet's C code prints out of a program's standard output."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()


@contextlib.contextmanager
def silent_stdout() -> Iterator[None]:
    """Discard what is written to file descriptor 1, by C code too, while the block runs."""
    with _LOCK, open(os.devnull, "w") as nowhere:  # noqa: PTH123  # a device, not a path
        _flush()
        kept = os.dup(1)
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, 1)
            os.close(kept)


def _flush() -> None:
    """Empty Python's and C's buffers, else their content comes out on the wrong side."""
    sys.stdout.flush()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
