"""The packages build with colcon, nested in another workspace too, and are found when sourced."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("src/*/package.xml"))
LAUNCH_FILES = sorted(path.name for path in ROOT.glob("launch/*.launch.yaml"))
PARAMETER_FILES = sorted(
    str(path.relative_to(ROOT / "config"))
    for path in ROOT.glob("config/**/*.yaml")
    if path.parent.name != "robots"  # which sinew_core installs
)
FIND = (
    "import pathlib\n"
    "from ament_index_python.packages import get_packages_with_prefixes as find\n"
    "from sinew_core.robots.catalogue import load_robot\n"
    "import sinew_core\n"
    "for name, prefix in find().items(): print(name, prefix)\n"
    "print('core', pathlib.Path(sinew_core.__file__).resolve(), load_robot('panda').n_joints)\n"
)


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".egg-info" not in str(path) and "__pycache__" not in str(path)
    }


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--symlink-install"]], ids=["copied", "linked"])
def test_a_sourced_install_finds_every_package(options, tmp_path):
    pytest.importorskip("colcon_core")
    checkout = tmp_path / "src" / "nested" / "sinew"
    for name in ("src", "launch", "config"):
        shutil.copytree(
            ROOT / name,
            checkout / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", ".*"),
        )
    before = contents(checkout)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COLCON_HOME")}
    colcon = [sys.executable, "-m", "colcon", "build", *options]
    built = subprocess.run(
        colcon, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280
    )
    assert built.returncode == 0, built.stderr
    assert contents(checkout) == before, "the build changed the sources"
    script = f'. install/setup.sh && exec {sys.executable} -c "$0"'
    found = subprocess.run(
        ["sh", "-c", script, FIND],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    lines = dict(line.split(" ", 1) for line in found.stdout.splitlines())
    for package in PACKAGES:
        assert lines[package] == str(tmp_path / "install" / package)
    assert lines["core"].startswith(str(tmp_path))
    assert lines["core"].endswith(" 7")
    share = tmp_path / "install/sinew_bringup/share/sinew_bringup"
    assert sorted(path.name for path in (share / "launch").iterdir()) == LAUNCH_FILES
    config = share / "config"
    installed = sorted(str(path.relative_to(config)) for path in config.glob("**/*.yaml"))
    assert installed == PARAMETER_FILES
    for package, executable in (("sinew_sim", "sim_driver"), ("sinew_safety", "safety_filter")):
        assert os.access(tmp_path / "install" / package / "lib" / package / executable, os.X_OK)
