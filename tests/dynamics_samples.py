"""A pendulum whose motion can be computed by hand, in either engine."""

import yaml

from sinew_core.robots.catalogue import load_robot

MASS_KG, LENGTH_M, INERTIA_KG_M2 = 2.0, 0.5, 0.1
"""A bob at the end of a rod without mass; the inertia is about its own centre."""

# About z nothing pulls at it; about y it hangs from the joint and swings in the xz plane.
PENDULUM = """<robot name="pendulum"><link name="base"/><link name="arm"><inertial>
<origin xyz="0 0 -{length}"/><mass value="{mass}"/>
<inertia ixx="{inertia}" iyy="{inertia}" izz="{inertia}" ixy="0" ixz="0" iyz="0"/></inertial></link>
<link name="tool"/>
<joint name="hinge" type="revolute"><parent link="base"/><child link="arm"/><axis xyz="{axis}"/>
<limit lower="-3" upper="3" velocity="20" effort="50"/></joint>
<joint name="mount" type="fixed"><parent link="arm"/><child link="tool"/>
<origin xyz="0 0 -{length}"/></joint></robot>"""


def pendulum(folder, axis):
    """The pendulum about an axis, "0 1 0" or "0 0 1", read from a folder."""
    text = PENDULUM.format(mass=MASS_KG, length=LENGTH_M, inertia=INERTIA_KG_M2, axis=axis)
    (folder / "pendulum.urdf").write_text(text)
    path = folder / "pendulum.yaml"
    box = {"lower": [-0.4, -0.1, -0.4], "upper": [0.4, 0.1, 0.4]}
    path.write_text(
        yaml.safe_dump(
            {"name": "pendulum", "urdf": "pendulum.urdf", "tool_link": "tool", "reach_box_m": box}
        )
    )
    return load_robot(str(path))
