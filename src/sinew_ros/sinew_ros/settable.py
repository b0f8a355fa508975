"""Parameters that may be changed while a node runs, and why the others may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter

from sinew_core.errors import ConfigError, SinewError, suggest
from sinew_core.parameters import Parameters, describe

Declared = Mapping[str, Parameters]
"""The instance of each parameter class by its prefix."""


class Settable:
    """Check a change as a whole, as at the start, and let the node apply it.

    Attributes:
        declared: the classes in force.
    """

    def __init__(
        self,
        declared: Declared,
        *,
        check: Callable[[Declared], None],
        apply: Callable[[Declared], None],
        reasons: Mapping[str, str],
    ) -> None:
        """Take the classes in force, by prefix.

        Args:
            declared: as `Declarations.declared`.
            check: raises a `SinewError` for classes that do not fit each other.
            apply: lets checked classes take effect.
            reasons: why the parameters under a prefix are fixed, "because ...".
        """
        self.declared = dict(declared)
        self._check, self._apply, self._reasons = check, apply, reasons

    def converted(self, given: Sequence[Parameter]) -> list[Parameter]:
        """Return the parameters with whole numbers as floats where the class has floats."""
        return [self._convert(parameter) for parameter in given]

    def refusal(self, given: Sequence[Parameter]) -> str:
        """Return why a change is refused, in one line; '' if it may be made."""
        try:
            self._check(self._changed(given))
        except SinewError as error:
            return str(error)
        return ""

    def apply(self, given: Sequence[Parameter]) -> None:
        """Let a change that is not refused take effect."""
        self.declared = self._changed(given)
        self._apply(self.declared)

    def _changed(self, given: Sequence[Parameter]) -> dict[str, Parameters]:
        values = {prefix: old.to_mapping() for prefix, old in self.declared.items()}
        for parameter in given:
            prefix, name = self._find(parameter)
            values[prefix][name] = parameter.value
        return {
            prefix: type(old).from_mapping(values[prefix], prefix or "parameters")
            for prefix, old in self.declared.items()
        }

    def _find(self, parameter: Parameter) -> tuple[str, str]:
        """Return prefix and name of a settable parameter.

        Raises:
            ConfigError: if it is unknown or fixed.
        """
        prefix, _, name = parameter.name.rpartition(".")
        fields = describe(type(self.declared[prefix])) if prefix in self.declared else []
        info = next((info for field, info, _ in fields if field == name), None)
        if info is None:
            raise ConfigError(f"unknown parameter '{parameter.name}': {self._suggest(parameter)}")
        if not info.settable:
            because = self._reasons.get(prefix, "the node has built on it")
            raise ConfigError(
                f"{parameter.name} is fixed at the start, because {because}: "
                f"restart the node with -p {parameter.name}:={_shown(parameter.value)}"
            )
        return prefix, name

    def _convert(self, parameter: Parameter) -> Parameter:
        prefix, _, name = parameter.name.rpartition(".")
        now = getattr(self.declared.get(prefix), name, None)
        if isinstance(now, float) and type(parameter.value) is int:
            return Parameter(parameter.name, Parameter.Type.DOUBLE, float(parameter.value))
        return parameter

    def _suggest(self, parameter: Parameter) -> str:
        known = (
            f"{prefix}.{name}" if prefix else name
            for prefix, instance in self.declared.items()
            for name, info, _ in describe(type(instance))
            if info.settable
        )
        return suggest(parameter.name, known)


def refused(reason: str) -> SetParametersResult:
    """Return the answer that refuses a change."""
    return SetParametersResult(successful=False, reason=reason)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
