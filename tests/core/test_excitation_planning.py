import contextlib
import dataclasses
import math
import time
from collections import Counter

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.errors import ConfigError, SinewError
from sinew_core.rates import Rates
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.sysid.excitation.agreement import differences
from sinew_core.sysid.excitation.feedforward import Follower, planned_commands
from sinew_core.sysid.excitation.figures import plan_figure
from sinew_core.sysid.excitation.limits import motion_limits
from sinew_core.sysid.excitation.obstacles import Clearance
from sinew_core.sysid.excitation.parameters import ExcitationParameters
from sinew_core.sysid.excitation.plan import read_plan, write_plan
from sinew_core.sysid.excitation.planning import Planner, refusal
from sinew_core.sysid.excitation.tracking import Tracking
from sinew_core.sysid.excitation.trial import FilterSetting

ROBOT = load_robot("iiwa14")
RATES = Rates(control_rate_hz=100)
SHORT = {"duration_s": 4.0, "period_s": 4.0, "harmonics": 3, "evaluations": 150, "rest_s": 0.1}


BARE = {"floor": False, "self_collision": False}


def setting(mode="joint_velocity", **safety):
    return FilterSetting(mode=mode, safety=SafetyParameters(**safety), rates=RATES, lockstep=True)


def planner(mode="joint_velocity", arm=None, safety=None, **parameters):
    return Planner(
        ROBOT,
        setting(mode, **(safety or {})),
        ExcitationParameters(**{**SHORT, **parameters}),
        arm,
    )


@pytest.fixture(scope="module")
def planned():
    made = planner()
    return made, made.plan()


def test_a_plan_starts_and_ends_at_rest_at_home(planned):
    motion = planned[1].reference
    for end in (0, -1):
        assert (motion.position_rad[end] == ROBOT.home_rad).all()
        assert not motion.velocity_rad_s[end].any()
    assert np.abs(motion.position_rad - ROBOT.home_rad).max() > 0.2


def test_the_filter_changes_nothing_of_a_plan(planned):
    made, plan = planned
    trial = made.trial(plan.reference)
    assert trial.passed
    assert trial.cycles == len(plan.reference.time_s)


def test_a_plan_keeps_the_limits_that_it_was_given(planned):
    made, plan = planned
    motion, limits = plan.reference, made.limits
    assert (motion.position_rad <= limits.upper_rad).all()
    assert (motion.position_rad >= limits.lower_rad).all()
    assert (np.abs(motion.velocity_rad_s) <= limits.velocity_rad_s + 1e-9).all()
    assert (np.abs(motion.acceleration_rad_s2) <= 1.02 * limits.acceleration_rad_s2).all()
    effort, _ = made.model.evaluate(
        motion.position_rad, motion.velocity_rad_s, motion.acceleration_rad_s2
    )
    assert (np.abs(effort) <= limits.effort_nm).all()
    assert Clearance(ROBOT, SafetyParameters()).lack_m(motion.position_rad[::5]) == 0.0


def test_the_same_seed_gives_the_same_plan_and_another_seed_another(planned):
    again = planner().plan()
    assert np.array_equal(again.reference.position_rad, planned[1].reference.position_rad)
    assert again.predicted == planned[1].predicted
    assert again.repeatable
    other = planner(seed=1, evaluations=0).plan()
    assert not np.array_equal(other.reference.position_rad, planned[1].reference.position_rad)


def test_a_plan_tells_more_than_a_random_motion(planned):
    plan = planned[1]
    # Over the 21 parameters the search gains a factor in the volume of their uncertainty: exp(5)
    # of the determinant at the least, where every seed tried gained exp(9) and more.
    assert plan.log_det > plan.random_log_det + 5.0
    for seed in (3, 4):
        random = planner(seed=seed, evaluations=0).plan()
        assert plan.log_det > random.log_det + 5.0


def test_more_tries_do_not_make_a_plan_worse(planned):
    assert planned[1].log_det >= planner(evaluations=20).plan().log_det - 0.5


def test_what_is_asked_for_is_predicted_to_come_out_well(planned):
    predicted = {each.name: each for each in planned[1].predicted}
    assert len(predicted) == 21
    assert all(0.0 < each.sigma <= each.scale for each in predicted.values())
    assert predicted["mass/lbr_link_4"].sigma < 0.03 * predicted["mass/lbr_link_4"].nominal
    # The first link only turns about its own axis, so it shows least.
    worst = max(predicted.values(), key=lambda each: each.sigma / each.scale)
    assert worst.name == "mass/lbr_link_1"
    assert "mass/lbr_link_1" in planned[1].table()


def test_time_that_runs_out_ends_the_search_and_is_told():
    began_s = time.monotonic()
    made = planner(evaluations=10_000_000, plan_s=0.1)
    plan = made.plan()
    assert not plan.repeatable
    assert 0 < plan.evaluations < 10_000_000
    assert time.monotonic() > began_s


