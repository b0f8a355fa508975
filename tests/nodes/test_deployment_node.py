"""Deployments with real processes: what is refused, what moves, and what puts an arm on hold."""

from __future__ import annotations

import json

import pytest
import yaml
from controllers import ForwardController
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from patience import PATIENT
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from recording import Recording, write_bag
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from conftest import ROOT
from reach_samples import write_pushing_bundle, write_reaching_bundle
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_ros.qos import RELIABLE

pytestmark = [pytest.mark.graph, pytest.mark.slow]

PANDA = load_robot("panda")
JOINTS = list(PANDA.joint_names)
_PATIENCE_S = 60.0
DEPLOYMENT = "sinew_policy.deployment"
# The driver sends twice as many states as are asked for, for the same reason.
RATES = Rates(physics_rate_hz=500, state_rate_hz=50, filter_rate_hz=50, control_rate_hz=25)
QUICK = {"window_s": 0.5, "latency_ms": 900.0, "ramp_s": 0.2, "output_timeout_s": 1.0}


class Arm:
    """A simulated arm with a filter and a policy; starts deployments."""

    write_bundle = staticmethod(write_reaching_bundle)

    def __init__(self, start_node, probe, tmp_path, *, namespace="", prefix="", driver=(), **given):
        self.start_node, self.probe, self.folder = start_node, probe, tmp_path
        self.bundle = self.write_bundle(tmp_path / "bundle", rates=RATES, episode_s=30.0)
        self.namespace, self.prefix = namespace, prefix
        self.states = probe.listen(JointState, self.name("joint_states"), RELIABLE)
        self.reports = probe.listen(DiagnosticArray, self.name("diagnostics"), RELIABLE)
        common = {"joint_prefix": prefix} if prefix else {}
        self.common = common
        if driver is not None:
            options = {"engine": "mujoco", "driver_watchdog_s": 0.0, **common, **dict(driver)}
            self.driver = self.start("sinew_sim.sim_driver", options)
        guarded = {"watchdog.guard_timeout_s": 2.0}
        self.filter_parameters = {**PATIENT, **guarded, **RATES.to_mapping(), **common, **given}
        self.filter = self.start_filter()
        self.policy = self.start_policy()

    def name(self, topic):
        return f"/{self.namespace}/{topic}".replace("//", "/")

    def start(self, module, parameters):
        extra = ["-r", f"__ns:=/{self.namespace}"] if self.namespace else []
        return self.start_node(module, parameters, *extra)

    def start_filter(self):
        return self.start("sinew_safety.safety_filter", self.filter_parameters)

    def start_policy(self):
        return self.start("sinew_policy.policy", {"bundle": self.bundle, **self.common})

    def deploy(self, name, mode, **given):
        """Return a deployment's process and the folder of its report."""
        output = self.folder / name
        parameters = {"mode": mode, "bundle": self.bundle, "output": output, **QUICK}
        return self.start(DEPLOYMENT, {**parameters, **self.common, **given}), output

    def outcome(self, name, mode, **given):
        """Return exit status and report of a deployment that ends by itself."""
        process, output = self.deploy(name, mode, hold_timeout_s=0.1, **given)
        process.supervised = False
        status = process.wait(90.0)
        assert (output / "report.json").exists(), process.output
        return status, read(output)

    def values(self, node):
        """Return what a node last reported."""
        name = self.name(node).lstrip("/")
        found = [s for r in self.reports for s in r.status if s.name == name]
        return (
            {"message": found[-1].message, **{v.key: v.value for v in found[-1].values}}
            if found
            else {}
        )

    def until_phase(self, words):
        self.probe.until(
            lambda: words in self.values("deployment").get("message", ""), words, _PATIENCE_S
        )

    def speed(self):
        return max(map(abs, self.states[-1].velocity)) if self.states else 0.0

    def until_moving(self):
        self.probe.until(lambda: self.speed() > 0.02, "motion", _PATIENCE_S)

    def until_rest(self):
        self.probe.until(lambda: self.speed() < 1e-3, "rest", _PATIENCE_S)

    def trigger(self, name):
        return self.probe.call(Trigger, self.name(name))

    def filter_is(self, *states):
        self.probe.until(
            lambda: self.values("safety_filter").get("state") in states,
            " or ".join(states),
            _PATIENCE_S,
        )


