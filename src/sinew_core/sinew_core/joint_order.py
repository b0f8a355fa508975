"""The order of the joints of a controller against that of a robot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sinew_core.errors import ConfigError


def joint_order(found: Sequence[str], expected: Sequence[str], whose: str) -> tuple[int, ...]:
    """Return for each joint found its index among those expected.

    Values in the expected order become `[values[i] for i in order]` for the controller.

    Args:
        found: the controller's joints.
        expected: the robot's.
        whose: begins the error, such as `joints of /arm/forward_position_controller`.

    Raises:
        ConfigError: names what is missing, extra or there twice.
    """
    wrong = {
        "missing": [name for name in expected if name not in found],
        "extra": [name for name in dict.fromkeys(found) if name not in expected],
        "twice": [name for name, times in Counter(found).items() if times > 1],
    }
    if any(wrong.values()):
        said = "; ".join(f"{what}: {', '.join(names)}" for what, names in wrong.items() if names)
        raise ConfigError(
            f"{whose} do not fit the robot: {said}; check robot, joint_prefix and controller"
        )
    return tuple(expected.index(name) for name in found)
