"""Arms with joint controllers of their own: both engines and the compiled roll-out agree."""

import dataclasses

import numpy as np
import pytest

from sinew_core.bags.recording import Commands
from sinew_core.errors import ConfigError
from sinew_core.robots import load_robot
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation import ENGINE_NAMES, make_engine
from sinew_core.simulation.rollout import EnginePlant, Plant

pytest.importorskip("mujoco")
pytest.importorskip("pybullet")

PANDA = load_robot("panda")
RATE_HZ = 1000
GAINS = {
    "position": {"kp": [400.0] * 4 + [200.0, 200.0, 100.0], "kd": [40.0] * 4 + [10.0, 10.0, 5.0]},
    "velocity": {"kp_v": [40.0] * 4 + [10.0] * 3, "ki_v": [200.0] * 4 + [50.0] * 3},
    "effort": {},
}
VALUES = {
    "coulomb/*": 0.3, "viscous/*": 0.4, "armature/*": 0.1, "motor_strength/*": 0.95,
    "payload/mass": 0.8, "payload/z_m": 0.1, "delay_s": 0.0073,
}  # fmt: skip
SAMPLE_S = np.arange(0.0, 1.0, 0.0037)
SENT_S = np.arange(0.0, 1.0, 0.01)


@pytest.fixture(scope="module")
def plants():
    engines = [EnginePlant(name, PANDA, RATE_HZ) for name in ENGINE_NAMES]
    yield [Plant(PANDA, RATE_HZ), *engines]
    for plant in engines:
        plant.close()


def params_of(mode, hold="zoh", compensated=True, values=VALUES):
    controller = ArmController(
        mode=mode, gains=GAINS[mode], gravity_compensation=compensated, hold=hold
    )
    return SimParams(dynamics=ArmDynamics.from_values(PANDA, values), controller=controller)


def commands_of(mode, sent_s=SENT_S):
    rates = np.arange(1.0, 8.0)
    waves = np.sin(rates * sent_s[:, None])
    values = {
        "position": PANDA.home_rad + 0.2 * waves,
        "velocity": 0.2 * rates * np.cos(rates * sent_s[:, None]),
        "effort": waves * [1.0, 1.0, 1.0, 1.0, 0.4, 0.4, 0.4],
    }
    return Commands(mode=mode, time_s=sent_s, values=values[mode], topic="")


def motions(plants, params, commands, sample_s=SAMPLE_S):
    start, speed = PANDA.home_rad, np.linspace(-0.1, 0.1, 7)
    return [plant.roll_out(params, commands, start, speed, sample_s) for plant in plants]


def assert_alike(found, position_rad=1e-9, velocity_rad_s=1e-8, effort_nm=1e-6):
    for other in found[1:]:
        np.testing.assert_allclose(other.position_rad, found[0].position_rad, atol=position_rad)
        np.testing.assert_allclose(
            other.velocity_rad_s, found[0].velocity_rad_s, atol=velocity_rad_s
        )
        np.testing.assert_allclose(other.effort_nm[1:], found[0].effort_nm[1:], atol=effort_nm)


@pytest.mark.parametrize("hold", ["zoh", "linear"])
@pytest.mark.parametrize("mode", ["position", "velocity"])
def test_engines_and_roll_out_agree(plants, mode, hold):
    found = motions(plants, params_of(mode, hold), commands_of(mode))
    assert np.abs(found[0].position_rad - PANDA.home_rad).max() > 0.1
    assert_alike(found)


def test_engines_and_roll_out_agree_on_efforts(plants):
    # Nothing leads these motions back together, so differences grow; a payload would fall.
    values = {**VALUES, "payload/mass": 0.0}
    found = motions(plants, params_of("effort", values=values), commands_of("effort"))
    assert_alike(found, 1e-7, 1e-6, 1e-6)


def test_they_agree_without_compensation_and_with_commands_at_any_time(plants):
    rng = np.random.default_rng(0)
    sent_s = np.sort(rng.uniform(-0.05, 1.0, 120))
    for hold in ("zoh", "linear"):
        found = motions(plants, params_of("position", hold, False), commands_of("position", sent_s))
        assert_alike(found)


def test_they_agree_on_links_of_another_shape(plants):
    robot = PANDA
    link = "panda_link4"
    values = VALUES | {f"mass/{link}": 4.0} | {
        f"{kind}/{link}": value
        for kind, value in {
            "centre_x": -0.04, "centre_y": 0.05, "centre_z": 0.02, "inertia_xx": 0.03,
            "inertia_xy": 0.002, "inertia_xz": -0.001, "inertia_yy": 0.025, "inertia_yz": 0.001,
            "inertia_zz": 0.02,
        }.items()
    }  # fmt: skip
    params = params_of("position", values=values)
    found = motions(plants, params, commands_of("position"))
    assert_alike(found)
    nominal = plants[0].roll_out(
        params_of("position"), commands_of("position"), robot.home_rad, np.zeros(7), SAMPLE_S
    )
    assert np.abs(nominal.position_rad - found[0].position_rad).max() > 1e-3


