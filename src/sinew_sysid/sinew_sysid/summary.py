"""What a recording says of itself: its configuration inside the bag, and its report at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from sinew_sysid.parameters import RecordParameters
from sinew_sysid.recorded import RecordedTopic

_ROW = "{:<44} {:>10} {:>10} {:>8}\n"
_MIB = 2**20


def configuration_text(
    node: str,
    p: RecordParameters,
    joint_names: Sequence[str],
    topics: Sequence[RecordedTopic],
    measured: Mapping[str, object] | None = None,
) -> str:
    """Return the YAML text in the bag: a parameter file of the node with two more sections.

    Args:
        node: name of the recording node.
        p: its parameters.
        joint_names: of the robot, as the driver names them; empty where none was given.
        topics: what is recorded.
        measured: rates and losses; only at the end of a recording.
    """
    content: dict[str, object] = {
        node: {"ros__parameters": p.to_mapping()},
        "robot": {"name": p.robot, "joint_names": list(joint_names)},
        "topics": {topic.name: topic.kind for topic in topics},
    }
    if measured is not None:
        content["measured"] = dict(measured)
    return yaml.safe_dump(content, sort_keys=False)


def measured_figures(
    topics: Sequence[RecordedTopic], dropped: int, state_gaps: int
) -> dict[str, object]:
    """Return the figures at the end of a recording, with stable names."""
    return {
        "dropped": dropped,
        "missing_states": state_gaps,
        "topics": {
            topic.name: {
                "messages": topic.count,
                "rate_hz": round(topic.rate_hz, 3),
                "lost": topic.gaps.lost,
            }
            for topic in topics
            if topic.count
        },
    }


def report_text(
    p: RecordParameters,
    topics: Sequence[RecordedTopic],
    *,
    dropped: int,
    state_gaps: int,
    n_bytes: int,
    n_files: int,
) -> str:
    """Return the report of a finished recording."""
    lines = [_ROW.format("topic", "messages", "rate Hz", "lost")]
    for topic in topics:
        lost = topic.gaps.lost
        shown = "?" if lost is None else lost
        rate = f"{topic.rate_hz:.1f}" if topic.count > 1 else "-"
        lines.append(_ROW.format(topic.name, topic.count, rate, shown))
    lines.append(
        f"{p.output}: {n_bytes / _MIB:.1f} MiB in {n_files} files; joint states missing by their "
        f"stamps: {state_gaps}\n"
    )
    if dropped:
        lines.append(f"{dropped} messages dropped, because the disk did not keep up\n")
    return "".join(lines)
