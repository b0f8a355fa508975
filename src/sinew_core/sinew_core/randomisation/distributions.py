"""Distributions of one value, or of several that vary together; each knows its bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sinew_core.errors import ConfigError
from sinew_core.robots.arrays import Array, frozen_array

_TRIES = 10_000
_LEAST_ACCEPTED = 0.01
"""A correlated distribution is refused when its bounds cut off more than all but this share."""


class Distribution(Protocol):
    """Of one value."""

    @property
    def low(self) -> float:
        """No sample is below it."""

    @property
    def high(self) -> float:
        """No sample is above it."""

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a value."""

    def to_mapping(self) -> dict[str, object]:
        """Return what the YAML file says of it."""


@dataclass(frozen=True, kw_only=True)
class Constant:
    """Always the same value."""

    value: float

    @property
    def low(self) -> float:
        """The value."""
        return self.value

    @property
    def high(self) -> float:
        """The value."""
        return self.value

    def sample(self, rng: np.random.Generator) -> float:
        """Return the value; nothing is drawn."""
        return self.value

    def to_mapping(self) -> dict[str, object]:
        """Return the entry of a file."""
        return {"distribution": "constant", "value": self.value}


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Every value from low to high is as likely.

    Raises:
        ConfigError: unless low <= high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the bounds."""
        _check_bounds(self.low, self.high)

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a value."""
        return float(rng.uniform(self.low, self.high))

    def to_mapping(self) -> dict[str, object]:
        """Return the entry of a file."""
        return {"distribution": "uniform", "low": self.low, "high": self.high}


@dataclass(frozen=True, kw_only=True)
class LogUniform:
    """The logarithm is uniform: halving is as likely as doubling.

    Raises:
        ConfigError: unless 0 < low <= high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the bounds."""
        _check_bounds(self.low, self.high)
        if self.low <= 0.0:
            raise ConfigError(f"low is {self.low:g}: log_uniform needs a positive one")

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a value."""
        value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(value, self.low), self.high)  # exp(log(x)) may round past x

    def to_mapping(self) -> dict[str, object]:
        """Return the entry of a file."""
        return {"distribution": "log_uniform", "low": self.low, "high": self.high}


@dataclass(frozen=True, kw_only=True)
class TruncatedNormal:
    """A normal distribution without what lies outside its bounds, by its inverse.

    Raises:
        ConfigError: unless low <= high, std > 0, and the bounds hold a part that can be computed.
    """

    mean: float
    std: float
    low: float
    high: float

    def __post_init__(self) -> None:
        """Check mean, deviation and bounds."""
        _check_bounds(self.low, self.high)
        if self.std <= 0.0:
            raise ConfigError(f"std is {self.std:g}: normal needs a positive one; or use constant")
        below, above = self._shares()
        if not 0.0 < below < above < 1.0 and not above - below > 1e-9:
            raise ConfigError(
                f"low {self.low:g} and high {self.high:g} hold nothing of mean {self.mean:g} and "
                f"std {self.std:g}: choose bounds nearer to the mean"
            )

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a value."""
        share = rng.uniform(*self._shares())
        # The inverse is not defined at 0 and 1, which bounds far out round to.
        share = min(max(share, 1e-16), 1.0 - 1e-16)
        return min(max(NormalDist(self.mean, self.std).inv_cdf(share), self.low), self.high)

    def to_mapping(self) -> dict[str, object]:
        """Return the entry of a file."""
        return {
            "distribution": "normal",
            "mean": self.mean,
            "std": self.std,
            "low": self.low,
            "high": self.high,
        }

    def _shares(self) -> tuple[float, float]:
        whole = NormalDist(self.mean, self.std)
        return whole.cdf(self.low), whole.cdf(self.high)


@dataclass(frozen=True, kw_only=True, eq=False)
class CorrelatedNormal:
    """Several values that vary together, normal, without what lies outside their bounds.

    Attributes:
        mean: (k,).
        covariance: (k, k), symmetric, without negative eigenvalues.
        low: (k,).
        high: (k,).

    Raises:
        ConfigError: when sizes differ, the covariance is none, or the bounds cut nearly all off.
    """

    mean: Array
    covariance: Array
    low: Array
    high: Array

    def __post_init__(self) -> None:
        """Freeze and check."""
        for name in ("mean", "covariance", "low", "high"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        k = self.mean.size
        if self.covariance.shape != (k, k) or self.low.shape != (k,) or self.high.shape != (k,):
            raise ConfigError(
                f"covariance has shape {self.covariance.shape} and the bounds {self.low.shape} and "
                f"{self.high.shape}: expected ({k}, {k}) and ({k},) for {k} names"
            )
        for low, high in zip(self.low.tolist(), self.high.tolist(), strict=True):
            _check_bounds(low, high)
        object.__setattr__(self, "_root", _root_of(self.covariance))
        inside = self._inside(self._raw(np.random.default_rng(0), 1000))
        if np.mean(inside) < _LEAST_ACCEPTED:
            raise ConfigError("the bounds low and high cut off nearly all samples: widen them")

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw (k,) values: the first ones drawn that are all inside their bounds."""
        for _ in range(_TRIES):
            values = self._raw(rng, 1)
            if self._inside(values)[0]:
                return values.reshape(-1)
        return np.clip(self.mean, self.low, self.high)

    def to_mapping(self) -> dict[str, object]:
        """Return the entry of a file, without its names."""
        arrays = {n: getattr(self, n).tolist() for n in ("mean", "covariance", "low", "high")}
        return dict(arrays)

    def _raw(self, rng: np.random.Generator, count: int) -> Array:
        root: Array = self._root  # type: ignore[attr-defined]  # set in __post_init__, frozen
        raw: Array = self.mean + rng.standard_normal((count, self.mean.size)) @ root.T
        return raw

    def _inside(self, values: Array) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = (values >= self.low) & (values <= self.high)
        return np.logical_and.reduce(inside, axis=1)  # type: ignore[no-any-return]  # numpy's own type


def _root_of(covariance: Array) -> Array:
    """Return R with R Rᵀ = covariance, for a singular one too."""
    if not np.allclose(covariance, covariance.T, rtol=1e-9, atol=0.0):
        raise ConfigError("covariance is not symmetric: give covariance[i][j] = covariance[j][i]")
    values, vectors = np.linalg.eigh(covariance)
    if values.min() < -1e-9 * max(values.max(), 0.0) or values.max() <= 0.0:
        raise ConfigError(
            f"covariance has the eigenvalue {values.min():g}: it must have none below zero, and a "
            "positive one"
        )
    root: Array = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def _check_bounds(low: float, high: float) -> None:
    if not low <= high:
        raise ConfigError(f"low {low:g} is above high {high:g}: swap them")
