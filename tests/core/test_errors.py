from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import BundleError, ConfigError, RobotError, RunError, SinewError, suggest

WORDS = st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=5)


def test_a_close_word_is_suggested():
    assert suggest("pibullet", ["mujoco", "pybullet"]) == "did you mean 'pybullet'?"


def test_without_a_close_word_all_are_listed_in_order():
    assert suggest("x", ["pybullet", "mujoco"]) == "choose one of mujoco, pybullet"


@given(st.text("abc", max_size=5), WORDS)
def test_a_suggestion_names_an_allowed_word(found, allowed):
    assert any(word in suggest(found, allowed) for word in allowed)


@given(WORDS)
def test_a_word_that_differs_only_by_its_last_letter_is_suggested(allowed):
    word = "trainer_node"
    assert suggest("trainer_nod", [word, *allowed]) == f"did you mean '{word}'?"


def test_one_except_clause_catches_every_mistake_of_a_user():
    for kind in (ConfigError, RobotError, BundleError, RunError):
        assert issubclass(kind, SinewError)


def test_a_message_stays_on_one_line_whatever_it_quotes():
    assert (
        str(RobotError("unknown link '\r\n': give another")) == r"unknown link '\r\n': give another"
    )
