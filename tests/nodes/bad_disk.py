"""The safety filter on a disk that hangs, or is full, while a file of that name says so."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from sinew_core import files
from sinew_core.safety import latch
from sinew_safety.safety_filter import main


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write as `files.write_atomically` does, when and if the disk lets it."""
    home = Path(os.environ["ROS_HOME"])
    while (home / "hangs").exists():
        time.sleep(0.01)
    if (home / "full").exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    files.write_atomically(path, content)


if __name__ == "__main__":
    latch.write_atomically = write_atomically
    sys.exit(main())
