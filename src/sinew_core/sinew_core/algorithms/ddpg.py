"""Deep deterministic policy gradient (Lillicrap et al. 2016, algorithm 1).

Departures from the paper: Gaussian exploration on a schedule stands beside the Ornstein-Uhlenbeck
process; the critic takes the action at its first layer; nothing is batch-normalised, because
observations come scaled; the actor may be updated less often than the critic (Fujimoto et al.
2018); actions may cost their size and square (`rest_gradient`); the slow target actor is what is
deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.actor import Start, actor_network, adopt_actor, rest_gradient
from sinew_core.algorithms.device import CPU, to_array, to_device
from sinew_core.algorithms.networks import MLP, Adam
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.parameters import DDPGParameters
from sinew_core.algorithms.replay import Transitions
from sinew_core.algorithms.state import Array, State, joined, part
from sinew_core.bundle.runtime import PolicyNetwork


@dataclass(frozen=True, kw_only=True)
class DDPGLosses:
    """What an update saw; zero-dimensional tensors, so that reading them is the reader's cost."""

    critic_loss: Tensor
    q_mean: Tensor


class DDPG:
    """Actor, critic and their slow targets."""

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        parameters: DDPGParameters,
        seed: int,
        device: torch.device = CPU,
    ) -> None:
        """Initialise the networks from `seed`."""
        self.parameters = parameters
        self._device = device
        generator = torch.Generator().manual_seed(seed)
        hidden = [parameters.hidden_units] * 2
        self.actor = MLP(
            [observation_size, *hidden, action_size],
            hidden_activation="relu",
            tanh_output=True,
            generator=generator,
            output_gain=0.1,
            device=device,
        )
        self.critic = MLP(
            [observation_size + action_size, *hidden, 1],
            hidden_activation="relu",
            tanh_output=False,
            generator=generator,
            device=device,
        )
        self.target_actor = self.actor.clone()
        self.target_critic = self.critic.clone()
        self._actor_optimiser = Adam(self.actor.parameters, parameters.actor_learning_rate)
        self._critic_optimiser = Adam(self.critic.parameters, parameters.critic_learning_rate)
        self._schedule = LinearSchedule(
            start=1.0,
            end=parameters.final_learning_rate_share,
            steps=parameters.learning_rate_updates,
        )
        self._action_size = action_size
        self._updates = self._frozen_updates = 0

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the actor's action (n,) in [-1, 1], without noise."""
        return to_array(self.actor.forward(to_device(observation, self._device)[None])[0])

    def exploring_network(self) -> PolicyNetwork:
        """Return the actor."""
        return actor_network(self.actor, self._action_size)

    def policy_network(self) -> PolicyNetwork:
        """Return the slow target actor, whose average over updates acts smoother."""
        return actor_network(self.target_actor, self._action_size)

    def update(self, batch: Transitions) -> DDPGLosses:
        """Take one gradient step on the critic, one on the actor when due, and move the targets."""
        observation = to_device(batch.observation, self._device)
        share = self._schedule(self._updates)
        self._actor_optimiser.learning_rate = share * self.parameters.actor_learning_rate
        self._critic_optimiser.learning_rate = share * self.parameters.critic_learning_rate
        losses = self._update_critic(batch, observation)
        self._updates += 1
        due = self._updates % self.parameters.actor_period == 0
        if due and self._updates > self._frozen_updates:
            self._update_actor(observation)
        rate = self.parameters.target_rate
        self.target_critic.parameters.lerp_(self.critic.parameters, rate)
        self.target_actor.parameters.lerp_(self.actor.parameters, rate)
        return losses

    def adopt(self, start: Start) -> None:
        """Begin with a deployed actor, which waits for the critic, and with known critics.

        Raises:
            ConfigError: the network has another form.
        """
        adopt_actor(self.actor, start.network)
        self.target_actor.parameters.copy_(self.actor.parameters)
        self._frozen_updates = start.frozen_updates
        if start.critic:
            self.critic.load_state(part(start.critic, "critic"))
            self.target_critic.load_state(part(start.critic, "target_critic"))

    def state(self) -> State:
        """Return all that later updates depend on."""
        parts = {name: thing.state() for name, thing in self._parts().items()}
        return {**joined(**parts), "updates": np.array(self._updates)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, thing in self._parts().items():
            thing.load_state(part(state, name))
        self._updates = int(state["updates"])

    def critic_targets(self, batch: Transitions) -> Tensor:
        """Return r + gamma Q'(s', mu'(s')), (batch, 1); no future counts where terminated."""
        next_observation = to_device(batch.next_observation, self._device)
        next_action = self.target_actor.forward(next_observation)
        next_value = self.target_critic.forward(torch.cat([next_observation, next_action], 1))
        reward = to_device(batch.reward, self._device)
        alive = 1.0 - to_device(batch.terminated, self._device)
        target = reward + self.parameters.gamma * alive * next_value[:, 0]
        return target[:, None]

    def _parts(self) -> dict[str, MLP | Adam]:
        return {
            "actor": self.actor,
            "critic": self.critic,
            "target_actor": self.target_actor,
            "target_critic": self.target_critic,
            "actor_optimiser": self._actor_optimiser,
            "critic_optimiser": self._critic_optimiser,
        }

    def _update_critic(self, batch: Transitions, observation: Tensor) -> DDPGLosses:
        target = self.critic_targets(batch)
        action = to_device(batch.action, self._device)
        value = self.critic.forward(torch.cat([observation, action], 1))
        error = value - target
        self.critic.backward(error * (2.0 / len(error)))
        self._critic_optimiser.step(self.critic.gradient)
        return DDPGLosses(critic_loss=error.square().mean(), q_mean=value.mean())

    def _update_actor(self, observation: Tensor) -> None:
        """Climb Q(s, mu(s)) by the chain rule: dQ/da of the critic goes back through the actor."""
        action = self.actor.forward(observation)
        value = self.critic.forward(torch.cat([observation, action], 1))
        down = torch.full_like(value, -1.0 / len(value))
        gradient = self.critic.input_gradient(down)[:, observation.shape[1] :]
        rest = rest_gradient(
            action,
            friction=self.parameters.action_friction,
            penalty=self.parameters.action_penalty,
        )
        self.actor.backward(gradient + rest)
        self._actor_optimiser.step(self.actor.gradient)
