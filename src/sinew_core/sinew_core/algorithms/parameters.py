"""Hyper-parameters of the algorithms, readable without torch."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter


@dataclass(frozen=True, kw_only=True)
class DDPGParameters(Parameters):
    """Hyper-parameters of DDPG with hindsight."""

    hidden_units: int = parameter(64, "units of each of the two hidden layers", minimum=1)
    actor_learning_rate: float = parameter(1e-3, "Adam step of the actor", minimum=0.0)
    critic_learning_rate: float = parameter(1e-3, "Adam step of the critic", minimum=0.0)
    learning_rate_updates: int = parameter(
        5000, "updates over which both Adam steps fall linearly", minimum=1
    )
    final_learning_rate_share: float = parameter(
        0.1, "share of the Adam steps that is left then", minimum=0.0, maximum=1.0
    )
    gamma: float = parameter(0.93, "discount of a control period", minimum=0.0, maximum=1.0)
    target_rate: float = parameter(
        0.01, "share of the online in the target networks per update", minimum=0.0, maximum=1.0
    )
    batch_size: int = parameter(256, "transitions of an update", minimum=1)
    actor_period: int = parameter(1, "critic updates for each actor update", minimum=1)
    action_penalty: float = parameter(
        0.3, "weight of the mean squared action in the actor's loss", minimum=0.0
    )
    action_friction: float = parameter(
        1.0, "weight of the mean absolute action in the actor's loss", minimum=0.0
    )
    replay_capacity: int = parameter(1_000_000, "transitions remembered", minimum=1)
    hindsight_fraction: float = parameter(
        0.8, "share of each batch judged by a target reached later", minimum=0.0, maximum=1.0
    )
    warmup_steps: int = parameter(500, "environment steps before learning", minimum=0)
    warmup_noise: float = parameter(
        0.4, "kick of the Ornstein-Uhlenbeck noise until then", minimum=0.0
    )
    updates_per_step: float = parameter(1.0, "updates for each environment step", minimum=0.0)
    noise: str = parameter(
        "gaussian", "exploration process", choices=("gaussian", "ornstein_uhlenbeck")
    )
    noise_start: float = parameter(0.5, "standard deviation of the noise at first", minimum=0.0)
    noise_end: float = parameter(0.5, "standard deviation of the noise at last", minimum=0.0)
    noise_steps: int = parameter(5000, "environment steps from first to last", minimum=1)


@dataclass(frozen=True, kw_only=True)
class PPOParameters(Parameters):
    """Hyper-parameters of PPO."""

    hidden_units: int = parameter(64, "units of each of the two hidden layers", minimum=1)
    learning_rate: float = parameter(1e-3, "Adam step of the actor at first", minimum=0.0)
    critic_learning_rate: float = parameter(3e-3, "Adam step of the critic", minimum=0.0)
    final_learning_rate: float = parameter(2e-4, "Adam step of the actor at last", minimum=0.0)
    learning_rate_steps: int = parameter(50_000, "steps from first to last", minimum=1)
    gamma: float = parameter(0.93, "discount of a control period", minimum=0.0, maximum=1.0)
    gae_lambda: float = parameter(0.9, "decay of advantages", minimum=0.0, maximum=1.0)
    clip_range: float = parameter(0.2, "bound of the ratio's change", minimum=0.0)
    epochs: int = parameter(10, "passes over each iteration's steps", minimum=1)
    minibatch_size: int = parameter(100, "steps of an update", minimum=2)
    episodes_per_iteration: int = parameter(8, "episodes collected by one policy", minimum=1)
    action_friction: float = parameter(
        0.8, "weight of the mean absolute action in the actor's loss", minimum=0.0
    )
    entropy_weight: float = parameter(0.0, "weight of the entropy bonus", minimum=0.0)
    maximum_gradient_norm: float = parameter(0.5, "bound of each network's gradient", minimum=0.0)
    initial_log_std: float = parameter(-0.7, "log of the deviation at first")
    normalise_observations: bool = parameter(False, "scale observations by running statistics")
