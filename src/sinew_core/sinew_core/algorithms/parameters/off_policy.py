"""What the off-policy algorithms share: replay, hindsight, warm-up, actor, critic and noise."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.errors import ConfigError
from sinew_core.parameters import Parameters, parameter


@dataclass(frozen=True, kw_only=True)
class OffPolicyParameters(Parameters):
    """Replay, hindsight, and how much is learned from each step."""

    batch_size: int = parameter(256, "transitions of an update", minimum=1)
    replay_capacity: int = parameter(1_000_000, "transitions remembered", minimum=1)
    hindsight_fraction: float = parameter(
        0.8, "share of each batch judged by a target reached later", minimum=0.0, maximum=1.0
    )
    warmup_steps: int = parameter(500, "environment steps before learning", minimum=0)
    updates_per_step: float = parameter(1.0, "updates for each environment step", minimum=0.0)

    def refuse_longer(self, episode_steps: int) -> None:
        """Refuse episodes that the replay memory could not hold.

        Raises:
            ConfigError: for one of more than `replay_capacity` steps.
        """
        if episode_steps > self.replay_capacity:
            raise ConfigError(
                f"replay_capacity is {self.replay_capacity}: an episode of {episode_steps} steps "
                f"does not fit: give at least {episode_steps}"
            )


@dataclass(frozen=True, kw_only=True)
class ActorCriticParameters(OffPolicyParameters):
    """Networks, their steps and targets, and what keeps the actor at rest."""

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
    action_penalty: float = parameter(
        0.3, "weight of the mean squared action in the actor's loss", minimum=0.0
    )
    action_friction: float = parameter(
        1.0, "weight of the mean absolute action in the actor's loss", minimum=0.0
    )
    warmup_noise: float = parameter(
        0.4, "kick of the Ornstein-Uhlenbeck noise before learning", minimum=0.0
    )


@dataclass(frozen=True, kw_only=True)
class NoisyActorParameters(ActorCriticParameters):
    """Noise around the action of a deterministic actor."""

    actor_period: int = parameter(1, "critic updates for each actor update", minimum=1)
    noise: str = parameter(
        "gaussian",
        "exploration process; ornstein_uhlenbeck adds up kicks, and deviates 1.9 times as much",
        choices=("gaussian", "ornstein_uhlenbeck"),
    )
    noise_start: float = parameter(
        0.5, "standard deviation of the noise at first; ornstein_uhlenbeck: of a kick", minimum=0.0
    )
    noise_end: float = parameter(
        0.5, "standard deviation of the noise at last; ornstein_uhlenbeck: of a kick", minimum=0.0
    )
    noise_steps: int = parameter(5000, "environment steps from first to last", minimum=1)
