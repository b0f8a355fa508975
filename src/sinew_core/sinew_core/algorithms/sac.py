"""Soft actor-critic with an automatic temperature (Haarnoja et al. 2018b, algorithm 1).

Departures from the paper: step sizes fall on a schedule; before learning, slowly wandering noise
explores; the mean action may cost its size and square (`rest_gradient`), so that the arm comes to
rest; what is deployed is tanh of the mean, of an average of the actor over updates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.actor import (
    Start,
    actor_network,
    adopt_actor,
    rest_gradient,
    set_layers,
)
from sinew_core.algorithms.device import CPU, to_array, to_device
from sinew_core.algorithms.exploration import SquashedGaussianPolicy
from sinew_core.algorithms.networks import MLP, Adam
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.parameters import SACParameters
from sinew_core.algorithms.replay import Transitions
from sinew_core.algorithms.squashed_gaussian import LOG_STD_BOUNDS, squash, squash_gradient
from sinew_core.algorithms.state import Array, State, joined, part, restore, tensors
from sinew_core.algorithms.twin_critic import TwinCritic
from sinew_core.bundle.runtime import PolicyNetwork


@dataclass(frozen=True, kw_only=True)
class SACLosses:
    """What an update saw; zero-dimensional tensors, cheap until they are read."""

    critic_loss: Tensor
    q_mean: Tensor
    entropy: Tensor
    temperature: Tensor


class SAC:
    """A stochastic actor, two critics with slow targets, and a temperature."""

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        parameters: SACParameters,
        seed: int,
        device: torch.device = CPU,
    ) -> None:
        """Initialise the networks and the draws of actions from `seed`."""
        self.parameters = parameters
        self._device = device
        self._generator = torch.Generator().manual_seed(seed)
        units = parameters.hidden_units
        self.actor = MLP(
            [observation_size, units, units, 2 * action_size],
            hidden_activation="relu",
            tanh_output=False,
            generator=self._generator,
            output_gain=0.1,
            device=device,
        )
        self.critics = TwinCritic(observation_size, action_size, units, self._generator, device)
        self.average_actor = self.actor.clone()
        self.target_critics = self.critics.clone()
        self.log_temperature = torch.full((1,), parameters.initial_temperature).log_().to(device)
        self._actor_optimiser = Adam(self.actor.parameters, parameters.actor_learning_rate)
        self._critic_optimiser = Adam(self.critics.parameters, parameters.critic_learning_rate)
        self._temperature_optimiser = Adam(
            self.log_temperature, parameters.temperature_learning_rate
        )
        self._schedule = LinearSchedule(
            start=1.0,
            end=parameters.final_learning_rate_share,
            steps=parameters.learning_rate_updates,
        )
        self._action_size = action_size
        self._target_entropy = parameters.target_entropy * action_size
        self._updates = self._frozen_updates = 0

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the actor's mean action (n,) in [-1, 1]."""
        output = self.actor.forward(to_device(observation, self._device)[None])[0]
        return to_array(output[: self._action_size].tanh())

    def explorer(self) -> SquashedGaussianPolicy:
        """Return the actor as it explores."""
        return SquashedGaussianPolicy(layers=self.actor.layers(), log_std_bounds=LOG_STD_BOUNDS)

    def exploring_network(self) -> PolicyNetwork:
        """Return the mean of the actor."""
        return actor_network(self.actor, self._action_size)

    def policy_network(self) -> PolicyNetwork:
        """Return the mean of the actor's average over updates, which acts smoother."""
        return actor_network(self.average_actor, self._action_size)

    def update(self, batch: Transitions) -> SACLosses:
        """Take one gradient step on critics, actor and temperature, and move the targets."""
        observation = to_device(batch.observation, self._device)
        share = self._schedule(self._updates)
        self._actor_optimiser.learning_rate = share * self.parameters.actor_learning_rate
        self._critic_optimiser.learning_rate = share * self.parameters.critic_learning_rate
        error, value = self._update_critics(batch, observation)
        self._updates += 1
        entropy = -self._update_actor(observation)
        if self._updates > self._frozen_updates:
            gradient = temperature_gradient(self.log_temperature, entropy, self._target_entropy)
            self._temperature_optimiser.step(gradient)
        rate = self.parameters.target_rate
        self.target_critics.parameters.lerp_(self.critics.parameters, rate)
        self.average_actor.parameters.lerp_(self.actor.parameters, rate)
        return SACLosses(
            critic_loss=error.square().mean(),
            q_mean=value.mean(),
            entropy=entropy,
            temperature=self.log_temperature.exp()[0],
        )

    def adopt(self, start: Start) -> None:
        """Begin with a deployed actor, which waits for the critics, and with known critics.

        What is deployed has no deviations: at first the actor has the same everywhere.

        Raises:
            ConfigError: the network has another form.
        """
        adopt_actor(self.actor, start.network)
        *hidden, (weight, bias) = self.actor.layers()
        weight[self._action_size :], bias[self._action_size :] = 0.0, np.log(start.exploration)
        set_layers(self.actor, (*hidden, (weight, bias)))
        self.average_actor.parameters.copy_(self.actor.parameters)
        self._frozen_updates = start.frozen_updates
        if start.critic:
            self.critics.load_state(part(start.critic, "critics"))
            self.target_critics.load_state(part(start.critic, "target_critics"))
            restore(start.critic, log_temperature=self.log_temperature)

    def state(self) -> State:
        """Return all that later updates depend on."""
        parts = {name: thing.state() for name, thing in self._parts().items()}
        own = tensors(log_temperature=self.log_temperature, drawn=self._generator.get_state())
        return {**joined(**parts), **own, "updates": np.array(self._updates)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, thing in self._parts().items():
            thing.load_state(part(state, name))
        restore(state, log_temperature=self.log_temperature)
        self._generator.set_state(torch.from_numpy(np.asarray(state["drawn"])))
        self._updates = int(state["updates"])

    def critic_targets(self, batch: Transitions, noise: Tensor) -> Tensor:
        """Return r + gamma (min Q'(s', a') - alpha log pi(a'|s')), (batch,), equations 2 and 3.

        a' is drawn from the actor by standard normal `noise` (batch, n). No future counts where
        terminated.
        """
        next_observation = to_device(batch.next_observation, self._device)
        drawn = squash(self.actor.forward(next_observation), noise)
        next_value = self.target_critics.values(next_observation, drawn.action).amin(0)
        next_value -= self.log_temperature.exp() * drawn.log_probability
        reward = to_device(batch.reward, self._device)
        alive = 1.0 - to_device(batch.terminated, self._device)
        return reward + self.parameters.gamma * alive * next_value

    def actor_gradient(self, observation: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient by the actor's output (batch, 2 n), and log pi (batch,).

        It is that of mean(alpha log pi(a|s) - min Q(s, a)), equation 7, with a drawn from the
        latest `forward` of the actor by standard normal `noise` (batch, n), plus `rest_gradient`.
        """
        parameters, output = self.parameters, self.actor.forward(observation)
        drawn = squash(output, noise)
        value = self.critics.values(observation, drawn.action)
        lesser = value.argmin(0, keepdim=True)
        down = torch.zeros_like(value).scatter_(0, lesser, -1.0 / len(output))
        temperature = float(self.log_temperature.exp())
        gradient = squash_gradient(
            drawn, self.critics.action_gradient(down), temperature / len(output)
        )
        mean_action = output[:, : self._action_size].tanh()
        rest = rest_gradient(
            mean_action, friction=parameters.action_friction, penalty=parameters.action_penalty
        )
        gradient[:, : self._action_size] += rest * (1.0 - mean_action.square())
        return gradient, drawn.log_probability

    def _parts(self) -> dict[str, MLP | TwinCritic | Adam]:
        return {
            "actor": self.actor,
            "critics": self.critics,
            "average_actor": self.average_actor,
            "target_critics": self.target_critics,
            "actor_optimiser": self._actor_optimiser,
            "critic_optimiser": self._critic_optimiser,
            "temperature_optimiser": self._temperature_optimiser,
        }

    def _update_critics(self, batch: Transitions, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step down the squared error, equation 5; return errors and values (2, batch)."""
        action = to_device(batch.action, self._device)
        target = self.critic_targets(batch, self._noise(len(action)))
        value = self.critics.values(observation, action)
        error = value - target
        self.critics.backward(error * (2.0 / len(target)))
        self._critic_optimiser.step(self.critics.gradient)
        return error, value

    def _update_actor(self, observation: Tensor) -> Tensor:
        """Take a step; return the mean log-probability of the actions drawn."""
        gradient, log_probability = self.actor_gradient(observation, self._noise(len(observation)))
        if self._updates > self._frozen_updates:
            self.actor.backward(gradient)
            self._actor_optimiser.step(self.actor.gradient)
        return log_probability.mean()

    def _noise(self, count: int) -> Tensor:
        drawn = torch.randn((count, self._action_size), generator=self._generator)
        return drawn.to(self._device)


def temperature_gradient(log_temperature: Tensor, entropy: Tensor, target_entropy: float) -> Tensor:
    """Return the gradient (1,) of alpha (entropy - target), equation 18, by log alpha."""
    return log_temperature.exp() * (entropy - target_entropy)
