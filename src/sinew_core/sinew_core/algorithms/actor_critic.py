"""What the on-policy algorithms share: a policy that draws its actions, a critic, a normaliser.

The policy is a normal distribution around a tanh output, with one free log-deviation per action, or
a softmax over a table of discrete actions. Continuous actions are bounded honestly: the
mean lies in [-1, 1], the sample enters the loss as drawn, the environment gets it clipped. What is
deployed is the mean, or the likeliest choice.

Actor and critic share nothing: at the sizes of an arm the second network costs little, the two
losses need no balance, and the exported policy holds no weight that it does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.actor import rest_gradient
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
from sinew_core.algorithms.networks import MLP, Adam, clip_norm
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.normaliser import Normaliser
from sinew_core.algorithms.parameters.on_policy import OnPolicyParameters
from sinew_core.algorithms.state import Array, State, joined, part, restore, tensors
from sinew_core.algorithms.steps import Steps
from sinew_core.bundle.runtime import PolicyNetwork

Float = NDArray[np.float32]
P = TypeVar("P", bound=OnPolicyParameters)
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
        self, sizes: list[int], parameters: OnPolicyParameters, generator: torch.Generator
    ) -> None:
        """Draw the weights; `sizes` are those of all layers, from the observation to the action."""
        self.network = MLP(
            sizes,
            hidden_activation="tanh",
            tanh_output=True,
            generator=generator,
            output_gain=_FIRST_GAIN,
        )
        self.log_std = torch.full((sizes[-1],), parameters.initial_log_std)
        self.learning_rate = parameters.learning_rate
        self._parameters = parameters
        self._mean = torch.empty(0)
        self._optimiser = Adam(self.network.parameters, self.learning_rate)
        self._deviation_optimiser = Adam(self.log_std, self.learning_rate)

    def actions(self, steps: Steps) -> Tensor:
        """Return the actions (time, n) of steps, as drawn."""
        return torch.from_numpy(steps.action)

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
    ) -> None:
        """Draw the weights; `choices` (k, n) holds the actions, k the last of `sizes`."""
        self.network = MLP(
            sizes,
            hidden_activation="tanh",
            tanh_output=False,
            generator=generator,
            output_gain=_FIRST_GAIN,
        )
        self.learning_rate = parameters.learning_rate
        self._choices = choices
        self._entropy_weight = parameters.entropy_weight
        self._logits = torch.empty(0)
        self._optimiser = Adam(self.network.parameters, self.learning_rate)

    def actions(self, steps: Steps) -> Tensor:
        """Return the indices (time,) of the actions of steps."""
        return torch.from_numpy(steps.action)[:, 0].long()

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


class Critic:
    """V of normalised observations, with its optimiser."""

    def __init__(
        self, sizes: list[int], parameters: OnPolicyParameters, generator: torch.Generator
    ) -> None:
        """Draw the weights; `sizes` are those of all layers."""
        self.network = MLP(sizes, hidden_activation="tanh", tanh_output=False, generator=generator)
        self._optimiser = Adam(self.network.parameters, parameters.critic_learning_rate)

    def values(self, inputs: Tensor) -> Float:
        """Return V (batch,)."""
        values: Float = self.network.forward(inputs)[:, 0].numpy()
        return values

    def gradient(self, inputs: Tensor, target: Tensor) -> Tensor:
        """Return the flat gradient of the mean squared error from targets (batch,)."""
        error = self.network.forward(inputs)[:, 0] - target
        self.network.backward(error[:, None] * (2.0 / len(error)))
        return self.network.gradient

    def step(self, gradient: Tensor) -> None:
        """Take a step down a gradient."""
        self._optimiser.step(gradient)

    def state(self) -> State:
        """Return all that later steps depend on."""
        return joined(network=self.network.state(), optimiser=self._optimiser.state())

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state(part(state, "network"))
        self._optimiser.load_state(part(state, "optimiser"))


class ActorCritic(Generic[P]):
    """Actor, critic and normaliser of an on-policy algorithm, which adds how they learn.

    Attributes:
        parameters: of the algorithm.
        updates: gradient steps so far.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        parameters: P,
        seed: int,
        choices: Float | None = None,
    ) -> None:
        """Initialise the networks and the order of minibatches from `seed`.

        Args:
            observation_size: of an observation.
            action_size: n of a continuous action.
            parameters: of the algorithm.
            seed: of weights and minibatches.
            choices: (k, n) the discrete actions; None for continuous ones.
        """
        self.parameters = parameters
        self.updates = 0
        self.generator = torch.Generator().manual_seed(seed)
        hidden = [observation_size, parameters.hidden_units, parameters.hidden_units]
        self.actor: Actor = (
            GaussianActor([*hidden, action_size], parameters, self.generator)
            if choices is None
            else CategoricalActor([*hidden, len(choices)], choices, parameters, self.generator)
        )
        self.critic = Critic([*hidden, 1], parameters, self.generator)
        self.normaliser = Normaliser(observation_size)
        self._schedule = LinearSchedule(
            start=parameters.learning_rate,
            end=parameters.final_learning_rate,
            steps=parameters.learning_rate_steps,
        )
        self._steps = 0

    def explorer(self) -> Explorer:
        """Return the policy that draws its actions."""
        return self.actor.explorer(self.normaliser)

    def policy_network(self) -> PolicyNetwork:
        """Return the mean or the likeliest choice, with its normaliser."""
        return self.actor.policy_network(self.normaliser)

    def values(self, observation: Float) -> Float:
        """Return V (batch,) of observations (batch, size)."""
        return self.critic.values(self.inputs(observation))

    def inputs(self, observation: Float) -> Tensor:
        """Return observations (batch, size) as actor and critic see them."""
        inputs = self.normaliser(torch.from_numpy(observation))
        return inputs.clamp_(-OBSERVATION_CLIP, OBSERVATION_CLIP)

    def fit_critic(
        self, inputs: Tensor, target: Tensor, *, epochs: int, minibatch_size: int
    ) -> None:
        """Take passes of the critic alone over targets (time,) of inputs, in minibatches."""
        for _ in range(epochs):
            order = torch.randperm(len(target), generator=self.generator)
            for chosen in torch.split(order, minibatch_size):
                gradient = self.critic.gradient(inputs[chosen], target[chosen])
                clip_norm(gradient, self.parameters.maximum_gradient_norm)
                self.critic.step(gradient)

    def count(self, steps: Steps) -> None:
        """Count the steps that are about to be learned from, and set the actor's step size."""
        self._steps += len(steps.reward)
        self.actor.learning_rate = self._schedule(self._steps)

    def note(self, steps: Steps) -> None:
        """Let the normaliser see the steps; actor and critic see the change from now on."""
        if self.parameters.normalise_observations:
            self.normaliser.update(steps.observation)

    def state(self) -> State:
        """Return all that later updates depend on."""
        parts = {name: thing.state() for name, thing in self._parts().items()}
        counters = {"steps": np.array(self._steps), "updates": np.array(self.updates)}
        return {**joined(**parts), **counters, **tensors(order=self.generator.get_state())}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, thing in self._parts().items():
            thing.load_state(part(state, name))
        self.generator.set_state(torch.from_numpy(np.asarray(state["order"])))
        self._steps, self.updates = int(state["steps"]), int(state["updates"])

    def _parts(self) -> dict[str, Actor | Critic | Normaliser]:
        return {"actor": self.actor, "critic": self.critic, "normaliser": self.normaliser}


def normalised(advantage: Tensor) -> Tensor:
    """Return advantages (batch,) with mean 0 and deviation 1."""
    return (advantage - advantage.mean()) / (advantage.std() + 1e-8)
