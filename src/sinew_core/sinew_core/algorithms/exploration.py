"""Exploring policies that a worker can run without torch, named strategies around a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.algorithms.noise import GaussianNoise, OrnsteinUhlenbeckNoise
from sinew_core.bundle.runtime import NumpyPolicy, PolicyNetwork

Float = NDArray[np.float32]
Layers = tuple[tuple[Float, Float], ...]
_NOISE_STREAM = 1
"""Keeps an episode's noise apart from its start and target, which come from the same seed."""


class Choice(NamedTuple):
    """An exploring decision.

    Attributes:
        action: what the learner learns from: (n,) as drawn, or (1,) the index of a discrete action.
        command: what the environment gets: (n,), which it clips to [-1, 1].
    """

    action: NDArray[np.floating]
    command: NDArray[np.floating]


class Explorer(Protocol):
    """A policy with its exploration; plain data, so that it travels between processes."""

    def begin(self, seed: int) -> Callable[[Float], Choice]:
        """Start an episode: return the function from observation (size,) to choice."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisyPolicy:
    """Noise added to the action.

    Attributes:
        network: the action without noise.
        process: one of `NoisyActorParameters.noise`.
        sigma: (n,) of the process.
        as_drawn: whether the learner learns from the action before it is clipped to [-1, 1].
    """

    network: PolicyNetwork
    process: str
    sigma: tuple[float, ...]
    as_drawn: bool

    def begin(self, seed: int) -> Callable[[Float], Choice]:
        """Start an episode with fresh noise."""
        policy, noise = NumpyPolicy(self.network), self._noise(episode_generator(seed))

        def choose(observation: Float) -> Choice:
            drawn = policy.act(observation) + noise.sample()
            clipped = np.minimum(np.maximum(drawn, -1.0), 1.0)
            return Choice(action=drawn if self.as_drawn else clipped, command=clipped)

        return choose

    def _noise(self, rng: np.random.Generator) -> GaussianNoise | OrnsteinUhlenbeckNoise:
        sigma = np.array(self.sigma)
        if self.process == "ornstein_uhlenbeck":
            return OrnsteinUhlenbeckNoise(sigma, rng)
        return GaussianNoise(sigma, rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class SquashedGaussianPolicy:
    """Actions tanh(mean + std e) of a stochastic actor, with e of the standard normal distribution.

    Attributes:
        layers: (weight (out, in), bias (out,)) of a ReLU network with 2 n linear outputs, the means
            and then the log-deviations.
        log_std_bounds: of the log-deviations, which are clipped to them.
    """

    layers: Layers
    log_std_bounds: tuple[float, float]

    def begin(self, seed: int) -> Callable[[Float], Choice]:
        """Start an episode with fresh draws."""
        *hidden, (last_weight, last_bias) = self.layers
        rng, n = episode_generator(seed), len(last_bias) // 2

        def choose(observation: Float) -> Choice:
            values = observation
            for weight, bias in hidden:
                values = np.maximum(weight @ values + bias, 0.0)
            output = last_weight @ values + last_bias
            std = np.exp(np.clip(output[n:], *self.log_std_bounds))
            action = np.tanh(output[:n] + std * rng.standard_normal(n))
            return Choice(action=action, command=action)

        return choose


@dataclass(frozen=True, kw_only=True, eq=False)
class EpsilonGreedy:
    """A random discrete action in a share of the decisions, else the one that scores highest.

    A random action may last: single random nudges of joints cancel each other, and the arm stays
    where it was (Dabney et al. 2021, there with lengths of a heavier tail).

    Attributes:
        network: with a table of choices.
        epsilon: share of decisions by a random action, 0 to 1; it may happen to be the best.
        persistence: mean number of decisions that a random action lasts, at least 1.
    """

    network: PolicyNetwork
    epsilon: float
    persistence: float = 1.0

    def begin(self, seed: int) -> Callable[[Float], Choice]:
        """Start an episode."""
        policy, table = NumpyPolicy(self.network), _table(self.network)
        rng = episode_generator(seed)
        # Drawn anew with probability e: stretches of mean length `persistence` that are random, and
        # of length 1 that are not, so that a share `epsilon` of all decisions is random.
        lasting = 1.0 - 1.0 / self.persistence
        e = self.epsilon / (self.epsilon + self.persistence * (1.0 - self.epsilon))
        kept: int | None = None

        def choose(observation: Float) -> Choice:
            nonlocal kept
            if kept is None or rng.random() >= lasting:
                kept = int(rng.integers(len(table))) if rng.random() < e else None
            return _chosen(table, policy.scores(observation).argmax() if kept is None else kept)

        return choose


@dataclass(frozen=True, kw_only=True, eq=False)
class CategoricalSampling:
    """A discrete action drawn with the softmax of the scores as probabilities.

    Attributes:
        network: with a table of choices.
    """

    network: PolicyNetwork

    def begin(self, seed: int) -> Callable[[Float], Choice]:
        """Start an episode."""
        policy, table = NumpyPolicy(self.network), _table(self.network)
        rng = episode_generator(seed)

        def choose(observation: Float) -> Choice:
            # The largest of scores with Gumbel noise is a sample of their softmax.
            noisy = policy.scores(observation) + rng.gumbel(size=len(table))
            return _chosen(table, noisy.argmax())

        return choose


def _table(network: PolicyNetwork) -> Float:
    if network.choices is None:
        raise ValueError("a discrete explorer needs a network with a table of choices")
    return network.choices


def _chosen(table: Float, index: int | np.integer) -> Choice:
    return Choice(action=np.array([index], dtype=np.float32), command=table[index])


def episode_generator(seed: int) -> np.random.Generator:
    """Return the generator of an episode's exploration."""
    return np.random.default_rng([seed, _NOISE_STREAM])
