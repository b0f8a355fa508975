"""Values that are well determined, and may not be what they are called."""

import dataclasses

import pytest

from sinew_core.robots.catalogue import load_robot
from sinew_core.sysid.identification import Estimate, LeftOut, StandIn
from sinew_core.sysid.parametrisation import make_parametrisation
from sinew_core.sysid.score_test import Score
from sinew_core.sysid.suspects import on_what_was_left_out, suspicions

FITTED = make_parametrisation(load_robot("iiwa14"), ("mass/lbr_link_6", "viscous/lbr_A6"))
MASS_KG = float(FITTED.nominal[0])
NOTHING = Score(statistic=3.0, dof=4, log_p=-0.6)
PAYLOAD = LeftOut(name="payload", score=NOTHING, imitated={"mass/lbr_link_6": 0.9})
MOTORS = LeftOut(name="motor_strength/*", score=NOTHING, imitated={"mass/lbr_link_6": 0.6})
SHOWN = dataclasses.replace(
    PAYLOAD,
    shown=True,
    values={"payload/mass": 0.5},
    units={"payload/mass": "kg"},
    stand_ins=(StandIn(name="mass/lbr_link_6", shift=-0.5, sigmas=-20.0),),
)


def estimate(name, value, nominal=0.0, **changes):
    fields = {"sigma": 0.01, "ci95": (value - 0.02, value + 0.02), "identifiable": True, **changes}
    return Estimate(name=name, value=value, unit="kg", nominal=nominal, **fields)


def mass(share, **changes):
    return estimate("mass/lbr_link_6", share * MASS_KG, MASS_KG, **changes)


def test_a_mass_far_off_its_description_is_suspect_and_what_acts_alike_is_named():
    # The description is off by 20 % of itself; 1.7 of it are 3.5 such deviations.
    found = suspicions([mass(1.7)], FITTED, [MOTORS, PAYLOAD])
    words = found["mass/lbr_link_6"]
    assert words == "3.5 deviations off what the description suggests: may stand in for payload"
    suspect = dataclasses.replace(mass(1.7), remark=words)
    (sentence,) = on_what_was_left_out([MOTORS, PAYLOAD], (), [suspect])
    assert sentence == f"Suspect, though well determined: mass/lbr_link_6 ({words})."


@pytest.mark.parametrize("share", [0.5, 1.0, 1.5])
def test_a_mass_within_what_a_description_is_worth_is_not(share):
    assert suspicions([mass(share)], FITTED, [PAYLOAD]) == {}


def test_what_is_not_identifiable_is_no_suspect():
    assert suspicions([mass(1.7, identifiable=False)], FITTED, [PAYLOAD]) == {}


def test_a_friction_of_nothing_is_said_to_be_at_its_bound():
    friction = estimate("viscous/lbr_A6", 0.0, at_bound=True)
    assert suspicions([friction], FITTED, [PAYLOAD]) == {
        "viscous/lbr_A6": "ended at what is allowed"
    }


def test_what_the_data_show_comes_before_what_is_odd():
    found = suspicions([estimate("mass/lbr_link_6", 2.0, 1.0)], FITTED, [SHOWN])
    assert found == {
        "mass/lbr_link_6": "stands in for payload: about 1.5 kg where that is fitted, too"
    }


def test_the_remedy_is_what_was_asked_for_and_what_is_missing():
    found = on_what_was_left_out([SHOWN, MOTORS], ("mass/*", "delay_s"), [])
    assert found == [
        "Not fitted, but shown by the data: payload (about mass 0.5 kg).",
        "Values stand in for it, and are wrong by more than their intervals: mass/lbr_link_6.",
        'Remedy: add payload to what is fitted: fit:="mass/* delay_s payload".',
    ]


def test_values_that_no_arm_has_are_no_remedy():
    negative = dataclasses.replace(SHOWN, possible=False, values={"payload/mass": -0.5})
    found = on_what_was_left_out([negative], ("mass/*",), [])
    assert "something like payload" in found[0]
    assert "which no arm has" in found[0]
    assert not any("Remedy" in sentence for sentence in found)
