"""Safety filter node: limits, watchdogs, stop and diagnostics."""