class PushedArm(Arm):
    """The same under efforts."""

    write_bundle = staticmethod(write_pushing_bundle)

    def __init__(self, start_node, probe, tmp_path):
        effort = {"mode": "joint_effort"}
        # More would leave nothing of the joints' ranges.
        given = {**effort, "safety.max_latency_periods": 10}
        super().__init__(start_node, probe, tmp_path, driver=effort, **given)


def read(folder):
    return json.loads((folder / "report.json").read_text())


def checks(report):
    return {check["what"]: check for check in report["checks"]}


def controller(probe, joints, driver_topic, interface, name="wrist", namespace="arm"):
    node = ForwardController(name, joints, JOINTS, driver_topic, namespace, interface)
    probe.executor.add_node(node)
    return node


def remove(probe, node):
    probe.executor.remove_node(node)
    node.destroy_node()


def write_wider_robot(folder):
    """The Panda with a first joint that is faster than its description and its bundle say."""
    path = ROOT / "config" / "robots" / "panda.yaml"
    content = yaml.safe_load(path.read_text())
    content["limits"]["velocity_rad_s"][0] += 1.0
    content["urdf"] = str(path.parent / content["urdf"])
    wider = folder / "wider.yaml"
    wider.write_text(yaml.safe_dump(content))
    return wider


def test_preflight_names_what_does_not_fit_and_passes_once_it_does(start_node, probe, tmp_path):
    arm = Arm(start_node, probe, tmp_path, shadow=True, controller="/arm/wrist")
    arm.frame = ""
    iiwa = write_reaching_bundle(tmp_path / "iiwa", "iiwa14")
    arm.targets = probe.publisher(PoseStamped, "target_pose", RELIABLE)
    node = controller(probe, JOINTS[::-1], "/nowhere", "position")
    reports = preflights(
        arm, order={}, robot={"bundle": iiwa}, limits={"robot": write_wider_robot(tmp_path)}
    )
    assert reports["order"]["failed"] == ["joint order of the controller", "unit of the controller"]
    assert "lacks lbr_A1" in checks(reports["robot"])["robot_description"]["found"]
    assert set(reports["robot"]["failed"]) >= {"joints in joint_states", "robot of the filter"}
    assert set(reports["limits"]["failed"]) >= {
        "limits of the description",
        "limits trained under",
        "robot of the filter",
    }
    assert not node.heard
    remove(probe, node)
    assert preflights(arm, nobody={})["nobody"]["failed"] == ["controller"]
    node = controller(probe, JOINTS, "/nowhere", "velocity")
    fits = preflights(arm, fits={})["fits"]
    assert fits["failed"] == []
    assert checks(fits)["unit of the controller"]["found"] == "velocity"
    assert not node.heard
    remove(probe, node)


def preflights(arm, **runs):
    """Return the reports of preflights that run beside each other."""
    started = {name: arm.deploy(name, "preflight", **given) for name, given in runs.items()}
    arm.deployed = {name: process for name, (process, _) in started.items()}
    for process, _ in started.values():
        process.supervised = False

    def ended():
        target = PoseStamped()
        target.header.frame_id = arm.frame
        target.pose.position.x, target.pose.position.z = 0.5, 0.4
        arm.targets.publish(target)
        return not any(process.running() for process, _ in started.values())

    arm.probe.until(ended, "their end", 60.0)
    reports = {name: read(output) for name, (_, output) in started.items()}
    for name, (process, _) in started.items():
        assert process.wait() == int(bool(reports[name]["failed"]))
        assert ("remedy" in process.output) or not reports[name]["failed"]
    return reports


