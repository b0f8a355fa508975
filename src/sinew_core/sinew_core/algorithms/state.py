"""The whole state of something that learns, as named arrays, so that it can be written and resumed.

Names of parts are joined by dots. Restoring a state makes the future equal to the last bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.generic]
State = dict[str, Array]


def tensors(**named: Tensor) -> State:
    """Return copies of tensors as arrays."""
    return {name: tensor.cpu().numpy().copy() for name, tensor in named.items()}


def restore(state: Mapping[str, Array], **named: Tensor) -> None:
    """Copy arrays of equal names into tensors, in place."""
    import torch  # only here, because workers know replay and seeds, but not torch

    for name, tensor in named.items():
        tensor.copy_(torch.from_numpy(np.asarray(state[name])))


def joined(**parts: Mapping[str, Array]) -> State:
    """Return the states of several parts as one, each name behind its part's."""
    return {f"{part}.{name}": v for part, state in parts.items() for name, v in state.items()}


def part(state: Mapping[str, Array], name: str) -> State:
    """Return the state of one part, as `joined` took it."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def generator_state(rng: np.random.Generator) -> State:
    """Return the state of a numpy generator; its integers of 128 bits need text."""
    text = json.dumps(rng.bit_generator.state).encode()
    return {"bits": np.frombuffer(text, dtype=np.uint8).copy()}


def restore_generator(rng: np.random.Generator, state: Mapping[str, Array]) -> None:
    """Set a numpy generator to a state that `generator_state` returned."""
    rng.bit_generator.state = json.loads(state["bits"].tobytes())
