"""From joint state and target to command, tick by tick, as the environment does it in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sinew_core.action import ActionDecoder
from sinew_core.bundle.reader import Bundle
from sinew_core.observation import Observation, ObservationBuilder, Signals
from sinew_core.rates import is_tick
from sinew_core.robots.kinematics import KinematicChain

_NS_PER_S = 1_000_000_000
_EPOCH_JUMP_NS = _NS_PER_S
_ROUNDING_NS = 50_000
"""Of the periods of rates such as 30 Hz, well below the period of joint states."""
_LONGEST_GAP_PERIODS = 2.5
"""After a longer gap the safety filter has begun to brake: the last action is out of force."""


class StampEpochs:
    """Tells from the stamps of joint states, one after another, where their clock has jumped."""

    def __init__(self, late_ns: int) -> None:
        """Begin; a state may come after another one that is newer by `late_ns`."""
        self._late_ns = late_ns
        self._last_ns: int | None = None

    def begins(self, stamp_ns: int) -> bool:
        """Take the next stamp; tell whether it is before the last one, or over 1 s after it."""
        last_ns, self._last_ns = self._last_ns, stamp_ns
        return last_ns is not None and _jumps(last_ns, stamp_ns, self._late_ns)


class ControlTicks:
    """Tells from stamps alone at which joint states the policy decides.

    In lockstep these are the multiples of the control period, else the first state from each on.
    Where the driver sends one state in each control period, its jitter would put two into one
    period now and then, and so leave one out: there a state is due up to half a period early, as
    long as all of them together are not more than that ahead of the control rate.
    """

    def __init__(
        self, control_rate_hz: int, *, lockstep: bool, state_rate_hz: int | None = None
    ) -> None:
        """Take the control rate, and that of the joint states in Hz where it is known."""
        self.period_ns = _NS_PER_S // control_rate_hz
        self._lockstep = lockstep
        self._one_each = state_rate_hz == control_rate_hz
        self._ahead_ns = 0
        self._last_ns: int | None = None

    def is_due(self, stamp_ns: int) -> bool:
        """Tell whether the state of this stamp is to be answered; it may be asked repeatedly."""
        if self._lockstep:
            return is_tick(stamp_ns, self.period_ns)
        if self._last_ns is None or _jumps(self._last_ns, stamp_ns, self.period_ns):
            return True
        if stamp_ns // self.period_ns > self._last_ns // self.period_ns:
            return True
        early_ns = self.period_ns - (stamp_ns - self._last_ns)
        return self._one_each and max(early_ns, self._ahead_ns + early_ns) <= self.period_ns // 2

    def answered(self, stamp_ns: int) -> bool:
        """Record a decision; return whether the one before it is still in force."""
        last_ns, self._last_ns = self._last_ns, stamp_ns
        if last_ns is None:
            return False
        elapsed_ns = stamp_ns - last_ns
        ahead_ns = self._ahead_ns + self.period_ns - elapsed_ns
        self._ahead_ns = max(0, ahead_ns) if elapsed_ns > 0 else 0
        if self._lockstep:
            # A reset of the simulation leaves the last state unanswered, hence a longer gap.
            return abs(elapsed_ns - self.period_ns) < _ROUNDING_NS
        return 0 < elapsed_ns <= _LONGEST_GAP_PERIODS * self.period_ns


def _jumps(last_ns: int, stamp_ns: int, late_ns: int) -> bool:
    return not -late_ns <= stamp_ns - last_ns <= _EPOCH_JUMP_NS


class PolicyController:
    """Runs a bundle's policy on signals; the observation and the command are reused arrays.

    Attributes:
        signals: What `decide` last saw.
        sees_object: Whether `decide` needs the pose of an object.
        observation: (size,) float32, what the policy last saw.
        unusual: Names of the observation fields that were last far outside the training range.
    """

    def __init__(self, bundle: Bundle, chain: KinematicChain, *, unusual_std: float = 5.0) -> None:
        """Prepare for a robot's kinematics.

        Args:
            bundle: What to run.
            chain: Kinematics of the robot, in the bundle's joint order.
            unusual_std: Distance from the normaliser's mean, in its standard deviations, from which
                an observation counts as outside the training range.
        """
        specification = bundle.specification
        self._policy = bundle.policy
        self._builder = ObservationBuilder(specification.observation, chain)
        self.sees_object = self._builder.sees_object
        action = specification.action
        self._decoder = ActionDecoder(action, chain)
        self.signals = Signals(action.n_joints, action.size)
        self.observation: Observation = np.zeros(specification.observation.size, np.float32)
        self.unusual: tuple[str, ...] = ()
        self._followed = False
        self._action = np.zeros(action.size, np.float32)
        self._command = np.zeros(action.n_joints)
        network = bundle.network
        self._lowest = network.observation_mean - unusual_std * network.observation_std
        self._highest = network.observation_mean + unusual_std * network.observation_std

    def forget(self) -> None:
        """Start as in a new episode: the previous action is zero, an object has not moved."""
        self.signals.previous_action[:] = 0.0
        self._followed = False

    def follow(self, other: PolicyController) -> None:
        """Go on where another controller stopped, as if the last command had been this one's.

        Where both have the same action mode, the previous action becomes the one that asked for the
        same in this one's scale. Another mode has no such action: it is zero, as in a new episode.
        """
        mine, theirs = self._decoder.spec, other._decoder.spec
        action, last = self.signals.previous_action, other.signals.previous_action
        if mine.mode == theirs.mode and len(action) == len(last):
            ratio = np.array(theirs.scale) / np.array(mine.scale)
            np.clip(last * ratio, -1.0, 1.0, out=action)
        else:
            action[:] = 0.0
        for name in ("object_position_base", "object_axis_base", "object_displacement_base"):
            getattr(self.signals, name)[:] = getattr(other.signals, name)
        self._followed = other._followed

    def decide(
        self,
        position_rad: Sequence[float],
        velocity_rad_s: Sequence[float],
        target_position_base: Sequence[float],
        object_pose: Sequence[float] = (),
    ) -> NDArray[np.float64]:
        """Return the command (n,): rad/s, rad or N m by the command mode of the bundle's action.

        A command that is not finite is for the caller to keep back; the next one begins anew.

        Args:
            position_rad: (n,), finite.
            velocity_rad_s: (n,), finite.
            target_position_base: (3,) m, finite.
            object_pose: (7,) m and quaternion, see `Signals.follow_object`; unused where the
                policy sees no object.
        """
        signals = self.signals
        signals.joint_position[:] = position_rad
        signals.joint_velocity[:] = velocity_rad_s
        signals.target_position_base[:] = target_position_base
        if self.sees_object:
            signals.follow_object(object_pose, moving=self._followed)
            self._followed = True
        observation = self._builder.build(signals, self.observation)
        action = self._policy.act(observation, self._action)
        command = self._decoder.decode(
            action, signals.joint_position, signals.joint_velocity, self._command
        )
        if np.isfinite(command).all():
            signals.previous_action[:] = self._decoder.action
        else:
            self.forget()  # as previous action it would make every later decision NaN, too
        self._judge(observation)
        return command

    def _judge(self, observation: Observation) -> None:
        outside = (observation < self._lowest) | (observation > self._highest)
        if not outside.any():
            self.unusual = ()
            return
        spec = self._builder.spec
        self.unusual = tuple(name for name in spec.names if outside[spec.slice(name)].any())
