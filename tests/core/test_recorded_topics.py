"""Which topics a recording has, under their full names."""

import pytest

from sinew_core.errors import ConfigError
from sinew_sysid.parameters import RecordParameters
from sinew_sysid.recorded import resolved, topics_to_record


def recorded(**given):
    def full_name(name):
        return name if name.startswith("/") else f"/{name}"

    return resolved(topics_to_record(RecordParameters(output="x", **given)), full_name)


@pytest.mark.parametrize(
    ("namespace", "name"), [("", "/joint_states"), ("left", "/left/joint_states")]
)
def test_a_topic_that_is_named_again_in_full_is_recorded_once(namespace, name):
    found = recorded(namespace=namespace, topics=f"{name}:sensor_msgs/msg/JointState")
    assert [topic.name for topic in found].count(name) == 1
    assert found[0].name == name
    assert found[0].qos is not None


def test_a_topic_has_one_type_however_it_is_named():
    told = "/joint_states:std_msgs/msg/String, which is recorded as sensor_msgs/msg/JointState"
    with pytest.raises(ConfigError, match=told):
        recorded(topics="/joint_states:std_msgs/msg/String")
