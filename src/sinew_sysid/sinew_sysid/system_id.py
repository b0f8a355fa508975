"""Identify an arm from a recorded bag: parameters, ranges for training, and a report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sinew_core.sysid.outputs.folder import check_output
from sinew_core.sysid.parameters import SystemIdParameters
from sinew_ros.main import run_node
from sinew_ros.parameters import declare_from
from sinew_sysid.job_node import JobNode


class SystemId(JobNode):
    """Run the identification; end with status 0 whatever the verdict, and 1 where there is none."""

    def __init__(self) -> None:
        """Check the parameters and start."""
        super().__init__("system_id")
        parameters = declare_from(self, SystemIdParameters)
        check_output(Path(parameters.output), overwrite=parameters.overwrite)
        self.start(parameters)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(SystemId, args)


if __name__ == "__main__":
    sys.exit(main())
