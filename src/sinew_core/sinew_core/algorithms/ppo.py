"""Proximal policy optimisation with a clipped surrogate (Schulman et al. 2017, equations 7 and 9).

The policy is a normal distribution around a tanh output, with one free log-deviation per action.
Actions are bounded honestly: the mean lies in [-1, 1], the sample enters the loss as drawn, the
environment gets it clipped, and the deployed policy is the mean.

Departures from the paper: actor and critic share nothing and their gradients are clipped apart;
advantages are normalised within each minibatch; observations are normalised by running statistics,
frozen while an iteration learns; the step size may fall linearly with the environment steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.networks import MLP, Adam
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.normaliser import Normaliser
from sinew_core.algorithms.parameters import PPOParameters
from sinew_core.algorithms.returns import generalised_advantages
from sinew_core.bundle.runtime import PolicyNetwork

Float = NDArray[np.float32]
OBSERVATION_CLIP = 10.0
FRICTION_KNEE = 0.05
"""Actions well below it cost their square, actions well above it their size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """Steps of whole episodes laid end to end; `action` (time, n) as drawn, before clipping."""

    observation: Float
    action: Float
    reward: Float
    next_observation: Float
    terminated: NDArray[np.bool_]
    episode_ends: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class PPOLosses:
    """Means over the minibatches of an iteration."""

    policy_loss: float
    value_loss: float
    approximate_kl: float
    clipped_share: float


