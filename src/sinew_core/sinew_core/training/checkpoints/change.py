"""What has changed under a run that was resumed despite it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

_SHORT = 12


@dataclass(frozen=True, kw_only=True)
class Change:
    """What was another when a run was resumed despite it.

    Attributes:
        env_steps: environment steps at which the run went on.
        revision_then: git revision of the code that had trained until then.
        revision_now: git revision of the code that went on.
        then: what differed as it was, by name.
        now: the same as it was from there on.
    """

    env_steps: int
    revision_then: str
    revision_now: str
    then: Mapping[str, str]
    now: Mapping[str, str]

    @classmethod
    def from_mapping(cls, content: Mapping[str, object]) -> Change:
        """Return what `dataclasses.asdict` made plain."""
        return cls(
            env_steps=int(str(content["env_steps"])),
            revision_then=str(content["revision_then"]),
            revision_now=str(content["revision_now"]),
            then=cast("Mapping[str, str]", content["then"]),
            now=cast("Mapping[str, str]", content["now"]),
        )

    def __str__(self) -> str:
        """Say it in a clause."""
        told = [self._code() if name == "code" else self._other(name) for name in self.now]
        return f"from {self.env_steps:,} environment steps on with {', '.join(told)}"

    def _code(self) -> str:
        then, now = self.revision_then[:_SHORT], self.revision_now[:_SHORT]
        if then == now:
            return f"code that differs within git revision {now}"
        return f"code of git revision {now} instead of {then}"

    def _other(self, name: str) -> str:
        return f"{name} {self.now[name]} instead of {self.then[name]}"
