"""What a running safety filter was told: the rates and limits that a policy is trained under."""

from __future__ import annotations

import time
from collections.abc import Callable

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.task import Future

from sinew_core.errors import RunError
from sinew_core.parameters import describe
from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters

_RATES = tuple(name for name, _, _ in describe(Rates))
_OWN = ("mode", "joint_prefix", "shadow")
_NAMES = (*_OWN, *_RATES, *(f"safety.{name}" for name, _, _ in describe(SafetyParameters)))
_ANSWER_WITHIN_S = 3.0


class FilterSettings:
    """Asks a safety filter for its parameters, again when no answer comes."""

    def __init__(self, node: Node, safety_filter: str, patience_s: float) -> None:
        """Ask as soon as it is there."""
        self._node, self._patience_s = node, patience_s
        self._client = node.create_client(GetParameters, f"{safety_filter}/get_parameters")
        self._since_s = time.monotonic()
        self._asked_s = -_ANSWER_WITHIN_S
        self._asked: Future | None = None

    def poll(self, take: Callable[[dict[str, object]], None]) -> bool:
        """Give the answer, nested as a run's configuration, to `take` once; tell whether it was.

        Raises:
            RunError: the filter does not answer.
        """
        now_s = time.monotonic()
        if self._asked is not None and self._asked.done():
            values = self._asked.result().values
            self._node.destroy_client(self._client)
            take(_nested(dict(zip(_NAMES, map(parameter_value_to_python, values), strict=True))))
            return True
        if now_s - self._since_s > self._patience_s:
            raise RunError(
                f"no answer of {self._client.srv_name} after {self._patience_s:.0f} s: "
                "is the safety filter running?"
            )
        if now_s - self._asked_s > _ANSWER_WITHIN_S and self._client.service_is_ready():
            self._asked = self._client.call_async(GetParameters.Request(names=_NAMES))
            self._asked_s = now_s
        return False


def _nested(values: dict[str, object]) -> dict[str, object]:
    """Return the filter's own, `rates` and `safety`; what is not set stays at its default."""
    known = {name: list(v) if isinstance(v, (list, tuple)) else v for name, v in values.items()}
    return {
        **{name: known[name] for name in _OWN},
        "rates": {name: known[name] for name in _RATES},
        "safety": {
            name.removeprefix("safety."): value
            for name, value in known.items()
            if name.startswith("safety.") and value is not None
        },
    }
