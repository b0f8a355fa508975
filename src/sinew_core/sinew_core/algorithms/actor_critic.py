"""What the on-policy algorithms share: a policy that draws its actions, a critic, a normaliser.

Actor and critic share nothing: at the sizes of an arm the second network costs little, the two
losses need no balance, and the exported policy holds no weight that it does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.device import CPU, to_array, to_device
from sinew_core.algorithms.drawing_actors import (
    OBSERVATION_CLIP,
    Actor,
    CategoricalActor,
    GaussianActor,
)
from sinew_core.algorithms.exploration import Explorer
from sinew_core.algorithms.networks import MLP, Adam, clip_norm
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.normaliser import Normaliser
from sinew_core.algorithms.parameters.on_policy import OnPolicyParameters
from sinew_core.algorithms.state import Array, State, joined, part, tensors
from sinew_core.algorithms.steps import Steps
from sinew_core.bundle.runtime import PolicyNetwork

Float = NDArray[np.float32]
P = TypeVar("P", bound=OnPolicyParameters)


class Critic:
    """V of normalised observations, with its optimiser."""

    def __init__(
        self,
        sizes: list[int],
        parameters: OnPolicyParameters,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        """Draw the weights; `sizes` are those of all layers."""
        self.network = MLP(
            sizes,
            hidden_activation="tanh",
            tanh_output=False,
            generator=generator,
            hidden_gain=parameters.hidden_gain,
            device=device,
        )
        self._optimiser = Adam(self.network.parameters, parameters.critic_learning_rate)

    def values(self, inputs: Tensor) -> Float:
        """Return V (batch,)."""
        return to_array(self.network.forward(inputs)[:, 0])

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
        device: torch.device = CPU,
    ) -> None:
        """Initialise the networks and the order of minibatches from `seed`.

        Args:
            observation_size: of an observation.
            action_size: n of a continuous action.
            parameters: of the algorithm.
            seed: of weights and minibatches.
            choices: (k, n) the discrete actions; None for continuous ones.
            device: where networks and steps are, while they are learned from.
        """
        self.parameters = parameters
        self.updates = 0
        self._device = device
        self._generator = torch.Generator().manual_seed(seed)
        hidden = [observation_size, parameters.hidden_units, parameters.hidden_units]
        self.actor: Actor = (
            GaussianActor([*hidden, action_size], parameters, self._generator, device)
            if choices is None
            else CategoricalActor(
                [*hidden, len(choices)], choices, parameters, self._generator, device
            )
        )
        self.critic = Critic([*hidden, 1], parameters, self._generator, device)
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
        inputs = self.normaliser(self.tensor(observation))
        return inputs.clamp_(-OBSERVATION_CLIP, OBSERVATION_CLIP)

    def tensor(self, array: Float) -> Tensor:
        """Return an array where it is learned from."""
        return to_device(array, self._device)

    def order(self, count: int) -> Tensor:
        """Return the numbers below `count`, shuffled."""
        return torch.randperm(count, generator=self._generator).to(self._device)

    def fit_critic(
        self, inputs: Tensor, target: Tensor, *, epochs: int, minibatch_size: int
    ) -> None:
        """Take passes of the critic alone over targets (time,) of inputs, in minibatches."""
        for _ in range(epochs):
            for chosen in torch.split(self.order(len(target)), minibatch_size):
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
        return {**joined(**parts), **counters, **tensors(order=self._generator.get_state())}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, thing in self._parts().items():
            thing.load_state(part(state, name))
        self._generator.set_state(torch.from_numpy(np.asarray(state["order"])))
        self._steps, self.updates = int(state["steps"]), int(state["updates"])

    def _parts(self) -> dict[str, Actor | Critic | Normaliser]:
        return {"actor": self.actor, "critic": self.critic, "normaliser": self.normaliser}


def normalised(advantage: Tensor) -> Tensor:
    """Return advantages (batch,) with mean 0 and deviation 1."""
    return (advantage - advantage.mean()) / (advantage.std() + 1e-8)
