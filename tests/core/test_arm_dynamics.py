"""What each quantity of an arm's dynamics does, in each engine, against physics by hand."""

import math

import numpy as np
import pytest

from dynamics_samples import INERTIA_KG_M2, LENGTH_M, MASS_KG, pendulum
from sinew_core.errors import ConfigError
from sinew_core.robots.arm_dynamics import ArmDynamics, read_dynamics, write_dynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.inertia import carried_bodies, steiner
from sinew_core.simulation import ENGINE_NAMES, make_engine
from sinew_core.simulation.delay import DelayedCommands
from sinew_core.simulation.sensors import SensorNoise

RATE_HZ = 1000
PERIOD_S = 1.0 / RATE_HZ
UPRIGHT, LEVEL = "0 0 1", "0 1 0"
PANDA = load_robot("panda")


@pytest.fixture(scope="module", params=ENGINE_NAMES)
def hinge(request, tmp_path_factory):
    """A function that gives the pendulum about an axis, with dynamics, in motion or at rest."""
    engines = {
        axis: make_engine(request.param, pendulum(tmp_path_factory.mktemp("p"), axis), RATE_HZ)
        for axis in (UPRIGHT, LEVEL)
    }

    def placed(axis, values, position=0.0, velocity=0.0):
        engine = engines[axis]
        engine.set_dynamics(ArmDynamics.from_values(engine.robot, values))
        engine.reset(np.array([position]), np.array([velocity]))
        return engine

    yield placed
    for engine in engines.values():
        engine.close()


def state(engine):
    rows = [np.empty(engine.robot.n_joints) for _ in range(3)]
    engine.read_state(*rows)
    return np.array(rows)


def push(engine, effort, steps, *, gravity_compensation=False):
    engine.command_effort(np.array([effort]), gravity_compensation=gravity_compensation)
    engine.step(steps)
    return state(engine)[:, 0]


def drive(engine, speed, steps):
    engine.command_velocity(np.array([speed]))
    engine.step(steps)
    return state(engine)[:, 0]


