"""Plain data apart from its arrays, so that JSON can hold the one and safetensors the other.

Dataclasses become their class's name and their fields, an array becomes the name that it has among
the arrays, and sequences come back as tuples. Only classes that the reader allows are made again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from sinew_core.algorithms.state import Array

_ARRAY, _CLASS, _FIELDS, _MAP = "array", "class", "fields", "map"


def pack(value: object, arrays: dict[str, Array], place: str) -> object:
    """Return what JSON can hold, and add the arrays under names that begin with `place`."""
    if isinstance(value, np.ndarray):
        arrays[place] = value
        return {_ARRAY: place}
    if dataclasses.is_dataclass(value):
        fields = {
            f.name: pack(getattr(value, f.name), arrays, f"{place}.{f.name}")
            for f in dataclasses.fields(value)
        }
        return {_CLASS: type(value).__name__, _FIELDS: fields}
    if isinstance(value, Mapping):
        return {_MAP: {str(k): pack(v, arrays, f"{place}.{k}") for k, v in value.items()}}
    if isinstance(value, tuple | list):
        return [pack(item, arrays, f"{place}.{i}") for i, item in enumerate(value)]
    return value


def unpack(value: object, arrays: Mapping[str, Array], classes: Iterable[type]) -> object:
    """Return what `pack` took, made of `classes`.

    Raises:
        ValueError: for another class, other fields, or an array that is not there.
    """
    known = {kind.__name__: kind for kind in classes}

    def build(packed: object) -> object:
        if isinstance(packed, list):
            return tuple(build(item) for item in packed)
        if not isinstance(packed, dict):
            return packed
        if _ARRAY in packed:
            return arrays[packed[_ARRAY]]
        if _MAP in packed:
            return {name: build(item) for name, item in packed[_MAP].items()}
        fields = {name: build(item) for name, item in packed[_FIELDS].items()}
        return known[packed[_CLASS]](**fields)

    try:
        return build(value)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not what this version writes: {error}") from None
