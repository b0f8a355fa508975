"""The policies of the on-policy algorithms, which draw their actions, with their optimisers.

They are a normal distribution around a tanh output, with one free log-deviation per action, and a
softmax over a table of discrete actions. Continuous actions are bounded honestly: the mean lies in
[-1, 1], the sample enters the loss as drawn, the environment gets it clipped. What is deployed is
the mean, or the likeliest choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.actor import rest_gradient
from sinew_core.algorithms.device import to_device
from sinew_core.algorithms.distributions import (
    categorical_entropy,
    categorical_entropy_gradient,
    categorical_gradient,
    categorical_log_probability,
    gaussian_entropy,
    gaussian_gradient,
    gaussian_log_probability,
)
from sinew_core.algorithms.exploration import CategoricalSampling, Explorer, NoisyPolicy
from sinew_core.algorithms.networks import MLP, Adam
from sinew_core.algorithms.normaliser import Normaliser
from sinew_core.algorithms.parameters.on_policy import OnPolicyParameters
from sinew_core.algorithms.state import Array, State, joined, part, restore, tensors
from sinew_core.algorithms.steps import Steps
from sinew_core.bundle.runtime import PolicyNetwork

Float = NDArray[np.float32]
OBSERVATION_CLIP = 10.0
FRICTION_KNEE = 0.05
"""Of `rest_gradient`: wider than where the deviation of the actions is smaller."""
_FIRST_GAIN = 0.01
"""Of the actor's last layer, so that at first no action is preferred."""


