"""The nodes of a launch file in the process of the test: a lockstep graph that starts at once."""

from __future__ import annotations

import time

import rclpy
import yaml
from rclpy.signals import SignalHandlerOptions

from sinew_bringup.launch_file import LaunchFile
from sinew_policy.policy import PolicyNode
from sinew_ros.executor import WaitSetExecutor
from sinew_safety.safety_filter import SafetyFilter
from sinew_sim.sim_driver import SimDriver
from sinew_sysid.record import Record
from sinew_trainer.evaluator import Evaluator

NODES = {
    "sim_driver": SimDriver,
    "safety_filter": SafetyFilter,
    "policy": PolicyNode,
    "record": Record,
    "evaluator": Evaluator,
}


def _parameters(node):
    """Return what the launch file gives one node, the later values winning."""
    values = {}
    for given in node.parameters:
        if isinstance(given, tuple):
            values[given[0]] = given[1]
            continue
        for section, content in yaml.safe_load(given.read_text()).items():
            if section.rpartition("/")[2] == node.name:
                values.update(content["ros__parameters"])
    return values


def run_launch_file(path, arguments, folder, limit_s=60.0):
    """Run until the evaluator ends, whose errors are raised here."""
    launched = LaunchFile(path).nodes(arguments)
    content = {f"/**/{n.name}": {"ros__parameters": _parameters(n)} for n in launched}
    file = folder / "parameters.yaml"
    file.write_text(yaml.safe_dump(content))
    remaps = [f"{n.name}:{old}:={new}" for n in launched for old, new in n.remaps if old != new]
    remaps += [f"{n.name}:__ns:=/{n.namespace.strip('/')}" for n in launched if n.namespace]
    words = ["--params-file", str(file), *(w for remap in remaps for w in ("-r", remap))]
    rclpy.init(args=["--ros-args", *words], signal_handler_options=SignalHandlerOptions.NO)
    executor, nodes = WaitSetExecutor(), []
    try:
        for each in launched:
            nodes.append(NODES[each.name]())
            nodes.extend(nodes[-1].companions)
        for node in nodes:
            executor.add_node(node)
        deadline = time.monotonic() + limit_s
        evaluator = nodes[-1]
        while evaluator.exit_code is None:
            assert time.monotonic() < deadline, f"no end after {limit_s} s"
            executor.spin_once(0.05)
        for node in nodes:
            getattr(node, "on_stop", bool)()
    finally:
        executor.shutdown(0)
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
