from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.realtime import real_time_assumptions


def test_latency_covers_three_late_states_and_one_period_of_the_driver():
    raised = real_time_assumptions(SafetyParameters(), Rates())
    assert raised.max_latency_periods == 4
    assert raised.jitter == 0.1


def test_part_of_a_filter_period_counts_as_a_whole_one():
    # three states at 250 Hz are 1.5 periods at 125 Hz
    rates = Rates(physics_rate_hz=500, state_rate_hz=250, filter_rate_hz=125, control_rate_hz=25)
    assert real_time_assumptions(SafetyParameters(), rates).max_latency_periods == 3


def test_larger_values_and_all_others_stay():
    given = SafetyParameters(max_latency_periods=20, jitter=0.2, noise_rad=0.004)
    assert real_time_assumptions(given, Rates()) == given
