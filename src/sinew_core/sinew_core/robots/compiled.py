"""The compiled forward kinematics for training; the same source as the plain one, the same bits."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.kinematics import KinematicChain, tool_position_source

jitted_tool_position = numba.njit(cache=True)(tool_position_source)
"""`tool_position_source` for use inside other compiled functions, on arrays."""


@numba.njit(cache=True)
def _tool_position_into(q: Array, coefficients: Array, tool: Array, out: Array) -> None:
    out[0], out[1], out[2] = jitted_tool_position(q, coefficients, tool)


def compiled_tool_position(chain: KinematicChain) -> Callable[[Array, Array], None]:
    """Return f(q (n,) rad, out (3,) m): the chain's tool position, bit-equal to `tool_position`.

    Both arguments are contiguous float64 arrays; nothing is allocated and lengths are not checked.
    """
    coefficients = np.array(chain.coefficients)
    tool = np.array(chain.tool_offset_m)

    def tool_position(q: Array, out: Array) -> None:
        _tool_position_into(q, coefficients, tool, out)

    return tool_position
