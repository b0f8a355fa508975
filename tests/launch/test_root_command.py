import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNSUPPORTED = (
    "import runpy, sys\n"
    "sys.version_info = (3, 9, 2, 'final', 0)\n"
    "sys.argv = [{script!r}, 'setup']\n"
    "runpy.run_path({script!r}, run_name='__main__')\n"
)


def write_launcher(folder, statement):
    """Have `launch` run a statement."""
    (folder / "src/sinew_bringup/sinew_bringup/launcher.py").write_text(
        f"import os, sys\n\n\ndef main():\n    {statement}\n"
    )


def make_checkout(folder):
    """Make a checkout that requires nothing, so that its set-up takes no more than a bare one."""
    (folder / "requirements").mkdir(parents=True)
    for name in ("deploy", "train", "test", "bench", "pins"):
        (folder / "requirements" / f"{name}.txt").write_text("# nothing\n")
    for name in ("sinew_bringup", "sinew_core"):
        package = folder / "src" / name / name
        package.mkdir(parents=True)
        (package.parent / "setup.py").touch()
        (package / "__init__.py").touch()
    shutil.copy(ROOT / "src/sinew_core/sinew_core/start.py", package)
    (package / "precompile.py").touch()
    write_launcher(folder, "print(sys.prefix, os.getcwd(), sys.argv[1:], os.getpid())")
    shutil.copy(ROOT / "sinew", folder)
    return folder


@pytest.fixture
def checkout(tmp_path):
    return make_checkout(tmp_path / "a checkout")


@pytest.fixture(scope="module")
def first_setup(tmp_path_factory):
    """A checkout after the first command in it, and what that command returned."""
    folder = make_checkout(tmp_path_factory.mktemp("first") / "a checkout")
    return folder, sinew(folder, "launch", "x.yaml", "a:=b c", cwd=folder.parent)


@pytest.fixture
def ready_checkout(first_setup, tmp_path):
    # A checkout can be moved and copied with its environment.
    return shutil.copytree(first_setup[0], tmp_path / "another checkout", symlinks=True)