class PPO:
    """Actor, critic, log-deviation and normaliser."""

    def __init__(
        self, observation_size: int, action_size: int, parameters: PPOParameters, seed: int
    ) -> None:
        """Initialise the networks and the order of minibatches from `seed`."""
        self.parameters = parameters
        self._generator = torch.Generator().manual_seed(seed)
        hidden = [parameters.hidden_units] * 2
        self.actor = MLP(
            [observation_size, *hidden, action_size],
            hidden_activation="tanh",
            tanh_output=True,
            generator=self._generator,
            output_gain=0.01,
        )
        self.critic = MLP(
            [observation_size, *hidden, 1],
            hidden_activation="tanh",
            tanh_output=False,
            generator=self._generator,
        )
        self.log_std = torch.full((action_size,), parameters.initial_log_std)
        self.normaliser = Normaliser(observation_size)
        rate = parameters.learning_rate
        self._actor_optimiser = Adam(self.actor.parameters, rate)
        self._deviation_optimiser = Adam(self.log_std, rate)
        self._critic_optimiser = Adam(self.critic.parameters, parameters.critic_learning_rate)
        self._schedule = LinearSchedule(
            start=rate, end=parameters.final_learning_rate, steps=parameters.learning_rate_steps
        )
        self._steps = 0
        self.updates = 0

    def act(self, observation: Float) -> Float:
        """Return the mean action (n,) in [-1, 1] for an observation (size,)."""
        action: Float = self.actor.forward(self._inputs(observation[None]))[0].numpy()
        return action

    def policy_network(self) -> PolicyNetwork:
        """Return the actor with its normaliser."""
        return PolicyNetwork(
            layers=self.actor.layers(),
            hidden_activation="tanh",
            output_activation="tanh",
            observation_mean=self.normaliser.mean,
            observation_std=self.normaliser.std,
            observation_clip=OBSERVATION_CLIP,
        )

    def update(self, steps: Steps) -> PPOLosses:
        """Learn from one iteration's steps, collected by the current policy."""
        observation = self._inputs(steps.observation)
        action = torch.from_numpy(steps.action)
        advantage, value_target = self._advantages(steps, observation)
        old_log_prob = log_probability(action, self.actor.forward(observation), self.log_std)
        self._steps += len(action)
        for optimiser in (self._actor_optimiser, self._deviation_optimiser):
            optimiser.learning_rate = self._schedule(self._steps)
        losses = []
        for _ in range(self.parameters.epochs):
            order = torch.randperm(len(action), generator=self._generator)
            for index in torch.split(order, self.parameters.minibatch_size):
                if len(index) > 1:
                    policy = self._update_actor(
                        observation[index], action[index], old_log_prob[index], advantage[index]
                    )
                    value = self._update_critic(observation[index], value_target[index])
                    self.updates += 1
                    losses.append((policy[0], value, *policy[1:]))
        if self.parameters.normalise_observations:
            self.normaliser.update(steps.observation)
        means = torch.tensor(losses).mean(0).tolist()
        return PPOLosses(
            policy_loss=means[0],
            value_loss=means[1],
            approximate_kl=means[2],
            clipped_share=means[3],
        )

    def _advantages(self, steps: Steps, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return advantages and value targets (time,)."""
        values = self.critic.forward(observation)[:, 0].numpy()
        next_values = self.critic.forward(self._inputs(steps.next_observation))[:, 0].numpy()
        advantages = generalised_advantages(
            steps.reward,
            values,
            next_values,
            steps.terminated,
            steps.episode_ends,
            gamma=self.parameters.gamma,
            lam=self.parameters.gae_lambda,
        )
        return torch.from_numpy(advantages), torch.from_numpy(advantages + values)

    def _update_actor(
        self, observation: Tensor, action: Tensor, old_log_prob: Tensor, advantage: Tensor
    ) -> tuple[float, float, float]:
        """Step once: autograd leads from the loss to the mean, the network from there on."""
        mean = self.actor.forward(observation).requires_grad_()
        log_std = self.log_std.clone().requires_grad_()
        log_ratio = log_probability(action, mean, log_std) - old_log_prob
        loss = clipped_surrogate(log_ratio, normalised(advantage), self.parameters.clip_range)
        friction = (mean.square() + FRICTION_KNEE**2).sqrt().mean()
        regular = self.parameters.action_friction * friction
        (loss + regular - self.parameters.entropy_weight * log_std.sum()).backward()  # type: ignore[no-untyped-call]  # torch
        assert mean.grad is not None
        assert log_std.grad is not None
        self.actor.backward(mean.grad)
        joint = torch.cat([self.actor.gradient, log_std.grad])
        clip_norm(joint, self.parameters.maximum_gradient_norm)
        self._actor_optimiser.step(joint[: -len(log_std)])
        self._deviation_optimiser.step(joint[-len(log_std) :])
        with torch.no_grad():
            ratio = log_ratio.exp()
            kl = (ratio - 1.0 - log_ratio).mean()
            clipped = ((ratio - 1.0).abs() > self.parameters.clip_range).float().mean()
        return float(loss.detach()), float(kl), float(clipped)

    def _update_critic(self, observation: Tensor, target: Tensor) -> float:
        error = self.critic.forward(observation)[:, 0] - target
        self.critic.backward(error[:, None] * (2.0 / len(error)))
        clip_norm(self.critic.gradient, self.parameters.maximum_gradient_norm)
        self._critic_optimiser.step(self.critic.gradient)
        return float(error.square().mean())

    def _inputs(self, observation: Float) -> Tensor:
        inputs = self.normaliser(torch.from_numpy(observation))
        return inputs.clamp_(-OBSERVATION_CLIP, OBSERVATION_CLIP)


def log_probability(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the log-density (batch,) of actions (batch, n), summed over their dimensions."""
    score = (action - mean) * torch.exp(-log_std)
    constant = 0.5 * math.log(2.0 * math.pi) * action.shape[1]
    return -0.5 * score.square().sum(1) - log_std.sum() - constant


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, clip_range: float) -> Tensor:
    """Return the negative of equation 7: the mean of min(r A, clip(r, 1 ± clip_range) A)."""
    ratio = log_ratio.exp()
    bounded = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
    return -torch.minimum(ratio * advantage, bounded * advantage).mean()


def normalised(advantage: Tensor) -> Tensor:
    """Return advantages (batch,) with mean 0 and deviation 1."""
    return (advantage - advantage.mean()) / (advantage.std() + 1e-8)


def clip_norm(gradient: Tensor, maximum: float) -> None:
    """Scale a flat gradient in place so that its Euclidean norm is at most `maximum`."""
    norm = float(gradient.norm())
    if norm > maximum:
        gradient.mul_(maximum / norm)
