"""The fault table of the safety filter with real processes at 200 Hz: states and causes.

How fast it reacts is what `./sinew bench faults` measures.
"""

from __future__ import annotations

import pytest

from benchmarks.faults.hog import may_hog
from benchmarks.faults.rig import Watchdogs
from benchmarks.faults.table import FAULTS, run_fault

pytestmark = [pytest.mark.graph, pytest.mark.slow]

# Wide: a busy machine is no fault in these tests. The source answers states, so when they end its
# commands end too: what is said to be stale has to be the states.
PATIENT = Watchdogs(
    command_timeout_s=2.0,
    state_timeout_s=1.0,
    missed_cycles=60,
    driver_watchdog_s=3.0,
    max_latency_periods=64,
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_in_its_state_with_its_cause_and_the_arm_at_rest_inside_its_limits(
    name, tmp_path, node_servers
):
    if name == "overload-hog" and not may_hog():
        pytest.skip("needs a second core, and the right to a real-time priority")
    fault = FAULTS[name]
    outcome = run_fault(fault, PATIENT, tmp_path, start_process=node_servers.start)
    assert outcome.seen.state == fault.state
    assert any(cause in outcome.seen.reason for cause in fault.causes), outcome.seen.reason
    assert outcome.at_rest
    assert outcome.inside_limits
    if fault.unit != "ms":
        # Outputs that changed, or messages that a second source may send: no matter of time.
        assert outcome.seen.reaction <= fault.bound
