"""Environments, training and driver with an arm that has joint controllers of its own."""

import dataclasses

import numpy as np
import pytest

from sinew_core.action import ActionDecoder
from sinew_core.bundle import load_bundle
from sinew_core.environments import ArmEnv
from sinew_core.environments.drive import make_drive as make_filtered_drive
from sinew_core.errors import ConfigError, RunError
from sinew_core.randomisation import Randomisation, needed_assumptions
from sinew_core.rates import Rates
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams, write_sim_params
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation import make_engine
from sinew_core.training.arms import Arms
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.loop import train
from sinew_sim.arm import SimulatedArm
from sinew_sim.drives import make_drive

ROBOT = load_robot("panda")
RATES = Rates(physics_rate_hz=1000)
VALUES = {"coulomb/*": 0.3, "viscous/*": 0.4, "armature/*": 0.1, "payload/mass": 0.3}
GAINS = {
    "position": {"kp": [600.0] * 4 + [250.0, 250.0, 150.0], "kd": [50.0] * 4 + [20.0, 20.0, 10.0]},
    "velocity": {"kp_v": [100.0] * 4 + [40.0] * 3, "ki_v": [2000.0] * 4 + [600.0] * 3},
    "effort": {},
}
SAFETY = SafetyParameters(max_latency_periods=11, tracking_error_rad=0.07, noise_rad=0.03)


def arm_of(kind, hold="zoh", values=VALUES, delay_s=0.0073):
    controller = ArmController(mode=kind, gains=GAINS[kind], gravity_compensation=True, hold=hold)
    dynamics = ArmDynamics.from_values(ROBOT, {**values, "delay_s": delay_s})
    return SimParams(dynamics=dynamics, controller=controller)


def make_env(params, safety=SAFETY, engine="mujoco", **more):
    kind = params.controller.mode if params.controller else "velocity"
    return ArmEnv(
        ROBOT, "", engine, f"joint_{kind}", rates=RATES, safety=safety, sim_params=params, **more
    )


def tiny_run(tmp_path, **more):
    path = tmp_path / "arm.yaml"
    path.write_text(write_sim_params(arm_of("position"), ROBOT))
    return RunConfiguration.from_mapping(
        {
            "engine": "mujoco",
            "env_steps": 60,
            "evaluation_period_steps": 30,
            "confirm_episodes": 2,
            "eval_episodes": 2,
            "target_success_rate": 1.0,
            "action_mode": "joint_position",
            "reach": {"episode_s": 0.4, "hold_s": 0.1},
            "ddpg": {"warmup_steps": 20, "batch_size": 16},
            "rates": {"physics_rate_hz": 1000},
            "safety": {"max_latency_periods": 10, "tracking_error_rad": 0.06},
            "sim_params": str(path),
            **more,
        }
    )


@pytest.mark.parametrize("engine", ["mujoco", "pybullet"])
@pytest.mark.parametrize("hold", ["zoh", "linear"])
@pytest.mark.parametrize("kind", ["position", "velocity", "effort"])
def test_the_simulated_driver_moves_the_arm_as_the_environment_does(kind, hold, engine):
    params = arm_of(kind, hold)
    env = make_env(params, engine=engine)
    start = env.task.sample_start(np.random.default_rng(0))
    env.reset(seed=0, options={"start_rad": start})

    mode, period_s = f"joint_{kind}", RATES.filter_period_s
    simulated = make_engine(engine, ROBOT, RATES.physics_rate_hz)
    driven = make_drive(mode, simulated, period_s, gravity_compensation=True, controlled=True)
    arm = SimulatedArm(
        simulated,
        driven,
        period_ns=10**7,
        watchdog_s=0.0,
        params=params,
        command_period_s=period_s,
    )
    arm.reset(start)
    chain = make_filtered_drive(mode, simulated, ROBOT, SAFETY, period_s, gravity_compensation=True)
    chain.reset(arm.position)
    decoder, desired = ActionDecoder(env.action_spec, ROBOT.chain), np.zeros(7)
    rng, actions = np.random.default_rng(1), []
    for _ in range(8):
        action = rng.uniform(-0.5, 0.5, 7)
        _, _, _, _, info = env.step(action)
        decoder.decode(action, arm.position, arm.velocity, desired)
        for _ in range(4):
            assert arm.accept(chain.filtered(desired, arm.position, arm.velocity))
            arm.step()
        np.testing.assert_array_equal(arm.velocity, info["joint_velocity"])
        actions.append(np.abs(arm.velocity).max())
    assert max(actions) > 0.01
    for engine_used in (simulated, env):
        engine_used.close()


def drive_hard(params, safety, episodes=4):
    """Return how many of some episodes of full actions ended in a fault of the filter."""
    env = make_env(params, safety)
    rng, faults = np.random.default_rng(0), 0
    for episode in range(episodes):
        env.reset(seed=episode)
        for k in range(40):
            if k % (4 + 3 * episode) == 0:
                action = np.sign(rng.uniform(-1.0, 1.0, 7))
            *_, info = env.step(action)
            if info["filter_fault"]:
                faults += 1
                break
    env.close()
    return faults