class Actor(Protocol):
    """A policy that draws its actions, with its optimiser; inputs are normalised observations.

    Entropy and gradient are of the inputs of the latest `log_probability`.
    """

    network: MLP
    learning_rate: float

    def actions(self, steps: Steps) -> Tensor:
        """Return the actions of steps, as the other methods want them."""

    def log_probability(self, inputs: Tensor, action: Tensor) -> Tensor:
        """Return the log-probability (batch,) of actions."""

    def entropy(self) -> float:
        """Return the mean entropy of the policy."""

    def gradient(self, action: Tensor, weight: Tensor) -> Tensor:
        """Return the flat gradient of sum(weight log p), less the entropy bonus."""

    def step(self, gradient: Tensor) -> None:
        """Take a step down a gradient."""

    def policy_network(self, normaliser: Normaliser) -> PolicyNetwork:
        """Return the policy to deploy."""

    def explorer(self, normaliser: Normaliser) -> Explorer:
        """Return the policy that draws its actions."""

    def state(self) -> State:
        """Return all that later steps depend on."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""


class GaussianActor:
    """A normal distribution around a tanh output."""

    def __init__(
        self,
        sizes: list[int],
        parameters: OnPolicyParameters,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        """Draw the weights; `sizes` are those of all layers, from the observation to the action."""
        self.network = MLP(
            sizes,
            hidden_activation="tanh",
            tanh_output=True,
            generator=generator,
            hidden_gain=parameters.hidden_gain,
            output_gain=_FIRST_GAIN,
            device=device,
        )
        self.log_std = torch.full((sizes[-1],), parameters.initial_log_std).to(device)
        self.learning_rate = parameters.learning_rate
        self._parameters = parameters
        self._mean = self.network.parameters[:0]
        self._optimiser = Adam(self.network.parameters, self.learning_rate)
        self._deviation_optimiser = Adam(self.log_std, self.learning_rate)

    def actions(self, steps: Steps) -> Tensor:
        """Return the actions (time, n) of steps, as drawn."""
        return to_device(steps.action, self.log_std.device)

    def log_probability(self, inputs: Tensor, action: Tensor) -> Tensor:
        """Return the log-density (batch,) of actions (batch, n)."""
        self._mean = self.network.forward(inputs)
        return gaussian_log_probability(action, self._mean, self.log_std)

    def entropy(self) -> float:
        """Return the entropy, which is the same everywhere."""
        return float(gaussian_entropy(self.log_std))

    def gradient(self, action: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient of sum(weight log p) - entropy_weight H + friction mean(|mean|)."""
        by_mean, by_log_std = gaussian_gradient(action, self._mean, self.log_std, weight)
        if self._parameters.action_friction > 0.0:
            friction = self._parameters.action_friction
            by_mean += rest_gradient(self._mean, friction=friction, knee=FRICTION_KNEE)
        self.network.backward(by_mean)
        return torch.cat([self.network.gradient, by_log_std - self._parameters.entropy_weight])

    def step(self, gradient: Tensor) -> None:
        """Take a step down a gradient, whose last part is that by the log-deviations."""
        for optimiser in (self._optimiser, self._deviation_optimiser):
            optimiser.learning_rate = self.learning_rate
        n = len(self.log_std)
        self._optimiser.step(gradient[:-n])
        self._deviation_optimiser.step(gradient[-n:])

    def policy_network(self, normaliser: Normaliser) -> PolicyNetwork:
        """Return the mean."""
        return PolicyNetwork(
            layers=self.network.layers(),
            hidden_activation="tanh",
            output_activation="tanh",
            observation_mean=normaliser.mean,
            observation_std=normaliser.std,
            observation_clip=OBSERVATION_CLIP,
        )

    def explorer(self, normaliser: Normaliser) -> NoisyPolicy:
        """Return the mean with the policy's own deviation around it."""
        return NoisyPolicy(
            network=self.policy_network(normaliser),
            process="gaussian",
            sigma=tuple(self.log_std.exp().tolist()),
            as_drawn=True,
        )

    def state(self) -> State:
        """Return all that later steps depend on."""
        parts = {name: thing.state() for name, thing in self._parts().items()}
        return {**joined(**parts), **tensors(log_std=self.log_std)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, thing in self._parts().items():
            thing.load_state(part(state, name))
        restore(state, log_std=self.log_std)

    def _parts(self) -> dict[str, MLP | Adam]:
        return {
            "network": self.network,
            "optimiser": self._optimiser,
            "deviation_optimiser": self._deviation_optimiser,
        }


class CategoricalActor:
    """A softmax over a table of discrete actions."""

    def __init__(
        self,
        sizes: list[int],
        choices: Float,
        parameters: OnPolicyParameters,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        """Draw the weights; `choices` (k, n) holds the actions, k the last of `sizes`."""
        self.network = MLP(
            sizes,
            hidden_activation="tanh",
            tanh_output=False,
            generator=generator,
            hidden_gain=parameters.hidden_gain,
            output_gain=_FIRST_GAIN,
            device=device,
        )
        self.learning_rate = parameters.learning_rate
        self._choices = choices
        self._entropy_weight = parameters.entropy_weight
        self._logits = self.network.parameters[:0]
        self._optimiser = Adam(self.network.parameters, self.learning_rate)

    def actions(self, steps: Steps) -> Tensor:
        """Return the indices (time,) of the actions of steps."""
        return to_device(steps.action, self.network.parameters.device)[:, 0].long()

    def log_probability(self, inputs: Tensor, action: Tensor) -> Tensor:
        """Return the log-probability (batch,) of indices (batch,)."""
        self._logits = self.network.forward(inputs)
        return categorical_log_probability(action, self._logits)

    def entropy(self) -> float:
        """Return the mean entropy."""
        return float(categorical_entropy(self._logits).mean())

    def gradient(self, action: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient of sum(weight log p) - entropy_weight mean(H)."""
        by_logits = categorical_gradient(action, self._logits, weight)
        if self._entropy_weight > 0.0:
            share = self._entropy_weight / len(weight)
            by_logits -= share * categorical_entropy_gradient(self._logits)
        self.network.backward(by_logits)
        return self.network.gradient

    def step(self, gradient: Tensor) -> None:
        """Take a step down a gradient."""
        self._optimiser.learning_rate = self.learning_rate
        self._optimiser.step(gradient)

    def policy_network(self, normaliser: Normaliser) -> PolicyNetwork:
        """Return the likeliest choice."""
        return PolicyNetwork(
            layers=self.network.layers(),
            hidden_activation="tanh",
            output_activation="argmax",
            observation_mean=normaliser.mean,
            observation_std=normaliser.std,
            observation_clip=OBSERVATION_CLIP,
            choices=self._choices,
        )

    def explorer(self, normaliser: Normaliser) -> CategoricalSampling:
        """Return the policy that draws its choices."""
        return CategoricalSampling(network=self.policy_network(normaliser))

    def state(self) -> State:
        """Return all that later steps depend on."""
        return joined(network=self.network.state(), optimiser=self._optimiser.state())

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state(part(state, "network"))
        self._optimiser.load_state(part(state, "optimiser"))
