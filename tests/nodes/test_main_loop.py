"""The main loop, parameters and shutdown of every node, seen from outside a real process."""

from __future__ import annotations

import signal
import time

import pytest
from rclpy.duration import Duration
from std_msgs.msg import String
from std_srvs.srv import Trigger

from sinew_ros.qos import RELIABLE

pytestmark = [pytest.mark.graph, pytest.mark.beside]

ECHO = "nodes.echo"


def greet(probe):
    """Say hello until the echo is heard; return what says it, and what is heard from then on.

    Whoever says it once may not be heard: each side finds the other in its own time.
    """
    heard = probe.listen(String, "pong", RELIABLE)
    ping = probe.publisher(String, "ping", RELIABLE)
    probe.until(lambda: heard or ping.publish(String(data="hello")), "the echo")
    return ping, heard


def test_a_node_echoes_serves_and_says_good_bye_on_ctrl_c(start_node, probe):
    echo = start_node(ECHO)
    _, heard = greet(probe)
    assert heard[0].data == "hello"
    echo.supervised = False
    echo.signal(signal.SIGINT)
    probe.until(lambda: heard[-1].data == "bye", "the good-bye")
    assert echo.wait() == 0


def test_quiet_messages_are_taken_in_order_before_the_one_that_wakes(start_node, probe):
    start_node(ECHO)
    heard = probe.listen(String, "pong", RELIABLE)
    murmur = probe.publisher(String, "murmur", RELIABLE)
    ping = probe.publisher(String, "ping", RELIABLE)
    probe.until(lambda: probe.node.count_publishers("pong"))
    for letter in "abc":
        murmur.publish(String(data=letter))
    assert murmur.wait_for_all_acked(Duration(seconds=5.0))
    ping.publish(String(data="heard "))
    probe.until(lambda: heard, "the echo")
    assert heard.pop().data == "heard abc"


def test_sigterm_ends_a_node_as_cleanly_as_ctrl_c(start_node, probe):
    echo = start_node(ECHO)
    probe.publisher(String, "ping", RELIABLE)
    echo.signal(signal.SIGTERM)
    assert echo.wait() == 0


def test_ctrl_c_that_a_launch_system_repeats_counts_once(start_node, probe):
    echo = start_node(ECHO)
    _, heard = greet(probe)
    echo.supervised = False
    for _ in range(3):
        echo.signal(signal.SIGINT)
        time.sleep(0.002)  # signals that come at once are one to the system
    probe.until(lambda: heard[-1].data == "bye", "the good-bye")
    assert echo.wait() == 0
    assert [message.data for message in heard].count("bye") == 1


def test_a_node_ends_itself_with_its_own_status_and_its_cycles_ran(start_node, probe):
    echo = start_node(ECHO, {"rate_hz": 500.0})
    probe.publisher(String, "ping", RELIABLE)
    echo.supervised = False
    response = probe.call(Trigger, "echo/quit")
    assert int(response.message) > 0
    assert echo.wait() == 3


def test_an_error_of_the_user_is_one_line_and_status_1(start_node, probe):
    echo = start_node(ECHO, {"fail_on": "boom"})
    ping = probe.publisher(String, "ping", RELIABLE)
    ping.publish(String(data="boom"))
    assert echo.wait() == 1
    assert echo.output == "echo: ping was 'boom': send another\n"


@pytest.mark.parametrize("remap", ["__ns:=/my arm", "ping:=a b"])
def test_a_name_that_ros_refuses_is_one_line_and_status_1(start_node, remap):
    echo = start_node(ECHO, None, "-r", remap)
    assert echo.wait() == 1
    assert echo.output.splitlines()[-1].startswith("echo.py: ROS refuses: ")
    assert "Traceback" not in echo.output


@pytest.mark.parametrize("again", [False, True])
def test_a_node_says_good_bye_after_an_error_of_the_program_too(start_node, probe, again):
    echo = start_node(ECHO, {"break_on": "boom", "break_again": again})
    ping, heard = greet(probe)
    echo.supervised = False
    ping.publish(String(data="boom"))
    probe.until(lambda: heard[-1].data == "bye", "the good-bye")
    assert echo.wait() == 1
    assert ("LookupError: no way out" in echo.output) is again
    assert echo.output.endswith("ValueError: cannot take 'boom'\n")


def test_unknown_and_wrong_parameters_are_refused_together_by_name(start_node):
    echo = start_node(ECHO, {"rate_hx": 5.0, "rate_hz": 5000})
    assert echo.wait() == 1
    assert echo.output.count("\n") == 1
    assert "rate_hz is 5000.0: allowed 0 to 2000" in echo.output
    assert "unknown parameter 'rate_hx': did you mean 'rate_hz'?" in echo.output
