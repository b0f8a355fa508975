"""ROS parameters from parameter dataclasses: declared once, validated as a whole.

All are read-only but those that their class marks as settable: see `settable`.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from sinew_core.errors import ConfigError, suggest
from sinew_core.parameters import FieldInfo, Parameters, describe

P = TypeVar("P", bound=Parameters)

_OWN_TO_RCLPY = ("use_sim_time", "start_type_description_service")
_INT64_MAX = 2**63 - 1


def declare_from(node: Node, parameters_class: type[P]) -> P:
    """Declare every field of one parameter class and return the validated instance.

    Raises:
        ConfigError: for unknown overrides (with a suggestion) and for every violation at once.
    """
    declarations = Declarations(node)
    parameters = declarations.declare(parameters_class)
    declarations.finish()
    return parameters


class Declarations:
    """Declare several parameter classes on one node, each with its own prefix, then `finish`.

    Attributes:
        declared: the instance of each class by its prefix.

    Example:
        declarations = Declarations(node)
        own = declarations.declare(FilterNodeParameters)
        safety = declarations.declare(SafetyParameters, prefix="safety")
        declarations.finish()
    """

    def __init__(self, node: Node) -> None:
        """Read the overrides that parameter files and the command line gave to `node`."""
        self._node = node
        with node.handle:
            overrides = node.handle.get_parameters(Parameter)
        self._overrides: dict[str, object] = {
            name: given.value
            for name, given in overrides.items()
            if name not in _OWN_TO_RCLPY and not name.startswith("qos_overrides.")
        }
        self.declared: dict[str, Parameters] = {}
        self._known: list[str] = []
        self._problems: list[str] = []

    def declare(self, parameters_class: type[P], *, prefix: str = "") -> P:
        """Declare one class; its instance holds the defaults where `finish` is going to refuse.

        Raises:
            ConfigError: at once, where the class has no defaults that it accepts.
        """
        start = f"{prefix}." if prefix else ""
        fields = describe(parameters_class)
        names = [name for name, _, _ in fields]
        self._known.extend(start + name for name in names)
        given = {n: self._overrides[start + n] for n in names if start + n in self._overrides}
        try:
            parameters = parameters_class.from_mapping(given, source=self._source(prefix))
        except ConfigError as error:
            self._problems.append(str(error))
            with contextlib.suppress(ConfigError):
                return parameters_class()
            # Without what is required there is no instance to go on with.
            raise ConfigError("; ".join(self._problems)) from None
        for name, info, _ in fields:
            value = getattr(parameters, name)
            self._node.declare_parameter(
                start + name,
                list(value) if isinstance(value, tuple) else value,
                descriptor(name, info, integer=isinstance(value, int)),
                ignore_override=True,
            )
        self.declared[prefix] = parameters
        return parameters

    def finish(self) -> None:
        """Refuse what no class declared.

        Raises:
            ConfigError: one line with every unknown override and every violation found.
        """
        for name in sorted(set(self._overrides) - set(self._known)):
            self._problems.append(f"unknown parameter '{name}': {suggest(name, self._known)}")
        if self._problems:
            raise ConfigError("; ".join(self._problems))

    def _source(self, prefix: str) -> str:
        return f"parameters '{prefix}'" if prefix else "parameters"


def descriptor(name: str, info: FieldInfo, *, integer: bool) -> ParameterDescriptor:
    """Describe a field to ROS tools: unit, choices, inclusive range, read-only or not."""
    unit = f" [{info.unit}]" if info.unit else ""
    described = ParameterDescriptor(
        name=name,
        description=f"{info.description}{unit}",
        additional_constraints=f"one of {', '.join(info.choices)}" if info.choices else "",
        read_only=not info.settable,
    )
    if info.minimum is None and info.maximum is None:
        return described
    if integer:
        low = -_INT64_MAX if info.minimum is None else int(info.minimum)
        high = _INT64_MAX if info.maximum is None else int(info.maximum)
        described.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    else:
        low_f = -sys.float_info.max if info.minimum is None else info.minimum
        high_f = sys.float_info.max if info.maximum is None else info.maximum
        described.floating_point_range = [
            FloatingPointRange(from_value=float(low_f), to_value=float(high_f), step=0.0)
        ]
    return described
