"""Compiling functions that call others of other files, whose changes numba's cache does not see."""

from __future__ import annotations

import functools
import hashlib
import inspect
from types import ModuleType

from numba.extending import register_jitable

from sinew_core.robots import dynamics


@functools.cache
def register_dynamics() -> None:
    """Make the plain functions of `robots.dynamics` callable from compiled ones."""
    for function in vars(dynamics).values():
        own = inspect.isfunction(function) and function.__module__ == dynamics.__name__
        if own and function is not dynamics.dynamics_rows:
            register_jitable(function)


def sources_hash(*modules: ModuleType) -> str:
    """Return a hash of modules' text; a kernel that holds it is compiled anew when they change."""
    text = "".join(inspect.getsource(module) for module in (dynamics, *modules))
    return hashlib.sha256(text.encode()).hexdigest()
