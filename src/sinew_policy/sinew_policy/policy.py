"""The policy node: joint states and a target to commands, by a policy bundle.

A managed node, see `sinew_ros.managed`; by default it configures and activates itself. While it is
configured it subscribes `joint_states`, `target_pose` and, for a policy that sees an object,
`object_pose`, and publishes `policy/command` when active; `diagnostics` it publishes always. Joint
states may come in parts, from drivers with clocks of their own: a command has the stamp of the part
whose stamp is the oldest, by which the safety filter judges it, too. The parameter
`bundle` may be set at any time: a configured node loads and verifies the bundle beside its loop,
and either goes on with it at the next decision or refuses it with the reason.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Mapping, Sequence

from rcl_interfaces.msg import Parameter, ParameterType

from sinew_core.errors import ConfigError, SinewError
from sinew_core.parameters import Parameters
from sinew_policy.decider import Decider
from sinew_policy.loading import Policy, load_policy
from sinew_policy.parameters import PolicyParameters
from sinew_ros.background import Background, prepare_changes
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import run_node
from sinew_ros.managed import ManagedNode
from sinew_ros.parameters import declare_from
from sinew_ros.settable import Settable


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Prepared:
    """What loading a bundle came to, as the successor of one that was running then."""

    folder: str
    running: Policy
    outcome: Policy | SinewError


class PolicyNode(ManagedNode):
    """Decides at the control rate; publishes nothing before a fresh state and a target."""

    def __init__(self) -> None:
        """Declare the parameters and, unless that is left to others, configure and activate.

        Raises:
            SinewError: for bad parameters, a bad bundle, or a bundle that does not fit the robot.
        """
        super().__init__("policy")
        self._p = parameters = declare_from(self, PolicyParameters)
        self.urgent = parameters.pace != "lockstep"
        self._decider: Decider | None = None
        self._prepared: _Prepared | None = None
        self._swaps = 0
        self._background = Background(self)
        prepare_changes(self, self._prepare)
        self._diagnostics = Diagnostics(self, self._report)
        if parameters.autostart:
            self.start()
        self.settable = Settable(
            {"": parameters},
            check=self._check_change,
            apply=self._apply_change,
            reasons={"": "the node was built for it"},
        )

    def configure(self) -> None:
        """Load the bundle, refuse one that does not fit, and open the topics."""
        if not self._p.bundle:
            raise ConfigError("bundle is empty: set it to the folder of a policy bundle")
        policy = load_policy(self._p, self._p.bundle)
        self._tell(policy)
        self._decider = Decider(self, self._p, policy, self.changed)

    def activate(self) -> None:
        """Begin to send commands."""
        if self._decider is not None:
            self._decider.activate()

    def deactivate(self) -> None:
        """Send no more commands; the safety filter does what it does without."""
        if self._decider is not None:
            self._decider.deactivate()

    def clean_up(self) -> None:
        """Close the topics and forget the bundle."""
        if self._decider is not None:
            self._decider.close()
        self._decider = self._prepared = None

    def changed(self) -> None:
        """Report at once."""
        self._diagnostics.changed()

    async def _prepare(self, changes: Sequence[Parameter]) -> None:
        """Load a bundle that is to follow the running one, while that one goes on."""
        for change in changes:
            folder = change.value.string_value
            is_text = change.value.type == ParameterType.PARAMETER_STRING
            if change.name == "bundle" and is_text and self._decider is not None:
                running = self._decider.policy
                load = functools.partial(_outcome, self._p, folder, running)
                outcome = await self._background.run(load)
                self._prepared = _Prepared(folder=folder, running=running, outcome=outcome)

    def _check_change(self, declared: Mapping[str, Parameters]) -> None:
        """Refuse a bundle that the running graph cannot go on with.

        Raises:
            SinewError: with the reason.
        """
        if self.lifecycle == "finalized":
            raise ConfigError("bundle: the node is finalized: start it again with another one")
        if self._decider is not None:
            self._successor(_own(declared).bundle, self._decider.policy)

    def _apply_change(self, declared: Mapping[str, Parameters]) -> None:
        self._p = parameters = _own(declared)
        if self._decider is None:
            return
        policy = self._successor(parameters.bundle, self._decider.policy)
        self._decider.swap(policy)
        self._prepared = None
        self._swaps += 1
        self._tell(policy)
        self.changed()

    def _successor(self, folder: str, running: Policy) -> Policy:
        """Return what was loaded beside the loop; where nothing was for this, load it now.

        Raises:
            SinewError: the bundle is bad or does not fit.
        """
        ready = self._prepared
        if ready is None or ready.folder != folder or ready.running is not running:
            outcome = _outcome(self._p, folder, running)
            ready = self._prepared = _Prepared(folder=folder, running=running, outcome=outcome)
        if isinstance(ready.outcome, SinewError):
            self._prepared = None
            raise ready.outcome
        return ready.outcome

    def _tell(self, policy: Policy) -> None:
        for remark in policy.remarks:
            self.get_logger().warning(f"bundle and robot differ: {remark}")

    def _report(self) -> Status:
        values: dict[str, object] = {"lifecycle": self.lifecycle, "swaps": self._swaps}
        decider = self._decider
        if decider is None:
            text = f"{self.lifecycle}: {self.refusal or 'no command is sent'}"
            return Level.WARN, text, {"bundle": self._p.bundle, **values}
        bundle = decider.policy.bundle
        level, text = decider.status()
        if not decider.active:
            level, text = Level.WARN, "inactive: no command is sent"
        return (
            level,
            text,
            {
                "robot": bundle.manifest.robot,
                "bundle": str(bundle.folder),
                "bundle_sha256": bundle.fingerprint,
                "algorithm": bundle.manifest.algorithm,
                **decider.values(),
                **values,
            },
        )


def _outcome(parameters: PolicyParameters, folder: str, running: Policy) -> Policy | SinewError:
    try:
        return load_policy(parameters, folder, running)
    except SinewError as error:
        return error
    except Exception as error:  # a running policy must outlive whatever a folder holds
        return ConfigError(f"bundle {folder} cannot be loaded: {error!r}: the running one goes on")


def _own(declared: Mapping[str, Parameters]) -> PolicyParameters:
    parameters = declared[""]
    assert isinstance(parameters, PolicyParameters)
    return parameters


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(PolicyNode, args)


if __name__ == "__main__":
    sys.exit(main())
