import pytest

from sinew_core.errors import ConfigError
from sinew_core.rates import Rates, divisors, is_tick


def test_default_rates_give_whole_numbers_of_cycles_and_steps():
    rates = Rates()
    # 100 / 25 = 4 filter cycles a decision, 500 / 100 = 5 physics steps a cycle
    assert rates.cycles_per_control == 4
    assert rates.physics_steps_per_cycle == 5
    assert rates.filter_period_s == 0.01
    assert rates.control_period_s == 0.04


def test_a_rate_that_does_not_divide_is_named_with_the_allowed_ones():
    with pytest.raises(ConfigError) as error:
        Rates(control_rate_hz=30)
    assert str(error.value) == (
        "control_rate_hz 30 does not divide filter_rate_hz 100: "
        "choose one of 1, 2, 4, 5, 10, 20, 25, 50, 100"
    )


def test_every_violated_division_is_reported_at_once():
    with pytest.raises(ConfigError) as error:
        Rates(physics_rate_hz=500, state_rate_hz=200, filter_rate_hz=60, control_rate_hz=25)
    message = str(error.value)
    assert "state_rate_hz 200 does not divide physics_rate_hz 500" in message
    assert "filter_rate_hz 60 does not divide state_rate_hz 200" in message
    assert "control_rate_hz 25 does not divide filter_rate_hz 60" in message


def test_a_rate_of_zero_is_refused_by_its_range():
    with pytest.raises(ConfigError, match="control_rate_hz is 0: allowed 1 to 10000"):
        Rates(control_rate_hz=0)


def test_divisors_of_a_square_hold_its_root_once():
    assert divisors(36) == [1, 2, 3, 4, 6, 9, 12, 18, 36]


@pytest.mark.parametrize("rate_hz", [25, 30, 60, 240])
@pytest.mark.parametrize("states", [1, 4])
def test_every_so_many_stamps_of_a_driver_are_a_tick_whatever_the_rate(rate_hz, states):
    began_ns = 3_600 * 10**9
    n, state_rate_hz = 1000, states * rate_hz
    stamps = [began_ns + i * 10**9 // state_rate_hz for i in range(n)]
    ticks = [i for i in range(n) if is_tick(stamps[i], 10**9 // rate_hz)]
    assert ticks == list(range(0, n, states))
