"""What was drawn in a run, entry by entry, for its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sinew_core.randomisation.randomisation import Randomisation
from sinew_core.robots.arm_dynamics import quantity_of

_SHOWN = ("distribution", "mean", "std", "low", "high", "value")


def summarise_draws(randomisation: Randomisation, seeds: Sequence[int]) -> list[dict[str, object]]:
    """Return for each entry: name, unit, text of its distribution, bounds, and sampled values.

    A `*` is one entry with the values of all joints; factors on nominal values remain factors.
    """
    draws = [randomisation.draw_values(seed) for seed in seeds]
    nominal = randomisation.base_values()
    entries = [
        _entry(e.label, e.names, e.scale, _text(e.distribution.to_mapping()), draws, nominal)
        | {"low": e.distribution.low, "high": e.distribution.high}
        for e in randomisation.entries
    ]
    for group in randomisation.correlated:
        text = f"correlated normal over {', '.join(group.names)}"
        bounds = zip(group.distribution.low.tolist(), group.distribution.high.tolist(), strict=True)
        entries += [
            _entry(name, (name,), group.scale, text, draws, nominal) | {"low": low, "high": high}
            for name, (low, high) in zip(group.names, bounds, strict=True)
        ]
    return entries


def _entry(
    label: str,
    names: Sequence[str],
    scale: bool,
    text: str,
    draws: Sequence[Mapping[str, float]],
    nominal: Mapping[str, float],
) -> dict[str, object]:
    quantity = quantity_of(label)
    unit = "of nominal" if scale else quantity.unit if quantity else ""
    return {
        "name": label,
        "unit": unit,
        "distribution": text,
        "sampled": [d[n] / nominal[n] if scale else d[n] for d in draws for n in names],
    }


def _text(mapping: Mapping[str, object]) -> str:
    values = [f"{key} {mapping[key]:g}" for key in _SHOWN[1:] if key in mapping]
    return f"{mapping['distribution']}, {', '.join(values)}"
