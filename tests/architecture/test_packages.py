import ast
import importlib
import xml.etree.ElementTree as ElementTree

import pytest

from architecture.source_files import PACKAGES, SOURCE, imports, modules, tree

# Python packages and the rosdep keys that bring them; those without a key are in comments.
ROSDEP = {
    "numpy": "python3-numpy",
    "yaml": "python3-yaml",
    "torch": "python3-torch",
    "numba": "python3-numba",
    "gymnasium": "python3-gymnasium-pip",
    "matplotlib": "python3-matplotlib",
    "mujoco": "python3-mujoco-pip",
    "PIL": "python3-pil",
    "scipy": "python3-scipy",
    "tqdm": "python3-tqdm",
}


def dependencies(package):
    root = ElementTree.parse(SOURCE / package / "package.xml").getroot()
    return {element.text for element in root if element.tag in ("depend", "exec_depend")}


def setup_arguments(package):
    for node in ast.walk(tree(SOURCE / package / "setup.py")):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setup":
            return {keyword.arg: keyword.value for keyword in node.keywords}
    raise AssertionError(f"{package}: setup.py calls no setup()")


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_lists_every_ros_package_that_is_imported(package):
    imported = {
        name.partition(".")[0]
        for module in modules()
        if module.partition(".")[0] == package
        for name in imports(module)
    }
    ros = {
        name
        for name in imported
        if name in PACKAGES or name == "rclpy" or name.endswith(("_msgs", "_srvs", "_interfaces"))
    }
    assert ros - {package} <= dependencies(package)


def test_every_requirement_with_a_rosdep_key_is_listed_by_a_package():
    imported = {name.partition(".")[0] for module in modules() for name in imports(module)}
    listed = set().union(*(dependencies(package) for package in PACKAGES))
    assert {key for name, key in ROSDEP.items() if name in imported} <= listed


@pytest.mark.parametrize("package", PACKAGES)
def test_name_and_version_agree_in_both_files(package):
    root = ElementTree.parse(SOURCE / package / "package.xml").getroot()
    arguments = setup_arguments(package)
    assert ast.literal_eval(arguments["name"]) == root.findtext("name") == package
    assert ast.literal_eval(arguments["version"]) == root.findtext("version")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_console_script_leads_to_a_function(package):
    entry_points = setup_arguments(package).get("entry_points")
    scripts = ast.literal_eval(entry_points)["console_scripts"] if entry_points else []
    for script in scripts:
        name, _, target = script.partition(" = ")
        module, _, function = target.partition(":")
        assert module.endswith(f".{name}")
        assert callable(getattr(importlib.import_module(module), function))
