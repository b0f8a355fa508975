"""A managed node: configured, activated and put away by `~/change_state`, as ROS 2 defines it.

The states, services and events are rclpy's own. rclpy lets a request for a transition that is not
possible end the process, and keeps the reason of a failed one to itself; here the first is answered
with `success: false`, and both are logged.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from lifecycle_msgs.srv import ChangeState
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn

from sinew_core.errors import ConfigError, SinewError
from sinew_ros.main import SinewNode

Change = Callable[[ChangeState.Request, ChangeState.Response], ChangeState.Response]


class ManagedNode(LifecycleNodeMixin, SinewNode):  # type: ignore[misc]  # rclpy is untyped
    """A node with four steps to override; a `SinewError` of one refuses the transition.

    Attributes:
        refusal: why the last transition was refused; None if it was not.
    """

    refusal: SinewError | None = None

    def __init__(self, name: str) -> None:
        """Begin unconfigured."""
        SinewNode.__init__(self, name)  # type: ignore[call-arg]  # rclpy is untyped
        LifecycleNodeMixin.__init__(self)
        for service in self.services:
            if service.srv_type is ChangeState:
                service.callback = self._surviving(service.callback)

    @property
    def lifecycle(self) -> str:
        """The present state: unconfigured, inactive, active, finalized, or a transition."""
        return str(self._state_machine.current_state[1])

    def configure(self) -> None:
        """Get ready: read, check, open topics."""

    def activate(self) -> None:
        """Begin the work."""

    def deactivate(self) -> None:
        """Pause it; all stays ready."""

    def clean_up(self) -> None:
        """Undo what `configure` did, as far as it got."""

    def changed(self) -> None:
        """Take note that a transition has ended."""

    def start(self) -> None:
        """Configure and activate at once.

        Raises:
            SinewError: that of the step that refused.
        """
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise self.refusal or ConfigError("the node failed to start: see its log")

    def on_configure(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Run `configure`."""
        return self._run(self.configure)

    def on_activate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Run `activate`."""
        return self._run(self.activate)

    def on_deactivate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Run `deactivate`."""
        return self._run(self.deactivate)

    def on_cleanup(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Run `clean_up`."""
        return self._run(self.clean_up)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back as far as the node has come."""
        if state.label == "active":
            self._run(self.deactivate)
        return self._run(self.clean_up)

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to the beginning, after a step that failed by a mistake of ours."""
        self._run(self.deactivate)
        return self._run(self.clean_up)

    def _run(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        self.refusal = None
        try:
            step()
        except SinewError as error:
            self.refusal = error
            return TransitionCallbackReturn.FAILURE
        except Exception:  # rclpy would drop it without a word
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _surviving(self, change: Change) -> Change:
        """Return a callback that answers every request."""

        def answer(
            request: ChangeState.Request, response: ChangeState.Response
        ) -> ChangeState.Response:
            self.refusal = None
            try:
                response = change(request, response)
                reason = str(self.refusal or "")
            except rclpy_implementation.RCLError:
                response.success, reason = False, ""
            if not response.success:
                self.get_logger().error(reason or self._impossible(request))
            self.changed()
            return response

        return answer

    def _impossible(self, request: ChangeState.Request) -> str:
        asked = request.transition.label or request.transition.id
        possible = [label for _, label, *_ in self._state_machine.available_transitions]
        allowed = f"choose one of {', '.join(possible)}" if possible else "there is none any more"
        return f"transition {asked} is not possible in state {self.lifecycle}: {allowed}"