def test_planning_ends_when_it_is_cancelled():
    class StopError(Exception):
        pass

    asked = Counter()

    def check():
        asked["times"] += 1
        if asked["times"] == 3:
            raise StopError

    made = Planner(ROBOT, setting(), ExcitationParameters(**SHORT), check=check)
    with pytest.raises(StopError):
        made.plan()


@pytest.mark.parametrize("mode", ["joint_position", "joint_effort"])
def test_other_modes_pass_their_filters_too(mode):
    made = planner(
        mode, kind="both", evaluations=0, chirp_s=2.0, duration_s=2.0, period_s=2.0, limit_share=0.9
    )
    assert made.trial(made.plan().reference).passed


def test_a_chirp_that_is_too_fast_is_slowed_down_instead_of_changed_by_the_filter():
    made = planner(kind="chirp", chirp_s=3.0, chirp_to_hz=20.0, limit_share=0.95)
    plan = made.plan()
    assert made.trial(plan.reference).passed
    assert plan.reference.duration_s > 3.2 + 1e-9


def test_each_joint_may_have_a_chirp_of_its_own():
    plan = planner(kind="chirp", chirp_s=2.0, chirp_joints="each", safety=BARE).plan()
    moving = np.abs(plan.reference.position_rad - ROBOT.home_rad) > 1e-9
    assert moving.any(axis=0).all()
    assert moving.sum(axis=1).max() == 1


def test_a_plan_keeps_off_a_box_and_inside_the_workspace():
    tool = np.array(ROBOT.chain.tool_xyz(ROBOT.home_rad.tolist()))
    lower, upper = tool - 0.12, tool + 0.12
    corners = tool + np.array([[0.25, -0.5, -0.5], [0.4, 0.5, 0.5]])
    box = tuple(corners.ravel().tolist())
    made = planner(
        evaluations=30,
        safety={
            "workspace_lower_m": tuple(lower.tolist()),
            "workspace_upper_m": tuple(upper.tolist()),
            "forbidden_boxes_m": box,
        },
    )
    plan = made.plan()
    assert made.trial(plan.reference).passed
    path = np.array([ROBOT.chain.tool_xyz(q) for q in plan.reference.position_rad.tolist()])
    assert (path > lower).all()
    assert (path < upper).all()


def test_a_motion_that_the_filter_would_change_is_refused_with_joint_and_cause(planned):
    made, plan = planned
    fast = dataclasses.replace(
        plan.reference,
        position_rad=ROBOT.home_rad + 3.0 * (plan.reference.position_rad - ROBOT.home_rad),
        velocity_rad_s=3.0 * plan.reference.velocity_rad_s,
    )
    trial = made.trial(fast, limit=5)
    assert not trial.passed
    assert trial.cycles < len(fast.time_s)
    assert "lbr_A" in refusal(trial)


def test_home_outside_what_is_left_is_refused():
    with pytest.raises(ConfigError, match=r"home_rad of .* change home_rad"):
        motion_limits("joint_velocity", ROBOT, SafetyParameters(max_latency_periods=64), 0.02, 0.9)


@given(share=st.floats(0.05, 0.95), mode=st.sampled_from(["joint_velocity", "joint_position"]))
def test_limits_are_never_more_than_the_share_of_the_robots(share, mode):
    limits = motion_limits(mode, ROBOT, SafetyParameters(), 0.01, share)
    assert (limits.velocity_rad_s <= share * ROBOT.limits.velocity_rad_s).all()
    assert (limits.acceleration_rad_s2 <= 0.5 * share * ROBOT.limits.acceleration_rad_s2).all()
    assert (limits.lower_rad > ROBOT.limits.position_lower_rad).all()
    assert (limits.upper_rad < ROBOT.limits.position_upper_rad).all()


def test_a_plan_file_is_replayed_to_the_last_bit(planned, tmp_path):
    plan, path = planned[1], tmp_path / "new" / "plan.yaml"
    write_plan(plan, path)
    again = read_plan(path, ROBOT)
    for field in ("time_s", "position_rad", "velocity_rad_s", "acceleration_rad_s2"):
        before, after = getattr(plan.reference, field), getattr(again.reference, field)
        assert before.tobytes() == after.tobytes()
    for field in dataclasses.fields(plan):
        if field.name != "reference":
            assert getattr(again, field.name) == getattr(plan, field.name)


def test_a_plan_of_another_arm_or_another_file_is_refused(planned, tmp_path):
    path = tmp_path / "plan.yaml"
    write_plan(planned[1], path)
    with pytest.raises(ConfigError, match=r"plan for the joints lbr_A1.*give its robot"):
        read_plan(path, load_robot("panda"))
    samples = tmp_path / "plan.npz"
    samples.write_bytes(samples.read_bytes()[:-1] + b"x")
    with pytest.raises(ConfigError, match=r"is not what .* was written with"):
        read_plan(path, ROBOT)
    samples.unlink()
    with pytest.raises(ConfigError, match="no complete plan"):
        read_plan(path, ROBOT)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(tmp_path / "none.yaml", ROBOT)


@pytest.fixture(scope="module")
def written(planned, tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    write_plan(planned[1], path)
    return path, path.read_text()


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))


