"""Deep Q-network (Mnih et al. 2015, algorithm 1), with the double estimator (van Hasselt 2016).

Departures from the paper: observations are vectors, so that the network is a perceptron; Adam in
place of RMSProp, on a step size that may fall; the error is clipped as the paper does, which is the
Huber loss, and the gradient's norm may be too; the target network may follow softly in place of
being copied, and is then what is deployed; the share of random actions falls with the environment
steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.device import CPU, to_array, to_device
from sinew_core.algorithms.networks import MLP, Adam, clip_norm
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.parameters import DQNParameters
from sinew_core.algorithms.replay import Transitions
from sinew_core.algorithms.state import Array, State, joined, part
from sinew_core.bundle.runtime import PolicyNetwork

HUBER_KNEE = 1.0
"""Errors below it cost half their square, errors above it their size less a half."""


@dataclass(frozen=True, kw_only=True)
class DQNLosses:
    """What an update saw; zero-dimensional tensors, so that reading them is the reader's cost."""

    loss: Tensor
    q_mean: Tensor


class DQN:
    """Q of each discrete action, and its slow target."""

    def __init__(
        self,
        observation_size: int,
        choices: NDArray[np.float32],
        parameters: DQNParameters,
        seed: int,
        device: torch.device = CPU,
    ) -> None:
        """Initialise the networks from `seed`; `choices` (k, n) holds the discrete actions."""
        self.parameters = parameters
        self._device = device
        self._choices = choices
        hidden = [parameters.hidden_units] * 2
        self.q = MLP(
            [observation_size, *hidden, len(choices)],
            hidden_activation="relu",
            tanh_output=False,
            generator=torch.Generator().manual_seed(seed),
            device=device,
        )
        self.target_q = self.q.clone()
        self._optimiser = Adam(self.q.parameters, parameters.learning_rate)
        self._schedule = LinearSchedule(
            start=parameters.learning_rate,
            end=parameters.learning_rate * parameters.final_learning_rate_share,
            steps=parameters.learning_rate_updates,
        )
        self._updates = 0

    def exploring_network(self) -> PolicyNetwork:
        """Return the greedy policy of the online network."""
        return greedy_network(self.q, self._choices)

    def policy_network(self) -> PolicyNetwork:
        """Return the greedy policy of a soft target, an average over updates, else of Q itself."""
        soft = self.parameters.target_rate < 1.0
        return greedy_network(self.target_q if soft else self.q, self._choices)

    def values(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return Q (batch, k) of observations (batch, size)."""
        return to_array(self.q.forward(to_device(observation, self._device)))

    def update(self, batch: Transitions) -> DQNLosses:
        """Take one gradient step, and move the target network when it is due."""
        parameters = self.parameters
        index = to_device(batch.action, self._device).long()
        with torch.no_grad():
            target = self.targets(batch)
            q = self.q.forward(to_device(batch.observation, self._device))
            chosen = q.gather(1, index)[:, 0]
            error = chosen - target
            by_q = torch.zeros_like(q).scatter_(1, index, huber_gradient(error)[:, None])
            self.q.backward(by_q)
            clip_norm(self.q.gradient, parameters.maximum_gradient_norm)
            self._optimiser.learning_rate = self._schedule(self._updates)
            self._optimiser.step(self.q.gradient)
            self._updates += 1
            if self._updates % parameters.target_period == 0:
                self.target_q.parameters.lerp_(self.q.parameters, parameters.target_rate)
        return DQNLosses(loss=huber(error), q_mean=chosen.mean())

    def targets(self, batch: Transitions) -> Tensor:
        """Return r + gamma Q'(s', a') (batch,), a' the best by Q' or, if double, by Q."""
        following = to_device(batch.next_observation, self._device)
        values = self.target_q.forward(following)
        if self.parameters.double:
            best = self.q.forward(following).argmax(1, keepdim=True)
            future = values.gather(1, best)[:, 0]
        else:
            future = values.amax(1)
        reward = to_device(batch.reward, self._device)
        alive = 1.0 - to_device(batch.terminated, self._device)
        return reward + self.parameters.gamma * alive * future

    def state(self) -> State:
        """Return all that later updates depend on."""
        parts = {name: thing.state() for name, thing in self._parts().items()}
        return {**joined(**parts), "updates": np.array(self._updates)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, thing in self._parts().items():
            thing.load_state(part(state, name))
        self._updates = int(state["updates"])

    def _parts(self) -> dict[str, MLP | Adam]:
        return {"q": self.q, "target_q": self.target_q, "optimiser": self._optimiser}


def huber(error: Tensor) -> Tensor:
    """Return the mean of e^2 / 2 below the knee, and |e| - 1/2 above it."""
    size = error.abs()
    return torch.where(size < HUBER_KNEE, 0.5 * error.square(), size - 0.5 * HUBER_KNEE).mean()


def huber_gradient(error: Tensor) -> Tensor:
    """Return the gradient (batch,) of `huber` by the error: the error itself, clipped."""
    return error.clamp(-HUBER_KNEE, HUBER_KNEE) / len(error)


def greedy_network(q: MLP, choices: NDArray[np.float32]) -> PolicyNetwork:
    """Return the policy that takes the best of `choices` (k, n)."""
    size = q.sizes[0]
    return PolicyNetwork(
        layers=q.layers(),
        hidden_activation=q.hidden_activation,
        output_activation="argmax",
        observation_mean=np.zeros(size, dtype=np.float32),
        observation_std=np.ones(size, dtype=np.float32),
        choices=choices,
    )
