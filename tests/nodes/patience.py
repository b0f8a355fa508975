"""Settings of the safety filter under which a busy machine is no fault of the arm."""

PATIENT = {
    "watchdog.command_timeout_s": 1.0,
    "watchdog.state_timeout_s": 1.0,
    "watchdog.missed_cycles": 200,
    # A driver that the machine keeps waiting answers late, and the arm goes on meanwhile.
    "safety.max_latency_periods": 20,
}