@settings(max_examples=100)
@given(data=st.data())
def test_a_changed_header_is_read_or_refused_and_nothing_else(written, data):
    path, text = written
    header = yaml.safe_load(text)
    name = data.draw(st.sampled_from(sorted(header)))
    value = data.draw(st.one_of(scalars, st.lists(scalars, max_size=3)))
    header[name] = value
    changed = path.with_name("changed.yaml")
    changed.write_text(yaml.safe_dump(header))
    with contextlib.suppress(SinewError):
        assert read_plan(changed, ROBOT).reference.position_rad.shape[1] == 7


def test_differences_to_the_running_filter_are_named():
    here = setting(margin_rad=0.01)
    node = {
        "mode": "joint_velocity",
        "pace": "lockstep",
        "speed_scale": 1.0,
        **RATES.to_mapping(),
        "safety": here.safety.to_mapping(),
    }
    section = {"joint_names": list(ROBOT.joint_names), "limits": ROBOT.limits.to_mapping()}

    def text(**changes):
        content = {"safety_filter": {"ros__parameters": {**node, **changes}}, "robot": section}
        return yaml.safe_dump(content)

    assert differences(text(), here, ROBOT) == []
    assert differences(text(mode="joint_position"), here, ROBOT) == [
        "mode is 'joint_position' there and 'joint_velocity' here"
    ]
    other = {**here.safety.to_mapping(), "margin_rad": 0.02}
    assert differences(text(safety=other), here, ROBOT) == [
        "safety.margin_rad is 0.02 there and 0.01 here"
    ]
    assert differences("nothing: [", here, ROBOT) == ["its configuration cannot be read"]
    assert len(differences(text(), here, load_robot("panda"))) > 1


def test_velocity_commands_lead_exactly_along_the_positions(planned):
    made, plan = planned
    commands = made.commands(plan.reference)
    period_s = 1.0 / plan.rate_hz
    path = plan.reference.position_rad[0] + np.vstack(
        [np.zeros(7), np.cumsum(commands[:-1] * period_s, axis=0)]
    )
    assert np.allclose(path, plan.reference.position_rad, atol=1e-12)


def test_velocities_make_up_for_an_error_of_the_position(planned):
    made, plan = planned
    commands = made.commands(plan.reference)
    follower = Follower(
        "joint_velocity", ROBOT, plan.reference, commands, model=made.model, correction_per_s=2.0
    )
    at = plan.reference.position_rad[40]
    assert follower.command(40, at.tolist(), [0.0] * 7) == commands[40].tolist()
    behind = follower.command(40, (at - 0.01).tolist(), [0.0] * 7)
    # 2 per second of 0.01 rad are 0.02 rad/s more.
    assert np.allclose(np.array(behind) - commands[40], 0.02)


def test_efforts_keep_an_arm_with_friction_that_nobody_told_of_near_the_plan(planned):
    from sinew_core.simulation import make_engine

    made = planner("joint_effort", ArmDynamics.from_values(ROBOT, {"armature/*": 0.07}))
    motion = planned[1].reference
    commands = planned_commands("joint_effort", motion, made.model, gravity_compensation=True)
    follower = Follower(
        "joint_effort", ROBOT, motion, commands, model=made.model, correction_per_s=1.5
    )
    engine = make_engine("mujoco", ROBOT, 500)
    engine.set_dynamics(
        ArmDynamics.from_values(ROBOT, {"coulomb/*": 0.3, "viscous/*": 0.3, "armature/*": 0.1})
    )
    engine.reset(ROBOT.home_rad)
    position, velocity, effort = (np.zeros(7) for _ in range(3))
    errors = []
    for sample in range(follower.samples):
        engine.read_state(position, velocity, effort)
        command = follower.command(sample, position.tolist(), velocity.tolist())
        errors.append(np.abs(follower.error_rad).max())
        engine.command_effort(np.array(command), gravity_compensation=True)
        engine.step(5)
    engine.close()
    assert max(errors) < 0.15
    assert errors[0] == 0.0


def test_tracking_counts_what_came_after_its_first_report():
    tracking = Tracking(("a", "b"))
    tracking.report({"interventions: a jerk": "5", "state": "armed"})
    tracking.add(np.array([3e-3, 0.0]))
    tracking.add(np.array([-4e-3, 1e-3]))
    tracking.report({"interventions: a jerk": "7", "interventions: b brake": "1"})
    assert tracking.interventions == {"a jerk": 2, "b brake": 1}
    # sqrt((9 + 16) / 2) = 3.536
    assert tracking.rms_rad[0] == pytest.approx(math.sqrt(12.5) * 1e-3)
    assert "3 (a jerk 2, b brake 1)" in tracking.sentence()


def test_a_plan_is_drawn_with_every_parameter(planned):
    made, plan = planned
    figure = plan_figure(plan, ROBOT, made.limits)
    labels = [t.get_text() for axis in figure.axes for t in axis.get_yticklabels()]
    assert {each.name for each in plan.predicted} <= set(labels)
    assert len(figure.axes) == 4