def test_coulomb_friction_stops_a_joint_after_the_way_that_its_energy_lasts(hinge):
    # I v^2 / 2 = f s: 0.1 * 2^2 / 2 = 0.2 * 1 rad; Euler's steps end v h / 2 = 1 mrad before.
    engine = hinge(UPRIGHT, {"coulomb/hinge": 0.2}, velocity=2.0)
    position, velocity, _ = push(engine, 0.0, 1100)
    assert position == pytest.approx(1.0, abs=1.1e-3)
    assert velocity == pytest.approx(0.0, abs=1e-12)
    assert push(engine, 0.0, 500)[0] == pytest.approx(position, abs=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_joint_sticks_until_the_effort_exceeds_its_friction(hinge, sign):
    engine = hinge(UPRIGHT, {"coulomb/hinge": 0.2})
    assert push(engine, sign * 0.199, 200)[1] == pytest.approx(0.0, abs=1e-12)
    # (0.25 - 0.2) N m on 0.1 kg m^2 for 0.2 s.
    assert push(engine, sign * 0.25, 200)[1] == pytest.approx(sign * 0.1, abs=1e-9)


def test_viscous_friction_makes_the_speed_decay_exponentially(hinge):
    engine = hinge(UPRIGHT, {"viscous/hinge": 0.05}, velocity=2.0)
    expected = 2.0 * math.exp(-1.0 * 0.05 / INERTIA_KG_M2)
    assert push(engine, 0.0, 1000)[1] == pytest.approx(expected, rel=2e-4)


def test_viscous_friction_is_stable_however_large(hinge):
    # Explicit damping diverges at b h / I > 2: here it is 9.
    engine = hinge(UPRIGHT, {"viscous/hinge": 9.0 * INERTIA_KG_M2 / PERIOD_S}, velocity=2.0)
    assert push(engine, 0.0, 1)[1] == pytest.approx(0.2)


def test_a_rotor_adds_its_inertia(hinge):
    engine = hinge(UPRIGHT, {"armature/hinge": 0.2})
    # 0.3 N m on 0.1 + 0.2 kg m^2.
    assert push(engine, 0.3, 100)[1] == pytest.approx(0.1, abs=1e-9)


def test_a_rotor_is_not_moved_by_gravity(hinge):
    engine = hinge(LEVEL, {"armature/hinge": 0.4}, position=math.pi / 2)
    whole = INERTIA_KG_M2 + MASS_KG * LENGTH_M**2 + 0.4
    speed = -MASS_KG * 9.81 * LENGTH_M / whole * PERIOD_S
    assert push(engine, 0.0, 1)[1] == pytest.approx(speed, abs=1e-9)


def test_a_heavier_link_falls_out_of_the_nominal_gravity_effort(hinge):
    engine = hinge(LEVEL, {"mass/arm": 1.2 * MASS_KG}, position=math.pi / 2)
    missing = 0.2 * MASS_KG * 9.81 * LENGTH_M
    inertia = 1.2 * (INERTIA_KG_M2 + MASS_KG * LENGTH_M**2)
    velocity = push(engine, 0.0, 1, gravity_compensation=True)[1]
    assert velocity == pytest.approx(-missing / inertia * PERIOD_S, abs=1e-9)
    nominal = MASS_KG * 9.81 * LENGTH_M
    assert engine.gravity_effort(np.array([math.pi / 2])) == pytest.approx(nominal)


def test_the_drive_holds_a_heavier_link_with_more_effort(hinge):
    engine = hinge(LEVEL, {"mass/arm": 1.2 * MASS_KG}, position=math.pi / 2)
    position, _, effort = drive(engine, 0.0, 100)
    assert position == pytest.approx(math.pi / 2, abs=1e-9)
    assert effort == pytest.approx(1.2 * MASS_KG * 9.81 * LENGTH_M)


def test_a_payload_weighs_and_turns_where_it_is(hinge):
    payload = {"payload/mass": 1.5, "payload/z_m": -0.1}
    engine = hinge(LEVEL, payload, position=math.pi / 2)
    lever = LENGTH_M + 0.1
    weight = (MASS_KG * LENGTH_M + 1.5 * lever) * 9.81
    inertia = INERTIA_KG_M2 + MASS_KG * LENGTH_M**2 + 1.5 * lever**2
    assert push(engine, 0.0, 1)[1] == pytest.approx(-weight / inertia * PERIOD_S, abs=1e-9)


def test_a_weak_motor_gives_its_share_of_effort_and_of_its_limit(hinge):
    engine = hinge(UPRIGHT, {"motor_strength/hinge": 0.8})
    _, velocity, effort = push(engine, 1.0, 10)
    assert (velocity, effort) == pytest.approx((0.8 * 10 * PERIOD_S / INERTIA_KG_M2, 0.8))
    assert push(engine, 1e3, 1)[2] == pytest.approx(0.8 * 50.0)


def test_a_weak_drive_reaches_its_share_of_the_speed(hinge):
    engine = hinge(UPRIGHT, {"motor_strength/hinge": 0.8})
    assert drive(engine, 0.5, 5)[1] == pytest.approx(0.4, abs=1e-12)


def test_a_drive_overcomes_friction_and_says_with_what_effort(hinge):
    engine = hinge(UPRIGHT, {"coulomb/hinge": 0.3, "viscous/hinge": 0.5})
    _, velocity, effort = drive(engine, -1.0, 10)
    assert velocity == pytest.approx(-1.0, abs=1e-12)
    assert effort == pytest.approx(-0.3 - 0.5)


def test_friction_takes_its_part_of_a_saturated_drive(hinge):
    engine = hinge(UPRIGHT, {"coulomb/hinge": 10.0})
    # 5 rad/s in a step would take 500 N m of the 50, of which friction leaves 40.
    _, velocity, effort = drive(engine, 5.0, 1)
    assert velocity == pytest.approx(40.0 * PERIOD_S / INERTIA_KG_M2)
    assert effort == pytest.approx(50.0)
    # And it helps to brake: 60 N m take off 0.6 rad/s.
    engine.reset(np.zeros(1), np.array([5.0]))
    assert drive(engine, 0.0, 1)[1] == pytest.approx(5.0 - 60.0 * PERIOD_S / INERTIA_KG_M2)


@pytest.mark.parametrize("mode", ["effort", "velocity"])
def test_stops_hold_a_joint_with_friction_too(hinge, mode):
    engine = hinge(UPRIGHT, {"coulomb/hinge": 0.1}, position=2.9)
    (push if mode == "effort" else drive)(engine, 1.0, 1500)
    assert state(engine)[0, 0] == pytest.approx(3.0, abs=1e-3)


def motions(engine):
    """States of 20 cycles under velocities, then under efforts, (2, 20, 3, n)."""
    n = engine.robot.n_joints
    rng = np.random.default_rng(5)
    states = []
    for by_effort in (False, True):
        engine.reset(engine.robot.home_rad, np.full(n, 0.05))
        for _ in range(20):
            command = rng.uniform(-0.2, 0.2, n)
            if by_effort:
                engine.command_effort(command, gravity_compensation=True)
            else:
                engine.command_velocity(command)
            engine.step(5)
            states.append(state(engine))
    return np.array(states)


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_the_nominal_arm_comes_back_to_the_last_bit(name):
    engine = make_engine(name, PANDA, 500)
    other = ArmDynamics.from_values(PANDA, {"mass/*": 2.0, "coulomb/*": 0.3, "payload/mass": 1.0})
    before = motions(engine)
    engine.set_dynamics(other)
    varied = motions(engine)
    engine.set_dynamics(None)
    np.testing.assert_array_equal(motions(engine), before)
    engine.set_dynamics(other)
    np.testing.assert_array_equal(motions(engine), varied)
    assert np.abs(varied - before).max() > 0.1
    engine.close()


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_nominal_values_move_as_the_nominal_arm(name):
    engine = make_engine(name, PANDA, 500)
    before = motions(engine)
    engine.set_dynamics(ArmDynamics.nominal(PANDA))
    np.testing.assert_allclose(motions(engine), before, atol=1e-8)
    engine.close()


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_a_scaled_body_is_one_that_can_exist(share):
    nominal = carried_bodies(PANDA)
    values = {f"mass/panda_link{i + 1}": share * body.mass for i, body in enumerate(nominal)}
    for body, before in zip(
        ArmDynamics.from_values(PANDA, values).bodies(PANDA), nominal, strict=True
    ):
        centre = body.moment / body.mass
        np.testing.assert_allclose(centre, before.moment / before.mass)
        about_centre = body.inertia - body.mass * steiner(centre)
        np.testing.assert_allclose(body.inertia, share * before.inertia)
        moments = np.linalg.eigvalsh(about_centre)
        assert moments[0] > 0.0
        assert moments[2] <= moments[0] + moments[1] + 1e-12


def test_values_come_back_by_their_names():
    given = {"mass/panda_link3": 2.5, "coulomb/panda_joint2": 0.4, "delay_s": 0.01}
    values = ArmDynamics.from_values(PANDA, given).values(PANDA)
    nominal = ArmDynamics.nominal(PANDA).values(PANDA)
    assert {n: v for n, v in values.items() if v != nominal[n]} == given
    assert ArmDynamics.from_values(PANDA, values).values(PANDA) == values


def test_a_star_stands_for_every_joint():
    arm = ArmDynamics.from_values(PANDA, {"coulomb/*": 0.4})
    assert arm.coulomb_nm.tolist() == [0.4] * 7


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"coulomb/panda_joint9": 0.1}, "unknown name 'coulomb/panda_joint9': did you mean"),
        ({"friction/*": 0.1}, "unknown name"),
        ({"delay_s": -0.1}, "delay_s is -0.1: allowed 0 to 1 s"),
        ({"mass/*": 0.0}, "allowed 0.001 to 1000 kg"),
        ({"delay_s": math.nan}, "delay_s is nan: expected a finite number"),
        ({"delay_s": "soon"}, "expected a finite number"),
        ({"viscous/*": 0.1, "viscous/panda_joint1": 0.2}, "both give viscous/panda_joint1"),
    ],
)
def test_a_wrong_value_is_refused_with_its_file(tmp_path, values, message):
    path = tmp_path / "arm.yaml"
    path.write_text(write_dynamics(values))
    with pytest.raises(ConfigError, match=message) as caught:
        read_dynamics(path, PANDA)
    assert "arm.yaml" in str(caught.value)


