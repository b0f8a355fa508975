import numpy as np

from sinew_core.bags.defects import Findings
from sinew_core.bags.stamps import usable_stamps

PERIOD_NS = 10_000_000


def test_a_state_published_again_while_a_simulation_waits_is_left_out():
    # It waits for 100 messages at its first state, and goes on.
    stamp_ns = np.concatenate([np.full(100, 10**9), 10**9 + PERIOD_NS * np.arange(1, 51)])
    position = np.concatenate([np.zeros(100), np.arange(1.0, 51.0)])[:, None]
    log_ns = 10**18 + 10**6 * np.arange(150)
    findings = Findings()
    keep = usable_stamps(stamp_ns, log_ns, position, "bag 'x', /joint_states", findings)
    assert np.array_equal(stamp_ns[keep], np.unique(stamp_ns))
    assert [(d.kind, d.count) for d in findings.all()] == [("stamp_repeated", 99)]
