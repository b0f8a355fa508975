import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.arguments import parse_arguments, parse_value, split_arguments
from sinew_core.errors import ConfigError


def test_values_have_the_types_that_yaml_gives_them():
    words = ["seed:=3", "overwrite:=true", "robot:=panda", "ddpg.gamma:=0.95", "start:=[0, 1.5]"]
    assert parse_arguments(words) == {
        "seed": 3,
        "overwrite": True,
        "robot": "panda",
        "ddpg.gamma": 0.95,
        "start": [0, 1.5],
    }


@pytest.mark.parametrize(("text", "number"), [("1e-3", 0.001), ("1e5", 1e5), ("2.5", 2.5)])
def test_scientific_notation_is_a_number(text, number):
    assert parse_value("rate", text) == number


def test_an_empty_value_is_empty_text():
    assert parse_value("urdf", "") == ""


def test_a_path_stays_text():
    assert parse_value("robot", "my/arm7.yaml") == "my/arm7.yaml"


@pytest.mark.parametrize("word", ["seed", "seed=3", ":=3", "--seed:3"])
def test_a_word_of_another_form_shows_the_right_form(word):
    with pytest.raises(ConfigError, match="name:=value"):
        parse_arguments([word])


def test_a_repeated_name_is_refused():
    with pytest.raises(ConfigError, match="given twice"):
        parse_arguments(["seed:=1", "seed:=2"])


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line(text):
    message = ""
    try:
        parse_value("name", text)
    except ConfigError as error:
        message = str(error)
    assert "\n" not in message


def test_the_text_of_a_value_may_hold_the_separator_or_nothing():
    assert split_arguments(["a:=b:=c", "d:=", "e:=1e3"]) == {"a": "b:=c", "d": "", "e": "1e3"}


@pytest.mark.parametrize("text", ["2024", "007", "1e5", "true", "2020-01-01", "[a", "~"])
def test_an_argument_that_is_text_stays_as_it_is_written(text):
    assert parse_arguments([f"run:={text}", "seed:=7"], {"run"}) == {"run": text, "seed": 7}