def sinew(checkout, *words, cwd="/", **environment):
    done = subprocess.run(
        [sys.executable, str(checkout / "sinew"), *words],
        cwd=cwd,
        env={**os.environ, "PIP_NO_INDEX": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def test_help_lists_every_command_and_needs_no_setup(checkout):
    status, output, _ = sinew(checkout, "--help")
    assert status == 0
    for command in ("setup", "train", "test", "launch", "bag", "bench"):
        assert f"\n  {command} " in output
    assert not (checkout / ".venv").exists()


def test_an_unknown_command_gets_a_suggestion(checkout):
    status, output, error = sinew(checkout, "lunch")
    assert (status, output) == (2, "")
    assert error == "sinew: unknown command 'lunch': did you mean 'launch'?\n"


def test_an_unknown_set_gets_a_suggestion(checkout):
    status, _, error = sinew(checkout, "setup", "trian")
    assert status == 2
    assert error == "sinew: unknown set 'trian': did you mean 'train'?\n"


def test_an_old_python_can_read_the_script():
    ast.parse((ROOT / "sinew").read_text(), feature_version=(3, 6))


def test_an_unsupported_python_is_told_in_one_line(checkout):
    code = UNSUPPORTED.format(script=str(checkout / "sinew"))
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("sinew: Python 3.9.2 is not supported, allowed are 3.10 and 3.11")
    assert "install" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unsupported_python_hands_over_to_a_supported_one(checkout, tmp_path):
    binaries = tmp_path / "bin"
    binaries.mkdir()
    other = binaries / "python3.11"
    other.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "handed over: $*"\n')
    other.chmod(0o755)
    code = UNSUPPORTED.format(script=str(checkout / "sinew"))
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == f"handed over: {checkout / 'sinew'} setup\n"


@pytest.mark.slow
def test_the_first_command_sets_up_and_the_next_ones_do_not(first_setup):
    folder, (status, output, error) = first_setup
    assert status == 0, error
    assert "creating .venv" in error
    # The command runs in the environment, in the caller's folder, with its arguments as given.
    assert output.startswith(f"{folder / '.venv'} {folder.parent} ['x.yaml', 'a:=b c'] ")
    status, again, error = sinew(folder, "launch", "x.yaml", "a:=b c", cwd=folder.parent)
    assert (status, error) == (0, "")
    assert again.rpartition(" ")[0] == output.rpartition(" ")[0]


@pytest.mark.slow
def test_changed_pins_are_installed_and_a_failure_says_why(ready_checkout):
    assert sinew(ready_checkout, "setup")[::2] == (0, "")
    (ready_checkout / "requirements/train.txt").write_text("no-such-package==1\n")
    status, _, error = sinew(ready_checkout, "setup")
    assert status == 1
    assert "no-such-package" in error
    assert error.splitlines()[-1].startswith("sinew: set-up failed (exit status 1): see ")


def test_the_environment_of_another_checkout_is_used_but_never_changed(checkout, tmp_path):
    theirs = tmp_path / "theirs"
    for folder in ("bin", "sinew"):
        (theirs / folder).mkdir(parents=True)
    (theirs / "bin/python").symlink_to(sys.executable)
    (checkout / ".venv").symlink_to(theirs)
    status, _, error = sinew(checkout, "launch", "x.yaml")
    assert (status, error.count("\n")) == (1, 1)
    assert ".venv is a link to that of another checkout: remove it and try again" in error
    assert sorted(p.relative_to(theirs).as_posix() for p in theirs.rglob("*")) == [
        "bin",
        "bin/python",
        "sinew",
    ]


def test_what_is_said_where_standard_output_is_closed_ends_up_in_no_file(checkout, tmp_path):
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to(sys.executable)
    (checkout / ".venv/sinew").mkdir()
    pins = "# nothing\n"
    stamp = f"{pins}\n{pins}\nsinew_bringup\nsinew_core"
    (checkout / ".venv/sinew/deploy.txt").write_text(stamp)
    write_launcher(checkout, "with open(sys.argv[1], 'w'): os.write(1, b'said')")
    packages = checkout / "packages"  # `-m` finds what is where it is called
    packages.mkdir()
    for name in ("sinew_bringup", "sinew_core"):
        (packages / name).symlink_to(checkout / "src" / name / name)
    file = tmp_path / "file"
    command = f'"{sys.executable}" "{checkout}/sinew" launch "{file}" >&-'
    done = subprocess.run(["bash", "-c", command], cwd=packages, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert file.read_text() == ""


@pytest.mark.parametrize("output", ["| true", ">&-"])
def test_help_that_nobody_reads_is_no_error(checkout, output):
    command = f'"{sys.executable}" "{checkout}/sinew" --help {output}'
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment)
    assert done.stderr == ""


@pytest.mark.slow
def test_a_setup_that_was_cut_short_is_done_again(ready_checkout):
    (ready_checkout / ".venv/sinew/unfinished").touch()
    leftover = ready_checkout / ".venv/leftover"
    leftover.touch()
    process = subprocess.Popen(
        [sys.executable, str(ready_checkout / "sinew"), "setup"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PIP_NO_INDEX": "1"},
        # A shell starts background jobs deaf to Ctrl-C, and their children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline_s = time.monotonic() + 60
    while leftover.exists() or not (ready_checkout / ".venv/bin/python").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-1].startswith("sinew: interrupted")
    assert "Traceback" not in error
    status, _, error = sinew(ready_checkout, "setup")
    assert status == 0
    assert "creating .venv" in error


@pytest.mark.slow
def test_a_missing_ensurepip_is_made_up_for_by_the_pip_at_hand(checkout, tmp_path):
    # Debian splits ensurepip off: an import hook hides it, and stand-ins show how pip is called.
    code = (
        "import importlib.util, runpy, subprocess, sys\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda n, *a: None if n == 'ensurepip' else real(n, *a)\n"
        "popen, calls = subprocess.Popen, []\n"
        "def record(command, **options):\n"
        "    print(command[1:], file=sys.stdout, flush=True)\n"
        "    fetch = '--target' in command or command[1:3] == ['-m', 'pip']\n"
        "    return popen([sys.executable, '-c', ''] if fetch else command, **options)\n"
        "subprocess.Popen = record\n"
        f"sys.argv = [{str(checkout / 'sinew')!r}, 'setup']\n"
        f"runpy.run_path({str(checkout / 'sinew')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "'--without-pip'" in done.stdout
    assert "'-m', 'pip', 'install', '--target'" in done.stdout


@pytest.mark.slow
def test_a_sourced_ros_installation_does_not_leak_in(ready_checkout, tmp_path):
    names = ("PYTHONPATH", "AMENT_PREFIX_PATH", "LD_LIBRARY_PATH")
    write_launcher(ready_checkout, f"print([os.environ.get(n) for n in {names}])")
    _, output, _ = sinew(
        ready_checkout,
        "launch",
        PYTHONPATH=str(tmp_path),
        AMENT_PREFIX_PATH="/opt/ros/some",
        LD_LIBRARY_PATH="/opt/ros/some/lib:/opt/mine",
    )
    assert output == "[None, None, '/opt/mine']\n"