def test_targets_come_in_the_frame_given_or_the_prefixed_base(start_node, probe, tmp_path):
    arm = Arm(start_node, probe, tmp_path, prefix="l_", shadow=True)
    arm.targets = probe.publisher(PoseStamped, "target_pose", RELIABLE)
    arm.frame = "l_panda_link0"
    reports = preflights(arm, base={}, table={"target_frame": "table", "patience_s": 3.0})
    source = "source of target_pose"
    assert source not in reports["base"]["failed"]
    probe.until(lambda: int(arm.values("policy").get("commands", 0)) > 0, "the policy's commands")
    assert source in reports["table"]["failed"]
    reason = "in frame 'l_panda_link0' is rejected: give finite metres in frame 'table'"
    assert reason in checks(reports["table"])[source]["found"]
    # Many were: the table and the log say it once each.
    assert arm.deployed["table"].output.count("[WARN]") == 1


def test_a_live_arm_reaches_its_targets_and_rests_after_ctrl_c(start_node, probe, tmp_path):
    arm = Arm(start_node, probe, tmp_path, namespace="left", prefix="l_")
    status, report = arm.outcome("reach", "live", targets=2, authority=1.0)
    assert (status, report["failed"]) == (0, [])
    targets = report["targets"]
    assert (targets["successes"], targets["episodes"], targets["limit_violations"]) == (2, 2, 0)
    assert report["held"] == []
    assert report["latency_output"]["count"] > 10
    arm.filter_is("disarmed")
    slow, output = arm.deploy("slow", "live", targets=5, authority=0.1, seed=3)
    arm.until_moving()
    # The bundle moves each joint at up to 0.4 of its limit.
    assert arm.speed() < 0.1 * 0.4 * max(PANDA.limits.velocity_rad_s) * 1.05
    assert slow.interrupt() == 0
    arm.filter_is("disarmed")
    arm.until_rest()
    assert read(output)["targets"]["successes"] == 0


def test_a_live_arm_under_efforts_runs_at_full_authority_alone(start_node, probe, tmp_path):
    arm = PushedArm(start_node, probe, tmp_path)
    status, report = arm.outcome("slow", "live", targets=1, authority=0.5)
    assert (status, report["failed"]) == (1, ["authority"])
    process, output = arm.deploy("pushed", "live", targets=1, authority=1.0, ramp_s=60.0)
    arm.until_moving()
    arm.until_phase("running")
    assert arm.values("deployment")["authority"] == "1.0"
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=0.5)
    request = SetParameters.Request(parameters=[Parameter(name="authority", value=value)])
    result = probe.call(SetParameters, "deployment/set_parameters", request).results[0]
    assert not result.successful
    assert "effort commands have no speed to scale: leave it at 1" in result.reason
    assert process.interrupt() == 0
    arm.filter_is("disarmed")
    report = read(output)
    assert (report["failed"], report["held"]) == ([], [])


def test_a_killed_policy_and_a_killed_filter_hold_the_arm_until_it_is_started(
    start_node, probe, tmp_path
):
    arm = Arm(start_node, probe, tmp_path)
    process, output = arm.deploy(
        "live", "live", targets=50, authority=0.5, **{"output_timeout_s": 0.3}
    )
    arm.until_moving()
    arm.policy.kill()
    arm.until_phase("on hold")
    arm.until_rest()
    # Filter and deployment node allow the policy the same time: either may be the first to act.
    arm.filter_is("latched", "disarmed")
    if arm.values("safety_filter")["state"] == "latched":
        assert arm.trigger("safety_filter/clear").success
    arm.policy = arm.start_policy()
    assert arm.trigger("deployment/start").success
    arm.until_phase("running")
    arm.until_moving()
    # The simulated driver has no watchdog here: like a forward controller, it goes on for ever.
    arm.filter.kill()
    # The watch and the guard look for silence each in a cycle of its own: the first one is named.
    arm.until_phase("on hold: ")
    arm.until_rest()
    # Called before the filter is there: it need not be called again.
    assert arm.trigger("deployment/start").success
    arm.filter = arm.start_filter()
    arm.until_phase("running")
    arm.until_moving()
    assert arm.trigger("deployment/hold").success
    arm.until_rest()
    assert process.interrupt() == 0
    reasons = [held["reason"] for held in read(output)["held"]]
    assert len(reasons) == 3
    assert reasons[2] == "~/hold was called"