@pytest.mark.parametrize("kind", ["position", "velocity"])
def test_with_what_the_refusal_names_the_filter_has_no_faults(kind):
    params = arm_of(kind)
    with pytest.raises(ConfigError, match="sim_params: the safety filter assumes") as error:
        make_env(params, SafetyParameters())
    words = str(error.value).split(": add ")[1].split()
    named = dict(word.removeprefix("safety.").split(":=") for word in words)
    values = {k: int(v) if k == "max_latency_periods" else float(v) for k, v in named.items()}
    assert drive_hard(params, dataclasses.replace(SafetyParameters(), **values)) == 0


def test_a_filter_that_assumes_an_ideal_drive_faults_on_a_soft_one(monkeypatch):
    monkeypatch.setattr("sinew_core.environments.arm.check_arm", lambda *_, **__: None)
    assert drive_hard(arm_of("position"), SafetyParameters()) > 0


def test_what_the_filter_has_to_assume_follows_from_the_gains():
    """By hand, for rotors so large that the links do not count."""
    gains = {"kp": [500.0] * 7, "kd": [20.0] * 7}
    params = SimParams(
        dynamics=ArmDynamics.from_values(ROBOT, {"armature/*": 100.0, "coulomb/*": 5.0}),
        controller=ArmController(mode="position", gains=gains, gravity_compensation=True),
    )
    needed = needed_assumptions(
        Randomisation(robot=ROBOT, base=params.dynamics), RATES, "joint_position", params.controller
    )
    # kd / kp = 40 ms are four periods at 100 Hz.
    assert needed["max_latency_periods"] == 4
    # 5 N m / 500 N m/rad, and a (I / kp - T^2 / 2) with half of the largest acceleration,
    # the 20 rad/s^2 of joint 7: 10 (0.2 - 0.0008) rad.
    assert needed["tracking_error_rad"] == pytest.approx(0.01 + 10.0 * (0.2 - 0.0008), rel=0.02)


def test_a_delay_and_a_linear_hold_count_as_latency():
    def periods(hold, delay_s):
        params = arm_of("effort", hold, delay_s=delay_s)
        arm = Randomisation(robot=ROBOT, base=params.dynamics)
        needed = needed_assumptions(arm, RATES, "joint_effort", params.controller)
        return needed["max_latency_periods"]

    assert [periods("zoh", d) for d in (0.0, 0.01, 0.0101)] == [0, 1, 2]
    assert periods("linear", 0.01) == 2


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("joint_velocity", "take mode 'position', but joint_velocity sends 'velocity'"),
        ("tool_velocity", "take mode 'position', but tool_velocity sends 'velocity'"),
    ],
)
def test_controllers_of_another_mode_are_refused(mode, message):
    with pytest.raises(ConfigError, match=message):
        ArmEnv(ROBOT, "", "mujoco", mode, sim_params=arm_of("position"), safety=SAFETY)


def test_gravity_compensation_has_to_be_known():
    params = arm_of("effort")
    bare = dataclasses.replace(params.controller, gravity_compensation=False)
    with pytest.raises(ConfigError, match="gravity_compensation is True, but"):
        make_env(dataclasses.replace(params, controller=bare))


def test_randomisation_is_around_the_identified_arm():
    params = arm_of("position", values={**VALUES, "mass/panda_link4": 5.0})
    content = {
        "parameters": {
            "mass/panda_link4": {"distribution": "constant", "value": 1.1, "as": "scale"},
            "coulomb/panda_joint1": {"distribution": "uniform", "low": 0.4, "high": 0.5},
        }
    }
    ranges = Randomisation.from_mapping(content, ROBOT, base=params.dynamics)
    env = make_env(params, randomisation=ranges)
    _, info = env.reset(seed=0)
    drawn, own = info["dynamics"], params.dynamics.values(ROBOT)
    assert drawn["mass/panda_link4"] == pytest.approx(5.5)
    assert 0.4 <= drawn["coulomb/panda_joint1"] <= 0.5
    same = set(own) - {"mass/panda_link4", "coulomb/panda_joint1"}
    assert {name: drawn[name] for name in same} == {name: own[name] for name in same}
    # None stands for the environment's own arm.
    assert env.reset(seed=0, options={"dynamics": None})[1]["dynamics"] == own
    env.close()


