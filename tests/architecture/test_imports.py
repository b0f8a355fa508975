import subprocess
import sys

import pytest

from architecture.source_files import PACKAGES, imported_when_importing, imports, modules

# Each package and which of the others it may import. Nodes never import each other.
MAY_IMPORT = {
    "sinew_core": set(),
    "sinew_ros": {"sinew_core"},
    "sinew_sim": {"sinew_core", "sinew_ros"},
    "sinew_policy": {"sinew_core", "sinew_ros"},
    "sinew_safety": {"sinew_core", "sinew_ros"},
    "sinew_trainer": {"sinew_core", "sinew_ros"},
    "sinew_sysid": {"sinew_core", "sinew_ros"},
    "sinew_bringup": {"sinew_core", "sinew_ros"},
}

# The heavy requirements, and the modules of the core that need each.
HEAVY = {
    "torch": ("sinew_core.algorithms", "sinew_core.training"),
    "pybullet": ("sinew_core.simulation",),
    "mujoco": ("sinew_core.simulation",),
    "gymnasium": (
        "sinew_core.environments",
        "sinew_core.evaluation",
        "sinew_core.training.graph.environment",
        "sinew_core.training.gym",
    ),
    "numba": ("sinew_core",),
    "onnx": ("sinew_core.bundle.onnx_export",),
    "optuna": ("sinew_core.training.sweep",),
    "tensorboard": ("sinew_core.training.events",),
    "rosbags": ("sinew_core.bags",),
    "scipy": ("sinew_core.sysid",),
    "cmaes": ("sinew_core.sysid",),
}

# What runs on a robot's computer, where only the `deploy` requirements are installed.
DEPLOYED = (
    "sinew_core.robots",
    "sinew_core.robots.catalogue",
    "sinew_core.safety.filter",
    "sinew_core.observation",
    "sinew_core.specs",
    "sinew_core.action",
    "sinew_core.rates",
    "sinew_core.tasks.reach",
    "sinew_core.bundle.runtime",
    "sinew_core.bundle.reader",
    "sinew_policy.policy",
    "sinew_policy.deployment",
    "sinew_safety.safety_filter",
    "sinew_safety.replay",
    "sinew_sysid.record",
    "sinew_sysid.bag_tool",
    "sinew_trainer.bag_evaluator",
)
NOT_DEPLOYED = (
    "gymnasium", "matplotlib", "mujoco", "numba", "onnx", "onnxruntime", "PIL", "pybullet",
    "stable_baselines3", "tensorboard", "torch", "tqdm",
)  # fmt: skip
ROS = ("rclpy", "ament_index_python", "launch")


def top(name):
    return name.partition(".")[0]


def test_every_package_is_in_the_table():
    assert set(MAY_IMPORT) == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_the_packages_that_it_may(package):
    allowed = {package} | MAY_IMPORT[package]
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        if top(module) == package
        for name in imports(module)
        if top(name) in PACKAGES and top(name) not in allowed
    ]
    assert not wrong


def test_the_core_knows_nothing_of_ros():
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        if top(module) == "sinew_core"
        for name in imports(module)
        if top(name) in ROS or top(name).endswith("_msgs") or top(name).endswith("_srvs")
    ]
    assert not wrong


@pytest.mark.parametrize("heavy", HEAVY)
def test_a_heavy_requirement_is_imported_only_where_it_is_needed(heavy):
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        if top(module) == "sinew_core" and not module.startswith(HEAVY[heavy])
        for name in imports(module)
        if top(name) == heavy
    ]
    assert not wrong


def test_the_safety_package_never_imports_torch_or_an_engine_however_indirectly():
    wrong = [
        f"{module}: {name} by {importer}"
        for module in modules()
        if top(module) == "sinew_safety"
        for name, importer in imported_when_importing(module).items()
        if top(name) in ("torch", "pybullet", "mujoco", "numba", "gymnasium")
    ]
    assert not wrong


@pytest.mark.parametrize("module", ["sinew_core.training.process", "sinew_core.training.learners"])
def test_a_learner_starts_without_a_compiler_or_an_engine(module):
    wrong = [
        f"{name} by {importer}"
        for name, importer in imported_when_importing(module).items()
        if top(name) in ("numba", "gymnasium", "pybullet", "mujoco", "coal")
    ]
    assert not wrong


def test_a_worker_imports_neither_torch_nor_what_only_the_learner_needs():
    wrong = [
        f"{name} by {importer}"
        for name, importer in imported_when_importing("sinew_core.training.worker").items()
        if top(name) in ("torch", "tensorboard", "onnx", "matplotlib")
    ]
    assert not wrong


@pytest.mark.parametrize("module", DEPLOYED)
def test_a_deployed_module_needs_only_the_deploy_requirements(module):
    assert module in modules()
    wrong = [
        f"{name} by {importer}"
        for name, importer in imported_when_importing(module).items()
        if top(name) in NOT_DEPLOYED
    ]
    assert not wrong


def test_deployed_modules_import_where_the_other_requirements_are_missing():
    code = (
        "import importlib, sys\n"
        f"sys.path[:] = {sys.path!r}\n"
        f"sys.modules.update(dict.fromkeys({NOT_DEPLOYED!r}))\n"
        f"for name in {DEPLOYED!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
