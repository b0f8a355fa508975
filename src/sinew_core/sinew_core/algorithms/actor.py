"""What the actors of the continuous algorithms share: their pull to rest, and their deployment."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sinew_core.algorithms.networks import MLP
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import ConfigError


def rest_gradient(
    action: Tensor, *, friction: float, penalty: float = 0.0, knee: float = 0.02
) -> Tensor:
    """Return the gradient (batch, n) of mean(penalty a^2 + friction (sqrt(a^2 + knee^2) - knee)).

    Friction lets an arm rest at its target: without it a policy is indifferent to small actions,
    and they keep the joints moving. Actions well below the knee cost their square, actions well
    above it their size. The penalty keeps tanh from saturating (Andrychowicz et al. 2017, appendix
    A).
    """
    pull = (action.square() + knee**2).rsqrt_().mul_(friction).add_(2.0 * penalty)
    return pull.mul_(action).div_(action.numel())


def actor_network(actor: MLP, action_size: int) -> PolicyNetwork:
    """Return the actor as it is deployed: tanh of its first `action_size` outputs."""
    size = actor.sizes[0]
    *hidden, (weight, bias) = actor.layers()
    return PolicyNetwork(
        layers=(*hidden, (weight[:action_size], bias[:action_size])),
        hidden_activation=actor.hidden_activation,
        output_activation="tanh",
        observation_mean=np.zeros(size, dtype=np.float32),
        observation_std=np.ones(size, dtype=np.float32),
    )


def adopt_actor(actor: MLP, network: PolicyNetwork) -> None:
    """Give a tanh actor the weights of a deployed one, its normaliser folded into the first layer.

    Raises:
        ConfigError: sizes or activations differ, or the network bounds what it sees.
    """
    form = (network.layer_sizes, network.hidden_activation, network.output_activation)
    wanted = (actor.sizes, actor.hidden_activation, "tanh")
    if form != wanted or network.observation_clip is not None:
        raise ConfigError(
            f"bundle has an actor {form}, clip {network.observation_clip}; the learner's is "
            f"{wanted}, clip None: take the algorithm and hidden_units that the bundle was made by"
        )
    (weight, bias), *rest = network.layers
    weight = weight / network.observation_std
    bias = bias - weight @ network.observation_mean
    flat = [np.concatenate([w.ravel(), b]) for w, b in ((weight, bias), *rest)]
    actor.parameters.copy_(torch.from_numpy(np.concatenate(flat)))