def test_links_are_drawn_so_that_they_can_exist():
    shape = {
        "centre_x": -0.04, "centre_y": 0.05, "centre_z": 0.02, "inertia_xx": 0.03,
        "inertia_xy": 0.0, "inertia_xz": 0.0, "inertia_yy": 0.025, "inertia_yz": 0.0,
        "inertia_zz": 0.02,
    }  # fmt: skip
    own = {f"{kind}/panda_link4": value for kind, value in shape.items()}
    base = ArmDynamics.from_values(ROBOT, own)
    name = "inertia_zz/panda_link4"

    def ranges(low, high):
        entry = {"distribution": "uniform", "low": low, "high": high}
        return Randomisation.from_mapping({"parameters": {name: entry}}, ROBOT, base=base)

    # At most the sum of the others, at least their difference: 0.005 to 0.055.
    drawn = [ranges(0.0, 0.1).draw_values(seed)[name] for seed in range(50)]
    assert 0.005 <= min(drawn) < 0.01 < 0.05 < max(drawn) <= 0.055
    assert drawn == [ranges(0.0, 0.1).draw_values(seed)[name] for seed in range(50)]
    with pytest.raises(ConfigError, match="none of 1000 draws of inertia_zz/panda_link4"):
        ranges(0.06, 0.1).draw_values(0)


def test_a_policy_is_trained_on_a_controlled_arm_and_its_bundle_says_so(tmp_path):
    configuration = tiny_run(tmp_path)
    result = train(
        configuration,
        on_progress=lambda _: None,
        should_stop=lambda: False,
        run_folder=tmp_path / "run",
        workers=1,
    )
    manifest = load_bundle(result.bundle).manifest
    kept = manifest.training["sim_params"]
    assert kept["controller"]["kp"]["panda_joint7"] == 150.0
    assert kept["dynamics"]["delay_s"] == 0.0073
    text = (tmp_path / "run" / "sim_params.yaml").read_text()
    assert text == write_sim_params(arm_of("position"), ROBOT)


def test_a_run_goes_on_with_its_own_arm_only(tmp_path):
    configuration, folder = tiny_run(tmp_path), tmp_path / "run"
    folder.mkdir()
    for _ in range(2):
        Arms(configuration, ROBOT).keep(folder)
    other = arm_of("position", delay_s=0.008)
    (tmp_path / "arm.yaml").write_text(write_sim_params(other, ROBOT))
    with pytest.raises(RunError, match=r"arm\.yaml is not what the run was started with"):
        Arms(configuration, ROBOT).keep(folder)


def test_a_physics_rate_too_low_for_the_gains_is_refused_with_one_that_works(tmp_path):
    params = arm_of("position", values={"armature/*": 0.0})
    stiff = {name: [4.0 * gain for gain in gains] for name, gains in GAINS["position"].items()}
    params = dataclasses.replace(
        params, controller=dataclasses.replace(params.controller, gains=stiff)
    )
    with pytest.raises(ConfigError, match=r"physics_rate_hz 1000 is too low .* use \d+ or more"):
        make_env(params)


def silent_arm(kind):
    """An arm in motion that nobody commands any more, and its engine."""
    params = arm_of(kind, values=VALUES | {"payload/mass": 0.0})
    engine = make_engine("mujoco", ROBOT, 1000)
    drive = make_drive(f"joint_{kind}", engine, 0.01, gravity_compensation=True, controlled=True)
    arm = SimulatedArm(
        engine, drive, period_ns=10**7, watchdog_s=0.05, params=params, command_period_s=0.01
    )
    commands = {"position": ROBOT.home_rad + 0.2, "velocity": np.full(7, 0.3)}
    for _ in range(15):
        assert arm.accept(commands.get(kind, np.full(7, 0.8)))
        arm.step()
    return engine, arm, commands


@pytest.mark.parametrize("kind", ["position", "velocity", "effort"])
def test_silence_brings_a_controlled_arm_to_rest(kind):
    engine, arm, commands = silent_arm(kind)
    assert np.abs(arm.velocity).max() > 0.05
    for _ in range(200):
        arm.step()
    assert np.abs(arm.velocity).max() < 2e-3
    if kind == "position":
        assert np.abs(arm.position - commands[kind]).max() < 0.01
        assert arm.watchdog_trips == 0
    else:
        assert arm.watchdog_trips == 1
    # It takes commands again.
    target = {"position": arm.position + 0.1, "velocity": np.full(7, -0.2)}
    for _ in range(20):
        arm.accept(target.get(kind, np.full(7, -0.8)))
        arm.step()
    assert np.abs(arm.velocity).max() > 0.05
    engine.close()


@pytest.mark.parametrize(
    "edited",
    [
        {"urdf_text": ROBOT.urdf_text.replace("1", "2", 1)},
        {"home_rad": 0.9 * ROBOT.home_rad},
        {"limits": dataclasses.replace(ROBOT.limits, effort_nm=0.5 * ROBOT.limits.effort_nm)},
    ],
)
def test_a_run_goes_on_with_its_own_robot_only(edited, tmp_path):
    configuration = RunConfiguration.from_mapping({"robot": "my/panda.yaml"})
    for _ in range(2):
        Arms(configuration, ROBOT).keep(tmp_path)
    other = dataclasses.replace(ROBOT, **edited)
    with pytest.raises(RunError, match=r"my/panda\.yaml is not what the run was started with"):
        Arms(configuration, other).keep(tmp_path)