def test_a_killed_deployment_lets_the_filter_brake_and_another_one_goes_on(
    start_node, probe, tmp_path
):
    arm = Arm(start_node, probe, tmp_path)
    process, _ = arm.deploy("killed", "live", targets=50, authority=0.5)
    arm.until_moving()
    process.kill()
    arm.filter_is("latched")
    reason = arm.values("safety_filter")["reason"]
    assert reason.startswith("nobody watches the arm: ~/guard was last heard 2.")
    arm.until_rest()
    assert arm.trigger("safety_filter/clear").success
    status, report = arm.outcome("again", "live", targets=1, authority=1.0)
    assert (status, report["targets"]["successes"]) == (0, 1)


def test_a_shadow_reports_on_an_arm_and_on_its_bag_and_commands_neither(
    start_node, probe, tmp_path
):
    arm = Arm(start_node, probe, tmp_path, shadow=True)
    commands = "forward_velocity_controller/commands"
    reached = probe.listen(Float64MultiArray, commands, RELIABLE)
    recording = Recording(probe)
    recording.listen(JointState, "joint_states")
    process, output = arm.deploy("arm", "shadow", targets=1, duration_s=1.0)
    process.supervised = False
    probe.until(lambda: not process.running(), "its end", 60.0)
    report = read(output)
    assert (process.wait(), report["failed"]) == (0, []), process.output
    assert not reached
    assert arm.speed() < 1e-3
    assert report["latency_output"]["count"] > 10
    assert report["interventions"]["cycles"] > 10
    assert {row["field"] for row in report["observation"]} >= {"joint_position"}
    assert arm.driver.interrupt() == 0
    bag = write_bag(tmp_path / "bag", recording.messages[-150:])
    status, report = arm.outcome("bag", "shadow", targets=1, bag=bag, unusual_std=1.0)
    assert status == 1
    # The sample's statistics are 0 and 1, and nearly every home is further off than that.
    assert report["failed"] == ["observation as in training"]
    assert report["held"] == []
    assert report["joint_states"]["count"] > 50
    assert not reached


def test_a_report_that_cannot_be_written_is_printed(start_node, probe, tmp_path):
    bundle = write_reaching_bundle(tmp_path / "bundle")
    output = tmp_path / "report"
    process = start_node(DEPLOYMENT, {"bundle": bundle, "mode": "preflight", "output": output})
    process.supervised = False
    heard = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
    probe.until(lambda: heard, "the deployment")
    output.rmdir()
    assert process.interrupt() == 1
    printed = next(line for line in process.output.splitlines() if line.startswith("{"))
    report = json.loads(printed)
    assert (report["mode"], report["bundle"], report["held"]) == ("preflight", str(bundle), [])
    told = f"output {output} cannot be written (No such file or directory): "
    assert told + "report.json is printed above" in process.output
    assert "Traceback" not in process.output


def test_a_hold_before_the_arm_is_armed_lasts_until_the_start(start_node, probe, tmp_path):
    bundle = write_reaching_bundle(tmp_path / "bundle")
    heard = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
    start_node(DEPLOYMENT, {"bundle": bundle, "mode": "live", "patience_s": 30.0})
    probe.until(lambda: heard, "the deployment")
    held = probe.call(Trigger, "deployment/hold")
    assert (held.success, held.message) == (True, "on hold")
    assert not probe.call(Trigger, "deployment/hold").success
    started = probe.call(Trigger, "deployment/start")
    assert (started.success, started.message) == (True, "waiting for its partners")
