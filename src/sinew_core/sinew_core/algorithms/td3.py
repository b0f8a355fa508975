"""Twin delayed deep deterministic policy gradient (Fujimoto et al. 2018, algorithm 1).

Departures from the paper: exploration is on a schedule, and before learning it wanders slowly
instead of being uniform; step sizes fall on a schedule; the target networks follow at every update,
also where the actor waits, as those of `ddpg.py`; actions may cost their size and square
(`rest_gradient`); the slow target actor is what is deployed.
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
from sinew_core.algorithms.parameters import TD3Parameters
from sinew_core.algorithms.replay import Transitions
from sinew_core.algorithms.state import Array, State, joined, part, tensors
from sinew_core.algorithms.twin_critic import TwinCritic
from sinew_core.bundle.runtime import PolicyNetwork


@dataclass(frozen=True, kw_only=True)
class TD3Losses:
    """What an update saw, of both critics; zero-dimensional tensors, cheap until they are read."""

    critic_loss: Tensor
    q_mean: Tensor


class TD3:
    """An actor, two critics and their slow targets."""

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        parameters: TD3Parameters,
        seed: int,
        device: torch.device = CPU,
    ) -> None:
        """Initialise the networks and the smoothing noise from `seed`."""
        self.parameters = parameters
        self._device = device
        self._generator = torch.Generator().manual_seed(seed)
        units = parameters.hidden_units
        self.actor = MLP(
            [observation_size, units, units, action_size],
            hidden_activation="relu",
            tanh_output=True,
            generator=self._generator,
            output_gain=0.1,
            device=device,
        )
        self.critics = TwinCritic(observation_size, action_size, units, self._generator, device)
        self.target_actor = self.actor.clone()
        self.target_critics = self.critics.clone()
        self._actor_optimiser = Adam(self.actor.parameters, parameters.actor_learning_rate)
        self._critic_optimiser = Adam(self.critics.parameters, parameters.critic_learning_rate)
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

    def update(self, batch: Transitions) -> TD3Losses:
        """Take one gradient step on the critics, one on the actor when due; move the targets."""
        observation = to_device(batch.observation, self._device)
        share = self._schedule(self._updates)
        self._actor_optimiser.learning_rate = share * self.parameters.actor_learning_rate
        self._critic_optimiser.learning_rate = share * self.parameters.critic_learning_rate
        losses = self._update_critics(batch, observation)
        self._updates += 1
        due = self._updates % self.parameters.actor_period == 0
        if due and self._updates > self._frozen_updates:
            self._update_actor(observation)
        rate = self.parameters.target_rate
        self.target_critics.parameters.lerp_(self.critics.parameters, rate)
        self.target_actor.parameters.lerp_(self.actor.parameters, rate)
        return losses

    def adopt(self, start: Start) -> None:
        """Begin with a deployed actor, which waits for the critics, and with known critics.

        Raises:
            ConfigError: the network has another form.
        """
        adopt_actor(self.actor, start.network)
        self.target_actor.parameters.copy_(self.actor.parameters)
        self._frozen_updates = start.frozen_updates
        if start.critic:
            self.critics.load_state(part(start.critic, "critics"))
            self.target_critics.load_state(part(start.critic, "target_critics"))

    def state(self) -> State:
        """Return all that later updates depend on."""
        parts = {name: thing.state() for name, thing in self._parts().items()}
        drawn = tensors(smoothing=self._generator.get_state())
        return {**joined(**parts), **drawn, "updates": np.array(self._updates)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, thing in self._parts().items():
            thing.load_state(part(state, name))
        self._generator.set_state(torch.from_numpy(np.asarray(state["smoothing"])))
        self._updates = int(state["updates"])

    def critic_targets(self, batch: Transitions, noise: Tensor) -> Tensor:
        """Return y = r + gamma min Q'(s', a'), (batch,); no future counts where terminated.

        a' = clip(mu'(s') + clip(target_noise e, ±target_noise_clip), ±1), for standard normal
        `noise` e (batch, n).
        """
        parameters, bound = self.parameters, self.parameters.target_noise_clip
        next_observation = to_device(batch.next_observation, self._device)
        smoothing = (noise * parameters.target_noise).clamp_(-bound, bound)
        next_action = (self.target_actor.forward(next_observation) + smoothing).clamp_(-1.0, 1.0)
        next_value = self.target_critics.values(next_observation, next_action).amin(0)
        reward = to_device(batch.reward, self._device)
        alive = 1.0 - to_device(batch.terminated, self._device)
        return reward + parameters.gamma * alive * next_value

    def _parts(self) -> dict[str, MLP | TwinCritic | Adam]:
        return {
            "actor": self.actor,
            "critics": self.critics,
            "target_actor": self.target_actor,
            "target_critics": self.target_critics,
            "actor_optimiser": self._actor_optimiser,
            "critic_optimiser": self._critic_optimiser,
        }

    def _update_critics(self, batch: Transitions, observation: Tensor) -> TD3Losses:
        action = to_device(batch.action, self._device)
        noise = torch.randn(action.shape, generator=self._generator).to(self._device)
        target = self.critic_targets(batch, noise)
        value = self.critics.values(observation, action)
        error = value - target
        self.critics.backward(error * (2.0 / len(target)))
        self._critic_optimiser.step(self.critics.gradient)
        return TD3Losses(critic_loss=error.square().mean(), q_mean=value.mean())

    def _update_actor(self, observation: Tensor) -> None:
        """Climb Q1(s, mu(s)) by the chain rule: dQ1/da goes back through the actor."""
        parameters = self.parameters
        action = self.actor.forward(observation)
        down = torch.zeros_like(self.critics.values(observation, action))
        down[0] = -1.0 / len(action)
        rest = rest_gradient(
            action, friction=parameters.action_friction, penalty=parameters.action_penalty
        )
        self.actor.backward(self.critics.action_gradient(down) + rest)
        self._actor_optimiser.step(self.actor.gradient)
