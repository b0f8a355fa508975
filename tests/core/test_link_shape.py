"""A link of a measured shape: what its inertia is, how files name it, and that engines move it."""

import numpy as np
import pytest

from dynamics_samples import INERTIA_KG_M2, LENGTH_M, MASS_KG, pendulum
from sinew_core.errors import ConfigError
from sinew_core.robots.arm_dynamics import ArmDynamics, read_dynamics, write_dynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.inertia import carried_bodies
from sinew_core.robots.link_shape import SHAPE, body_of, can_exist, shape_of
from sinew_core.simulation import ENGINE_NAMES, make_engine

PANDA = load_robot("panda")


def shape_values(link, centre, inertia):
    return dict(zip((f"{kind}/{link}" for kind in SHAPE), [*centre, *inertia], strict=True))


def test_a_bodys_shape_and_mass_give_the_body_back():
    for body in carried_bodies(PANDA):
        again = body_of(body.mass, shape_of(body))
        np.testing.assert_allclose(again.moment, body.moment, atol=1e-14)
        np.testing.assert_allclose(again.inertia, body.inertia, atol=1e-14)


def test_the_pendulums_shape_is_what_its_description_says(tmp_path):
    robot = pendulum(tmp_path, "0 1 0")
    row = shape_of(carried_bodies(robot)[0])
    i = INERTIA_KG_M2
    np.testing.assert_allclose(row, [0, 0, -LENGTH_M, i, 0, 0, i, 0, i], atol=1e-15)


def test_a_file_with_a_shape_reads_back_the_same(tmp_path):
    given = {
        "mass/panda_link7": 1.5,
        **shape_values("panda_link7", [0.01, -0.02, 0.1], [0.02, 0.001, 0, 0.02, -0.001, 0.01]),
    }
    path = tmp_path / "arm.yaml"
    path.write_text(write_dynamics(given))
    values = read_dynamics(path, PANDA).values(PANDA)
    assert {name: values[name] for name in given} == given
    assert "centre_x/panda_link6" not in values
    assert ArmDynamics.from_values(PANDA, values).values(PANDA) == values


@pytest.mark.parametrize("engine_name", ENGINE_NAMES)
def test_a_shape_moves_a_pendulum_as_physics_says(engine_name, tmp_path):
    robot = pendulum(tmp_path, "0 1 0")
    engine = make_engine(engine_name, robot, 1000)
    # Centre 0.3 m below the hinge and 0.05 about it: 0.05 + 2 * 0.3^2 = 0.23 kg m^2, level.
    shape = shape_values("arm", [0.0, 0.0, -0.3], [0.05, 0.0, 0.0, 0.05, 0.0, 0.05])
    engine.set_dynamics(ArmDynamics.from_values(robot, {"mass/arm": MASS_KG, **shape}))
    engine.reset(np.array([np.pi / 2]), np.array([0.0]))
    engine.command_effort(np.array([0.0]), gravity_compensation=False)
    engine.step(1)
    rows = [np.empty(1) for _ in range(3)]
    engine.read_state(*rows)
    engine.close()
    assert abs(rows[1][0]) == pytest.approx(1e-3 * MASS_KG * 9.81 * 0.3 / 0.23, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inertia_zz/panda_link7": None}, "inertia_zz/panda_link7 is missing"),
        ({"inertia_zz/panda_link7": 0.05}, "no body has it"),
        ({"centre_x/panda_link7": 9.0}, "allowed -5 to 5 m"),
        ({"centre_q/panda_link7": 0.0}, "unknown name 'centre_q/panda_link7'"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(change, message):
    good = shape_values("panda_link7", [0.0, 0.0, 0.1], [0.02, 0.0, 0.0, 0.02, 0.0, 0.02])
    changed = {k: v for k, v in {**good, **change}.items() if v is not None}
    with pytest.raises(ConfigError, match=message):
        ArmDynamics.from_values(PANDA, changed)


def test_only_a_body_of_positive_mass_can_exist():
    # Of a flat plate one moment is the sum of the others: the border.
    assert can_exist(np.array([0, 0, 0, 1, 0, 0, 1, 0, 1.99]))
    assert not can_exist(np.array([0, 0, 0, 1, 0, 0, 1, 0, 2.01]))
