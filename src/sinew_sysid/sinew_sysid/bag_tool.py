"""`./sinew bag recover FOLDER`: make a bag whole whose recording was cut off."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sinew_core.bags.recovery import recover_bag
from sinew_core.errors import SinewError


def main(args: Sequence[str] | None = None) -> int:
    """Run one command on bags; return the exit status."""
    parser = argparse.ArgumentParser(prog="sinew bag", description="Work on rosbag2 bags.")
    commands = parser.add_subparsers(dest="command", required=True)
    recover = commands.add_parser(
        "recover", help="complete a bag whose recording was cut off, in place"
    )
    recover.add_argument("folder", type=Path, help="folder of the bag")
    given = parser.parse_args(args)
    try:
        done = recover_bag(given.folder)
    except SinewError as error:
        sys.stderr.write(f"sinew bag: {error}\n")
        return 1
    sys.stdout.write(
        f"{given.folder}: {done.n_messages} messages in {done.n_files} files, "
        f"{done.n_salvaged} of them recovered\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
