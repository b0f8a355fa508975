"""An arm with joint controllers of its own behind the real driver and safety filter."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.test_graph import DRIVER, FILTER, Graph
from sinew_core.action import ActionDecoder
from sinew_core.environments import ArmEnv
from sinew_core.rates import Rates
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams, write_sim_params
from sinew_core.safety.parameters import SafetyParameters
from sinew_ros.stamps import stamp_ns

pytestmark = [pytest.mark.graph, pytest.mark.beside, pytest.mark.slow]

ROBOT = load_robot("panda")
CONTROL_NS = 40_000_000
TICKS = 12
SAFETY = SafetyParameters(max_latency_periods=11, tracking_error_rad=0.06)
COMMON = {"mode": "joint_position", "pace": "lockstep", "physics_rate_hz": 1000}
ALLOWED = {"safety.max_latency_periods": 11, "safety.tracking_error_rad": 0.06}


@pytest.fixture
def params():
    values = {"coulomb/*": 0.3, "viscous/*": 0.4, "armature/*": 0.1, "delay_s": 0.0073}
    gains = {"kp": [600.0] * 4 + [250.0, 250.0, 150.0], "kd": [50.0] * 4 + [20.0, 20.0, 10.0]}
    return SimParams(
        dynamics=ArmDynamics.from_values(ROBOT, values),
        controller=ArmController(
            mode="position", gains=gains, gravity_compensation=True, hold="linear"
        ),
    )


@pytest.fixture
def path(tmp_path, params):
    file = tmp_path / "arm.yaml"
    file.write_text(write_sim_params(params, ROBOT))
    return str(file)


def through_the_graph(graph, decoder, actions):
    """Reset, arm and answer the control ticks; return the joint states (ticks + 1, 2, n) there."""
    before = graph.stamp()
    assert graph.trigger("sim_driver/reset").success
    graph.probe.until(lambda: graph.stamp() > before, "the state after the reset")
    graph.probe.until(lambda: graph.arm().success, "arming")
    first, seen, desired = graph.stamp(), [], np.zeros(7)

    def finished():
        state = graph.states[-1]
        if stamp_ns(state.header.stamp) == first + len(seen) * CONTROL_NS:
            seen.append((list(state.position), list(state.velocity)))
            if len(seen) <= len(actions):
                decoder.decode(actions[len(seen) - 1], *map(np.array, seen[-1]), desired)
                graph.answer_newest(desired.tolist())
        return len(seen) > len(actions)

    graph.probe.until(finished, "the end of the episode")
    return np.array(seen)


@pytest.mark.parametrize("engine", ["mujoco", "pybullet"])
def test_the_graph_in_lockstep_equals_the_environment(start_node, probe, params, path, engine):
    start_node(DRIVER, {**COMMON, "engine": engine, "sim_params": path})
    start_node(FILTER, {**COMMON, **ALLOWED, "sim_params": path})
    graph = Graph(probe, "joint_position")
    env = ArmEnv(
        ROBOT,
        "",
        engine,
        "joint_position",
        rates=Rates(physics_rate_hz=1000),
        safety=SAFETY,
        sim_params=params,
    )
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, (TICKS, 7))
    decoder = ActionDecoder(env.action_spec, ROBOT.chain)
    seen = through_the_graph(graph, decoder, actions)
    env.reset(seed=0, options={"start_rad": seen[0, 0]})
    for action, (position, velocity) in zip(actions, seen[1:], strict=True):
        *_, info = env.step(action)
        assert info["filter_fault"] == 0
        np.testing.assert_array_equal(position, env.signals.joint_position)
        np.testing.assert_array_equal(velocity, env.signals.joint_velocity)
    assert np.abs(seen[-1, 0] - seen[0, 0]).max() > 0.02
    env.close()


def test_a_filter_that_assumes_a_better_arm_names_what_to_add(start_node, path):
    node = start_node(FILTER, {**COMMON, "sim_params": path})
    assert node.wait(60.0) != 0
    (line,) = [line for line in node.output.splitlines() if "sim_params" in line]
    assert "add safety.max_latency_periods:=11 safety.tracking_error_rad:=0.0" in line


def test_a_driver_of_another_mode_than_its_controllers_is_refused(start_node, path):
    node = start_node(DRIVER, {"mode": "joint_velocity", "engine": "mujoco", "sim_params": path})
    assert node.wait(60.0) != 0
    assert "take mode 'position', but joint_velocity sends 'velocity'" in node.output