@pytest.mark.parametrize("text", ["", "- 1", "{", "dynamic: {}", "dynamics: 3"])
def test_a_file_of_another_form_is_refused(tmp_path, text):
    path = tmp_path / "arm.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"arm\.yaml"):
        read_dynamics(path, PANDA)


def test_a_command_moves_the_arm_after_its_delay(hinge):
    engine = hinge(UPRIGHT, {})
    commands = DelayedCommands(engine, engine.command_velocity, delay_s=7 * PERIOD_S)
    positions = []
    speed = 0.1  # reached in a step by a tenth of the effort
    for sign in (1.0, -1.0, 0.0, 0.0):
        commands.send([sign * speed])
        commands.step(5)
        positions.append(state(engine)[0, 0] / PERIOD_S / speed)
    # It is under way for 7 steps: forth in steps 7 to 11, back in 12 to 16, then at rest.
    assert positions == pytest.approx([0.0, 3.0, 2.0, 0.0], abs=1e-9)


def test_noise_has_its_deviation_and_its_bound():
    values = {"sensor_noise/position_rad": 0.01, "sensor_noise/velocity_rad_s": 0.1}
    noise = SensorNoise(ArmDynamics.from_values(PANDA, values))
    positions, velocities = np.zeros(20_000), np.zeros(20_000)
    noise.add(positions, velocities, np.random.default_rng(0))
    # Cut off at three deviations a normal distribution loses 0.7 % of its deviation.
    assert positions.std() == pytest.approx(0.01, rel=0.03)
    assert velocities.std() == pytest.approx(0.1, rel=0.03)
    assert np.abs(positions).max() == pytest.approx(0.03)
