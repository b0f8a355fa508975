"""Distributions and the files that name them."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.errors import ConfigError
from sinew_core.randomisation import Randomisation, check_assumptions, read_randomisation
from sinew_core.randomisation.distributions import (
    Constant,
    CorrelatedNormal,
    LogUniform,
    TruncatedNormal,
    Uniform,
)
from sinew_core.rates import Rates
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.parameters import SafetyParameters

ROBOT = load_robot("panda")
DEFAULT = Path(__file__).parents[2] / "config" / "randomisation" / "default.yaml"
SINGLE = [
    Constant(value=0.4),
    Uniform(low=0.1, high=0.9),
    LogUniform(low=0.01, high=1.0),
    TruncatedNormal(mean=0.5, std=0.2, low=0.3, high=1.0),
    TruncatedNormal(mean=0.5, std=1e-3, low=0.0, high=1.0),
]
PAIR = CorrelatedNormal(
    mean=[1.0, -1.0],
    covariance=[[0.04, -0.03], [-0.03, 0.09]],
    low=[0.0, -5.0],
    high=[2.0, 5.0],
)


def samples(distribution, count=4000):
    rng = np.random.default_rng(0)
    return np.array([distribution.sample(rng) for _ in range(count)])


def made(content):
    return Randomisation.from_mapping(content, ROBOT, "wide.yaml")


def only(name, **entry):
    return {"parameters": {name: entry}}


@pytest.mark.parametrize("distribution", [*SINGLE, PAIR], ids=lambda d: type(d).__name__)
def test_samples_stay_inside_the_bounds_and_repeat_with_the_seed(distribution):
    first = samples(distribution, 500)
    assert (first >= distribution.low).all()
    assert (first <= distribution.high).all()
    np.testing.assert_array_equal(samples(distribution, 500), first)


@settings(max_examples=50)
@given(
    mean=st.floats(-10.0, 10.0),
    std=st.floats(1e-3, 10.0),
    low=st.floats(-3.0, 1.0),
    width=st.floats(0.0, 5.0),
    seed=st.integers(0, 2**32),
)
def test_a_truncated_normal_keeps_its_bounds(mean, std, low, width, seed):
    low = mean + low * std
    high = low + (width + 0.1) * std
    sample = TruncatedNormal(mean=mean, std=std, low=low, high=high).sample(
        np.random.default_rng(seed)
    )
    assert low <= sample <= high


def test_uniform_has_its_mean_and_deviation():
    drawn = samples(Uniform(low=0.0, high=1.0))
    # The deviation of 4000 samples' mean is 0.289 / 63 = 0.0046.
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.std() == pytest.approx(12**-0.5, abs=0.01)


def test_half_of_log_uniform_lies_below_the_geometric_mean():
    assert (samples(LogUniform(low=0.01, high=1.0)) < 0.1).mean() == pytest.approx(0.5, abs=0.03)


def test_a_normal_cut_at_its_mean_has_the_mean_of_half_a_bell():
    drawn = samples(TruncatedNormal(mean=1.0, std=0.5, low=1.0, high=9.0))
    # sigma * sqrt(2 / pi) above the mean.
    assert drawn.mean() == pytest.approx(1.0 + 0.5 * (2.0 / np.pi) ** 0.5, abs=0.02)


def test_correlated_values_have_the_covariance_asked_for():
    drawn = samples(PAIR)
    np.testing.assert_allclose(drawn.mean(axis=0), [1.0, -1.0], atol=0.02)
    np.testing.assert_allclose(np.cov(drawn.T), PAIR.covariance, atol=0.005)


def test_a_singular_covariance_ties_values_together():
    tied = CorrelatedNormal(
        mean=[0.0, 0.0], covariance=[[1.0, 2.0], [2.0, 4.0]], low=[-9, -9], high=[9, 9]
    )
    drawn = samples(tied, 100)
    np.testing.assert_allclose(drawn[:, 1], 2.0 * drawn[:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(low=1.0, high=0.0), "low 1 is above high 0"),
        (lambda: LogUniform(low=0.0, high=1.0), "needs a positive one"),
        (lambda: TruncatedNormal(mean=0, std=0.0, low=0, high=1), "std is 0"),
        (lambda: TruncatedNormal(mean=0, std=1.0, low=50, high=60), "hold nothing"),
        (
            lambda: CorrelatedNormal(mean=[0, 0], covariance=[[1]], low=[0, 0], high=[1, 1]),
            "covariance has shape",
        ),
        (
            lambda: CorrelatedNormal(
                mean=[0, 0], covariance=[[1, 2], [2, 1]], low=[-9, -9], high=[9, 9]
            ),
            "eigenvalue -1",
        ),
        (
            lambda: CorrelatedNormal(
                mean=[0, 0], covariance=[[1, 0.5], [0, 1]], low=[-9, -9], high=[9, 9]
            ),
            "not symmetric",
        ),
        (
            lambda: CorrelatedNormal(
                mean=[0, 0], covariance=[[1, 0], [0, 1]], low=[8, 8], high=[9, 9]
            ),
            "cut off nearly all",
        ),
    ],
)
def test_an_impossible_distribution_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_the_default_file_has_the_ranges_of_the_reference_material():
    randomisation = read_randomisation(DEFAULT, ROBOT)
    assert randomisation.every_episodes == 100
    bounds = randomisation.bounds()
    nominal = ArmDynamics.nominal(ROBOT).values(ROBOT)
    low, high = bounds["mass/panda_link4"]
    assert (low, high) == pytest.approx(
        (0.8 * nominal["mass/panda_link4"], 1.2 * nominal["mass/panda_link4"])
    )
    assert bounds["coulomb/panda_joint1"] == (0.1, 0.9)


def test_equal_seeds_draw_equal_arms_and_others_others():
    randomisation = read_randomisation(DEFAULT, ROBOT)
    first, again, other = (randomisation.draw(seed).values(ROBOT) for seed in (3, 3, 4))
    assert first == again
    assert all(first[n] != other[n] for n in randomisation.bounds())
    for name, (low, high) in randomisation.bounds().items():
        assert low <= first[name] <= high


def test_a_star_draws_for_each_joint_unless_together():
    uniform = {"distribution": "uniform", "low": 0.1, "high": 0.9}
    apart = made(only("coulomb/*", **uniform)).draw(0).coulomb_nm
    together = made(only("coulomb/*", **uniform, together=True)).draw(0).coulomb_nm
    assert len(set(apart.tolist())) == 7
    assert len(set(together.tolist())) == 1


def test_a_scale_is_a_factor_on_the_nominal_mass():
    arm = made(only("mass/*", distribution="constant", value=1.1, **{"as": "scale"})).draw(0)
    np.testing.assert_allclose(arm.mass_kg, 1.1 * ArmDynamics.nominal(ROBOT).mass_kg)


def test_correlated_names_get_their_values():
    names = ["coulomb/panda_joint1", "viscous/panda_joint1"]
    randomisation = made(
        {
            "correlated": [
                {"names": names, "mean": [0.5, 0.3], "covariance": [[0.01, 0], [0, 0.001]]}
            ]
        }
    )
    values = randomisation.draw_values(0)
    assert list(values) == names
    # By default three deviations: 0.5 +- 0.3.
    assert randomisation.bounds()[names[0]] == pytest.approx((0.2, 0.8))


def test_what_a_file_holds_comes_back():
    for content in (
        yaml.safe_load(DEFAULT.read_text()),
        {
            "every_episodes": 3,
            "correlated": [
                {
                    "names": ["delay_s", "payload/mass"],
                    "mean": [0.01, 1.0],
                    "covariance": [[1e-6, 0.0], [0.0, 0.01]],
                }
            ],
        },
    ):
        first = made(content)
        again = made(first.to_mapping())
        assert again.draw_values(7) == first.draw_values(7)
        assert again.every_episodes == first.every_episodes


UNIFORM = {"distribution": "uniform", "low": 0.1, "high": 0.9}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (only("mas/*", **UNIFORM), "unknown name 'mas/\\*': did you mean 'mass/\\*'"),
        (only("coulomb/joint1", **UNIFORM), "unknown name 'coulomb/joint1': did you mean"),
        ({"parameter": {}}, "unknown key 'parameter': did you mean 'parameters'"),
        ({"parameters": []}, "parameters is"),
        ({"correlated": {}}, "correlated is"),
        ({"every_episodes": 0}, "every_episodes is 0"),
        ({"every_episodes": True}, "every_episodes is True"),
        (only("delay_s", distribution="unifrom", low=0, high=1), "did you mean 'uniform'"),
        (only("delay_s", distribution="uniform", low=0), "uniform lacks high"),
        (only("delay_s", **UNIFORM, std=1), "unknown key 'std'"),
        (only("delay_s", distribution="uniform", low="a", high=1), "low is \\['a'\\]"),
        (only("delay_s", distribution="uniform", low=0.5, high=0.1), "is above high"),
        (only("delay_s", distribution="uniform", low=-0.5, high=0.1), "allowed 0 to 1 s"),
        (only("delay_s", **UNIFORM, **{"as": "factor"}), "as is 'factor'"),
        (only("coulomb/*", **UNIFORM, **{"as": "scale"}), "nominally 0"),
        (only("mass/*", **UNIFORM, together=3), "together is 3"),
        (
            {"parameters": {"coulomb/*": UNIFORM, "coulomb/panda_joint1": UNIFORM}},
            "coulomb/panda_joint1 is given twice",
        ),
        ({"correlated": [{"names": ["delay_s"]}]}, "two or more"),
        ({"correlated": [{"names": ["mass/*", "delay_s"]}]}, "not one name"),
        (
            {"correlated": [{"names": ["payload/mass", "delay_s"], "mean": [1.0]}]},
            "mean is \\[1.0\\]: expected 2",
        ),
        (
            {
                "correlated": [
                    {
                        "names": ["payload/mass", "delay_s"],
                        "mean": [1.0, 0.01],
                        "covariance": [[1.0, 0.0], [0.0, 1e-8]],
                    }
                ]
            },
            "payload/mass is -2: allowed",
        ),
    ],
)
def test_a_mistake_is_refused_with_the_file_and_the_remedy(tmp_path, content, message):
    path = tmp_path / "wide.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=message) as caught:
        read_randomisation(path, ROBOT)
    assert "wide.yaml" in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        read_randomisation(Path("none.yaml"), ROBOT)


def test_the_safety_filter_has_to_assume_what_is_drawn():
    randomisation = read_randomisation(DEFAULT, ROBOT)
    # 20 ms are two periods at 100 Hz; motors of 0.9 are off by 0.1.
    needed = "safety.max_latency_periods:=2 safety.gain_error:=0.1"
    with pytest.raises(ConfigError, match=needed):
        check_assumptions(randomisation, SafetyParameters(), Rates(), "joint_velocity")
    enough = SafetyParameters(max_latency_periods=2, gain_error=0.1)
    check_assumptions(randomisation, enough, Rates(), "joint_velocity")
    noisy = made(only("sensor_noise/position_rad", distribution="constant", value=0.01))
    with pytest.raises(ConfigError, match=r"safety\.noise_rad:=0\.03"):
        check_assumptions(noisy, enough, Rates(), "joint_effort")
