"""The object on the table, in both engines: rest, friction, contact with the tool, repetition."""

import numpy as np
import pytest

from sinew_core.robots import load_robot
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.simulation import ENGINE_NAMES, make_engine
from sinew_core.simulation.tabletop import Tabletop

PANDA = load_robot("panda")
FRICTION = 0.4
# The tool at (0.35, 0, 0.04) m, turned as at home.
BESIDE_RAD = np.array([0.0, 0.2013, 0.0, -2.8424, 0.0, 3.0348, 0.7854])
TABLE = Tabletop(
    table_height_m=0.0,
    object_size_m=0.06,
    object_mass_kg=0.2,
    table_friction=FRICTION,
    tool_friction=0.3,
    tool_radius_m=0.02,
)
PLACE = np.array([0.5, 0.1, 0.03])


@pytest.fixture(scope="module", params=ENGINE_NAMES)
def engine(request):
    pytest.importorskip(request.param)
    engine = make_engine(request.param, PANDA, 500, TABLE)
    yield engine
    engine.close()


def read(engine):
    place, axis = np.empty(3), np.empty(3)
    *place[:], w, i, j, k = engine.object_pose()
    axis[:] = w * w + i * i - j * j - k * k, 2.0 * (i * j + w * k), 2.0 * (i * k - w * j)
    return place, axis


def begin(engine, position_rad=PANDA.home_rad, **how):
    engine.reset(position_rad)
    engine.place_object(how.pop("place", PLACE), how.pop("heading", 0.0), **how)
    engine.command_velocity(np.zeros(7))


def test_an_object_that_nothing_touches_stays_where_it_is(engine):
    begin(engine, heading=0.3)
    place, axis = read(engine)
    np.testing.assert_allclose(place, PLACE, atol=1e-9)
    np.testing.assert_allclose(axis, [np.cos(0.3), np.sin(0.3), 0.0], atol=1e-9)
    engine.step(1000)
    place, axis = read(engine)
    np.testing.assert_allclose(place[:2], PLACE[:2], atol=1e-4)
    assert place[2] == pytest.approx(0.03, abs=3e-4)  # contacts give way a little
    np.testing.assert_allclose(axis, [np.cos(0.3), np.sin(0.3), 0.0], atol=1e-3)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 45.0])
def test_a_sliding_object_is_slowed_by_friction_times_gravity_in_every_direction(engine, degrees):
    way = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0.0])
    begin(engine, velocity_m_s=0.6 * way)
    engine.step(50)
    # 0.1 s: 0.6 * 0.1 - 0.4 * 9.81 * 0.1² / 2 = 0.04038 m
    travelled = (read(engine)[0] - PLACE)[:2]
    np.testing.assert_allclose(travelled, 0.04038 * way[:2], atol=1e-3)
    engine.step(250)
    # 0.6² / (2 * 0.4 * 9.81) = 0.04587 m
    travelled = (read(engine)[0] - PLACE)[:2]
    np.testing.assert_allclose(travelled, 0.04587 * way[:2], atol=1e-3)


def push(engine, *, seconds=0.5):
    """Turn the first joint: the tool at x = 0.35 m moves along y at 0.07 m/s, into the cube."""
    begin(engine, BESIDE_RAD, place=np.array([0.35, 0.06, 0.03]))
    speed = np.zeros(7)
    speed[0] = 0.2
    engine.command_velocity(speed)
    states = []
    for _ in range(round(25 * seconds)):
        engine.step(20)
        position, velocity, effort = np.empty(7), np.empty(7), np.empty(7)
        engine.read_state(position, velocity, effort)
        states.append((position, velocity, *read(engine)))
    return states


def test_the_tool_pushes_the_object_before_it_and_keeps_its_speed(engine):
    position, velocity, place, _ = push(engine)[-1]
    tool = PANDA.chain.tool_position(position)
    # 0.035 m of way, of which 0.01 m were free
    assert place[1] == pytest.approx(0.06 + 0.025, abs=4e-3)
    assert place[1] - tool[1] == pytest.approx(0.05, abs=4e-3)  # 0.03 and the ball's 0.02
    np.testing.assert_allclose(velocity, [0.2, *[0.0] * 6], atol=5e-3)


def test_what_is_not_the_ball_passes_through_the_object(engine):
    # The tool's point is 0.49 m above the table at home; the cube around the forearm stays.
    begin(engine, place=np.array([0.0, 0.0, 0.03]))
    engine.step(200)
    np.testing.assert_allclose(read(engine)[0][:2], 0.0, atol=1e-4)


def test_a_reset_forgets_all_contacts(engine):
    first = push(engine, seconds=0.3)
    begin(engine, velocity_m_s=np.array([0.3, 0.2, 0.0]))
    engine.step(33)
    for before, after in zip(first, push(engine, seconds=0.3), strict=True):
        for a, b in zip(before, after, strict=True):
            assert a.tobytes() == b.tobytes()


def test_another_copy_of_the_arm_pushes_the_same_object(engine):
    nominal = push(engine, seconds=0.3)
    engine.set_dynamics(ArmDynamics.from_values(PANDA, {"motor_strength/panda_joint1": 0.8}))
    weak, again = push(engine), push(engine)
    engine.set_dynamics(None)
    back = push(engine, seconds=0.3)
    position, velocity, place, _ = weak[-1]
    np.testing.assert_allclose(velocity, [0.8 * 0.2, *[0.0] * 6], atol=5e-3)
    # 0.028 m of way, of which 0.01 m were free
    assert place[1] == pytest.approx(0.06 + 0.018, abs=4e-3)
    assert place[1] - PANDA.chain.tool_position(position)[1] == pytest.approx(0.05, abs=4e-3)
    for first, second in ((weak, again), (nominal, back)):
        for a, b in zip(first, second, strict=True):
            assert [x.tobytes() for x in a] == [x.tobytes() for x in b]


def test_the_picture_shows_the_object(engine):
    pytest.importorskip("pybullet")
    begin(engine)
    near = engine.render(64, 48)
    begin(engine, place=np.array([0.5, -0.2, 0.03]))
    assert not np.array_equal(near, engine.render(64, 48))