@pytest.mark.parametrize("mode", ["position", "velocity", "effort"])
def test_ideal_drives_agree(plants, mode):
    # At rest the friction of an ideal drive has the sign of what rounding leaves of its speed.
    values = {**VALUES, "payload/mass": 0.0, "coulomb/*": 0.0}
    params = SimParams(dynamics=ArmDynamics.from_values(PANDA, values))
    found = motions(plants, params, commands_of(mode))
    assert_alike(found, 1e-7, 1e-6, 1e-5)


def test_replayed_efforts_agree(plants):
    params = params_of("position")
    (driven,) = motions(plants[:1], params, commands_of("position"))
    replays = [
        plant.replay_efforts(
            params, SAMPLE_S, driven.effort_nm, PANDA.home_rad, np.zeros(7), SAMPLE_S[:50]
        )
        for plant in plants
    ]
    assert_alike(replays, 1e-8, 1e-7, 1e-6)


@pytest.fixture(params=ENGINE_NAMES)
def engine(request):
    made = make_engine(request.param, PANDA, RATE_HZ)
    yield made
    made.close()


def state_of(engine):
    state = np.empty((3, 7))
    engine.read_state(*state)
    return state


def test_another_command_takes_over_until_one_arrives_at_the_controllers(engine):
    params = params_of("position", values={**VALUES, "delay_s": 0.01, "motor_strength/*": 1.0})
    engine.set_dynamics(params.dynamics, params.controller, 0.01)
    engine.reset(PANDA.home_rad)
    engine.command_velocity(np.full(7, 0.1))
    engine.step(50)
    np.testing.assert_allclose(state_of(engine)[1], 0.1, atol=1e-9)
    there = state_of(engine)[0]
    engine.command_controllers(there)
    engine.step(10)
    np.testing.assert_allclose(state_of(engine)[1], 0.1, atol=1e-9)
    engine.step(500)
    assert np.abs(state_of(engine)[1]).max() < 1e-3
    # What holds it is a spring, which friction and the payload's weight deflect.
    assert 1e-6 < np.abs(state_of(engine)[0] - there).max() < 0.05


def test_a_reset_forgets_what_was_on_its_way(engine):
    params = params_of("position", "linear")
    engine.set_dynamics(params.dynamics, params.controller, 0.01)
    seen = []
    for sent in (0, 300):
        engine.reset(PANDA.home_rad)
        for _ in range(sent):
            engine.command_controllers(PANDA.home_rad + 0.3)
            engine.step(1)
        engine.reset(PANDA.home_rad)
        for k in range(100):
            engine.command_controllers(PANDA.home_rad + 0.001 * k)
            engine.step(3)
        seen.append(state_of(engine))
    np.testing.assert_array_equal(seen[0], seen[1])


def test_many_commands_may_be_on_their_way(engine):
    """A delay of 400 commands: more than are kept at first."""
    params = params_of("position", values={**VALUES, "delay_s": 0.4})
    engine.set_dynamics(params.dynamics, params.controller, 0.001)
    engine.reset(PANDA.home_rad)
    for k in range(400):
        engine.command_controllers(PANDA.home_rad + 1e-4 * k)
        engine.step(1)
    sent_s = np.arange(400) / RATE_HZ
    commands = Commands(
        mode="position",
        time_s=sent_s,
        values=PANDA.home_rad + 1e-4 * np.arange(400)[:, None],
        topic="",
    )
    engine.step(300)
    motion = Plant(PANDA, RATE_HZ).roll_out(
        params, commands, PANDA.home_rad, np.zeros(7), np.array([0.0, 0.7])
    )
    np.testing.assert_allclose(state_of(engine)[0], motion.position_rad[1], atol=1e-9)


def test_an_arm_without_controllers_takes_no_commands_for_them(engine):
    for dynamics in (None, ArmDynamics.nominal(PANDA)):
        engine.set_dynamics(dynamics)
        with pytest.raises(ConfigError, match="no controllers of its own"):
            engine.command_controllers(PANDA.home_rad)


def test_gains_too_high_for_the_rate_are_refused(engine):
    params = params_of("position", values={"armature/*": 0.0})
    stiff = dataclasses.replace(params.controller, gains={"kp": [1e3] * 7, "kd": [100.0] * 7})
    with pytest.raises(ConfigError, match="physics_rate_hz 1000 is too low"):
        engine.set_dynamics(params.dynamics, stiff)
