"""The executor's order of work, in this process."""

from __future__ import annotations

import pytest
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from sinew_ros import executor as executor_module
from sinew_ros.executor import WaitSetExecutor
from sinew_ros.qos import RELIABLE


class Talker(Node):
    """Hears itself, so that a message is there whenever one was sent."""

    def __init__(self):
        super().__init__("talker")
        self.heard = 0
        self.create_subscription(String, "talk", self.hear, RELIABLE)
        self.voice = self.create_publisher(String, "talk", RELIABLE)
        self.prompt = (self.create_service(Trigger, "~/prompt", self.serve),)
        self.create_service(Trigger, "~/patient", self.serve)

    def hear(self, _message):
        self.heard += 1

    def serve(self, _request, response):
        response.success = True
        return response


@pytest.mark.parametrize(("service", "answered"), [("prompt", True), ("patient", False)])
def test_only_prompt_services_are_served_while_messages_keep_coming(
    probe, monkeypatch, service, answered
):
    monkeypatch.setattr(executor_module, "RARE_EVERY_S", 1e9)
    talker, executor = Talker(), WaitSetExecutor()
    executor.add_node(talker)
    client = probe.node.create_client(Trigger, f"talker/{service}")
    probe.until(client.service_is_ready, "the service")

    def talk():
        """Send and hear one message."""
        heard = talker.heard
        talker.voice.publish(String(data="x"))
        while talker.heard == heard:
            executor.spin_once(5.0)

    try:
        talk()  # from here on messages keep coming
        future = client.call_async(Trigger.Request())
        for _ in range(300):
            talk()
            probe.executor.spin_once(0.0)
            if future.done():
                break
        assert future.done() is answered
    finally:
        executor.shutdown(0)
        talker.destroy_node()
