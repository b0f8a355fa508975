"""A node for the tests of the main loop: answers pings, counts cycles, fails on demand."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from std_msgs.msg import String
from std_srvs.srv import Trigger

from sinew_core.errors import ConfigError
from sinew_core.parameters import Parameters, parameter
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import declare_from
from sinew_ros.qos import RELIABLE


@dataclass(frozen=True, kw_only=True)
class EchoParameters(Parameters):
    """Parameters of the test node."""

    rate_hz: float = parameter(0.0, "Cycle rate, 0 for none", unit="Hz", minimum=0.0, maximum=2e3)
    fail_on: str = parameter("", "Ping that raises an error of the user's")
    break_on: str = parameter("", "Ping that raises an error of the program's")
    break_again: bool = parameter(False, "Whether the good-bye raises one, too")


class Echo(SinewNode):
    """Echo `ping` on `pong`."""

    def __init__(self) -> None:
        super().__init__("echo")
        self.parameters = declare_from(self, EchoParameters)
        self.cycles = 0
        if self.parameters.rate_hz:
            self.cycle_period_s = 1.0 / self.parameters.rate_hz
        self.publisher = self.create_publisher(String, "pong", RELIABLE)
        self.create_subscription(String, "ping", self.ping, RELIABLE)
        self.murmurs: list[str] = []
        self.quiet = (self.create_subscription(String, "murmur", self.murmur, RELIABLE),)
        self.create_service(Trigger, "~/quit", self.quit)

    def ping(self, message: String) -> None:
        if self.parameters.fail_on and message.data == self.parameters.fail_on:
            raise ConfigError(f"ping was '{message.data}': send another")
        if self.parameters.break_on and message.data == self.parameters.break_on:
            raise ValueError(f"cannot take '{message.data}'")
        message.data += "".join(self.murmurs)
        self.publisher.publish(message)

    def murmur(self, message: String) -> None:
        self.murmurs.append(message.data)

    def quit(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, str(self.cycles)
        # A process that ends at once may take its answer along.
        self.create_timer(0.2, lambda: self.finish(3))
        return response

    def cycle(self, missed: int) -> None:
        self.cycles += 1

    def on_stop(self) -> None:
        self.publisher.publish(String(data="bye"))
        if self.parameters.break_again:
            raise LookupError("no way out")


if __name__ == "__main__":
    sys.exit(run_node(Echo))
