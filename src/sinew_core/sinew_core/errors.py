"""The errors that a user can cause; each message is one line: what, found, allowed, remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SinewError(Exception):
    """Base of every error that a user can cause; programs print its message without a traceback."""

    def __init__(self, message: str) -> None:
        """Keep the message on one line, whatever names it quotes."""
        super().__init__(message.replace("\r", "\\r").replace("\n", "\\n"))


class ConfigError(SinewError):
    """A parameter, a parameter file or a combination of parameters is not allowed."""


class UnstableError(ConfigError):
    """A simulated arm diverges, or would by its controllers' gains at this physics rate."""


class DivergedError(ConfigError):
    """A training diverges with its hyper-parameters."""


class RobotError(SinewError):
    """A robot description (URDF or robot file) cannot be used."""


class BundleError(SinewError):
    """A policy bundle is damaged, of another schema, or does not fit."""


class RunError(SinewError):
    """A run folder cannot be created, written or continued."""


class BagError(SinewError):
    """A bag cannot be read, lacks a topic, or is not of the node that is to be replayed."""


class IdentificationError(SinewError):
    """A recording cannot be used to identify an arm."""


class ReplayError(SinewError):
    """What a bag holds is not what the recorded node did."""


def suggest(found: str, allowed: Iterable[str]) -> str:
    """Name the closest allowed word, else all of them: the remedy part of a message."""
    words = sorted(allowed)
    close = difflib.get_close_matches(found, words, n=1)
    return f"did you mean '{close[0]}'?" if close else f"choose one of {', '.join(words)}"
