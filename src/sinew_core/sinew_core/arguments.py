"""Arguments of the form name:=value, as launch files take them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import yaml

from sinew_core.errors import ConfigError


def split_arguments(argv: Sequence[str]) -> dict[str, str]:
    """Return the text of each value by name.

    Raises:
        ConfigError: for a word of another form, or a repeated name.
    """
    values: dict[str, str] = {}
    for word in argv:
        name, given, text = word.partition(":=")
        if not given or not name:
            raise ConfigError(f"'{word}' is not an argument: write name:=value, such as seed:=1")
        if name in values:
            raise ConfigError(f"'{name}' is given twice: keep one")
        values[name] = text
    return values


def parse_arguments(argv: Sequence[str], texts: Collection[str] = ()) -> dict[str, object]:
    """Return the values by name; each value is read as YAML, so that 1e3 and [1, 2] work.

    Those that `texts` names stay as they are written, as a launch file takes them: a run may be
    called 2024 or 007.

    Raises:
        ConfigError: for a word of another form, a repeated name, or a value that is not YAML.
    """
    return {
        name: text if name in texts else parse_value(name, text)
        for name, text in split_arguments(argv).items()
    }


def parse_value(name: str, text: str) -> object:
    """Return a value read as YAML; numbers such as 1e-3, which YAML takes for text, as numbers."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"{name}:={text!r} cannot be read: quote the value") from None
    if value is None:
        return ""
    if isinstance(value, str):
        try:
            return float(value) if any(c.isdigit() for c in value) else value
        except ValueError:
            return value
    return value
