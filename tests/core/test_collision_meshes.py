import math

import numpy as np
import pytest

from collision_samples import ACROSS, arm, everything, only, postures
from sinew_core.collision import CollisionModel
from sinew_core.errors import RobotError
from sinew_core.safety.parameters import SafetyParameters

CUBE = """v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nv 0 0 1\nv 1 0 1\nv 0 1 1\nv 1 1 1\nv 0.5 0.5 0.5
f 1 3 4 2\nf 5 6 8 7\nf 1 2 6 5\nf 3 7 8 4\nf 1 5 7 3\nf 2 4 8 6\nf 9 1 2\n"""


def mesh(filename):
    return (
        f'<collision><origin xyz="-0.05 -0.1 0.15"/><geometry><mesh filename="{filename}" '
        'scale="0.1 0.2 0.3"/></geometry></collision>'
    )


def test_a_mesh_counts_as_its_convex_hull(tmp_path):
    # The brick as a mesh: the unit cube, scaled, its corner at the brick's.
    (tmp_path / "cube.obj").write_text(CUBE)
    parameters = everything()
    bricks = CollisionModel(arm(tmp_path), parameters)
    for filename in (tmp_path / "cube.obj", f"file://{tmp_path}/cube.obj"):
        meshes = CollisionModel(arm(tmp_path, lower=mesh(filename)), parameters)
        assert meshes.pairs == bricks.pairs
        assert np.array(meshes.levers_m) == pytest.approx(np.array(bricks.levers_m), abs=1e-9)
        for q in ([0.0, 0.0], [0.0, math.pi], ACROSS, (0.4, -1.0)):
            assert meshes.distances_m(q) == pytest.approx(bricks.distances_m(q), abs=1e-6)


def test_a_round_mesh_is_held_by_its_hull_and_at_most_little_smaller(tmp_path):
    rng = np.random.default_rng(6)
    points = rng.normal(size=(1500, 3))
    points /= np.linalg.norm(points, axis=1)[:, None]
    triangles = [f"f {i} {i + 1} {i + 2}" for i in range(1, 1499)]
    lines = [f"v {x} {y} {z}" for x, y, z in points.tolist()] + triangles
    (tmp_path / "ball.obj").write_text("\n".join(lines))
    shape = (
        f'<collision><geometry><mesh filename="{tmp_path}/ball.obj" scale="0.2 0.2 0.2"/>'
        "</geometry></collision>"
    )
    model = CollisionModel(arm(tmp_path, lower=shape), only(floor=True))
    for q in postures(arm(tmp_path), 50, seed=7):
        # The elbow's height above the floor, less what the mesh's vertices reach down.
        turn = q[0] + q[1]
        heights = 0.2 * (points[:, 2] * math.cos(turn) - points[:, 0] * math.sin(turn))
        exact = 0.5 + 0.4 * math.cos(q[0]) + heights.min()
        assert exact - 3e-3 < model.distances_m(q)[1] <= exact + 1e-8


def test_a_mesh_of_a_sourced_package_is_found(tmp_path, monkeypatch):
    folder = tmp_path / "install" / "share" / "arm_description" / "meshes"
    folder.mkdir(parents=True)
    (folder / "cube.obj").write_text(CUBE)
    robot = arm(tmp_path, lower=mesh("package://arm_description/meshes/cube.obj"))
    with pytest.raises(RobotError, match=r"not found.*self_collision:=false"):
        CollisionModel(robot, SafetyParameters())
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "install"))
    assert len(CollisionModel(robot, SafetyParameters()).pairs) == 3
    monkeypatch.delenv("AMENT_PREFIX_PATH")
    assert CollisionModel(robot, only()).pairs == ()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ('<mesh filename="arm.stl"/>', "link 'lower'.*mesh 'arm.stl' is not found"),
        ('<capsule radius="1" length="1"/>', "geometry is capsule: expected one of box"),
        ("", "geometry is nothing: expected one of box"),
        ('<box size="1 0 1"/>', r"size is \[1.0, 0.0, 1.0\] m: expected positive"),
        ('<box size="1 1"/>', "box size is '1 1': expected three numbers"),
        ('<cylinder radius="1"/>', "radius and length is .*expected positive"),
        ('<sphere radius="nan"/>', "sphere radius is 'nan': expected a finite number"),
    ],
)
def test_shapes_that_are_none(tmp_path, shape, message):
    robot = arm(tmp_path, lower=f"<collision><geometry>{shape}</geometry></collision>")
    with pytest.raises(RobotError, match=message):
        CollisionModel(robot, SafetyParameters())


@pytest.mark.parametrize(("content", "reason"), [("v 0 0 0", "loaded"), ("", "loaded")])
def test_a_damaged_mesh_is_an_error(tmp_path, content, reason):
    (tmp_path / "damaged.obj").write_text(content)
    robot = arm(tmp_path, lower=mesh(tmp_path / "damaged.obj"))
    with pytest.raises(RobotError, match=reason):
        CollisionModel(robot, SafetyParameters())


def test_a_flat_mesh_is_an_error(tmp_path):
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nf 1 2 4 3\n")
    robot = arm(tmp_path, lower=mesh(tmp_path / "flat.obj"))
    with pytest.raises(RobotError, match="is flat: replace it by a box"):
        CollisionModel(robot, SafetyParameters())
