"""Measure the sim-to-real gap of a recorded bag, with nominal and with identified parameters."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sinew_core.sysid.outputs.folder import GAP_FILES, check_output
from sinew_core.sysid.parameters import GapParameters
from sinew_ros.main import run_node
from sinew_ros.parameters import declare_from
from sinew_sysid.job_node import JobNode


class GapNode(JobNode):
    """Replay the bag's commands in simulation; end when the table is printed."""

    def __init__(self) -> None:
        """Check the parameters and start."""
        super().__init__("gap")
        parameters = declare_from(self, GapParameters)
        check_output(Path(parameters.output), overwrite=parameters.overwrite, files=GAP_FILES)
        self.start(parameters)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(GapNode, args)


if __name__ == "__main__":
    sys.exit(main())
