"""Node processes that need not import anew: a server imports what a node imports, then forks.

Each module has a server of its own, so that a node holds what its own module needs and nothing of
others. A forked node is a process like any other: it is a child of the tests, in a session of its
own, dies with them, and ends as an interpreter does.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_MESSAGE_BYTES = 1 << 20
_STARTED_WITHIN_S = 60.0
# What these import only when they run.
_LATER = {
    "sinew_sim.sim_driver": (
        "sinew_core.simulation.mujoco_engine",
        "sinew_core.simulation.pybullet_engine",
    ),
    "sinew_safety.safety_filter": ("sinew_core.collision.queries",),
    "sinew_safety.replay": ("sinew_core.collision.queries",),
    "sinew_sysid.excite": (
        "cmaes",
        "matplotlib.backends.backend_agg",
        "sinew_core.collision.queries",
        "sinew_core.sysid.excitation.figures",
    ),
    "sinew_sysid.record": ("geometry_msgs.msg", "rosbags.typesys.stores"),
    "sinew_trainer.bag_evaluator": ("sinew_core.report.recording",),
    "sinew_trainer.graph_trainer": ("sinew_trainer.report",),
}
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, however that ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ForkedProcess:
    """A process that a server has forked; it has the methods of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._descriptor)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Return the exit status of a process that ends within `timeout` seconds."""
        if self.returncode is None:
            select.select([self._descriptor], [], [], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End it as a crash does."""
        self.send_signal(signal.SIGKILL)


class NodeServer:
    """Forks processes that run one module."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = own
        own.settimeout(_STARTED_WITHIN_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, module, str(theirs.fileno())],
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> ForkedProcess:
        """Start a process as `python -m module arguments`, in this process's folder."""
        order = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": str(Path.cwd()),
            "parent": os.getpid(),
        }
        # The parent of a child whose own one ends is the nearest that asks for such children.
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            with log.open("wb") as out:
                socket.send_fds(self._socket, [json.dumps(order).encode()], [out.fileno()])
            pid = self._socket.recv(_MESSAGE_BYTES)
        except ConnectionError:
            pid = b""
        finally:
            _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 0)
        assert pid, "the server of nodes has ended"
        return ForkedProcess(int(pid))

    def close(self) -> None:
        """End the server; the processes go on."""
        self._socket.close()
        self._process.wait(_STARTED_WITHIN_S)


class NodeServers:
    """One server for each module and search path, begun when it is first asked for."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, str], NodeServer] = {}

    def start(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> ForkedProcess:
        """Start a process as `python -m module arguments`, in this process's folder."""
        key = (module, environment["PYTHONPATH"])
        if key not in self._servers:
            self._servers[key] = NodeServer(module, environment)
        return self._servers[key].start(arguments, environment, log)

    def close(self) -> None:
        """End the servers; the processes go on."""
        for server in self._servers.values():
            server.close()


def _serve(module: str, orders: socket.socket) -> None:
    """Fork a process for each order; return in that process, which is to run the module."""
    for name in (module, *_LATER.get(module, ())):
        importlib.import_module(name)
    del sys.modules[module]  # it is run, not imported
    _load_middleware()
    _load_compiler()
    tracing = _Tracing()
    gc.collect()
    gc.freeze()
    while True:
        data, descriptors, _, _ = socket.recv_fds(orders, _MESSAGE_BYTES, 1)
        if not data:
            os._exit(0)
        tracing.before_fork()
        pid = _fork_twice()
        if pid == 0:
            tracing.after_fork_in_child()
            orders.close()
            _become(json.loads(data), descriptors[0], module)
            return
        tracing.after_fork_in_parent()
        os.close(descriptors[0])
        orders.send(str(pid).encode())


def _load_middleware() -> None:
    """Load the libraries that rclpy loads when it meets the first message of a package."""
    if "rclpy" not in sys.modules:
        return
    import rclpy
    import service_msgs.msg  # noqa: F401
    import type_description_interfaces.msg  # noqa: F401
    from rosidl_generator_py import import_type_support

    rclpy.get_rmw_implementation_identifier()
    for package in {n.split(".")[0] for n in sys.modules if n.endswith((".msg", ".srv"))}:
        if importlib.util.find_spec(f"{package}.{package}_s__rosidl_typesupport_c"):
            import_type_support(package)


def _load_compiler() -> None:
    """Fill the tables that numba fills when it meets the first compiled function: 1 s of CPU."""
    if "numba" not in sys.modules:
        return
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def _fork_twice() -> int:
    """Return 0 in a process whose parent has ended, so that it has that one's reaper for parent.

    Its process id in this one.
    """
    reading, writing = os.pipe()
    go_between = os.fork()
    if go_between == 0:
        go_between = os.getpid()
        pid = os.fork()
        if pid:
            os.write(writing, str(pid).encode())
            os._exit(0)
        os.close(reading)
        os.close(writing)
        while os.getppid() == go_between:
            time.sleep(0.0005)
        return 0
    os.close(writing)
    os.waitpid(go_between, 0)
    pid = int(os.read(reading, 32))
    os.close(reading)
    return pid


def _become(order: dict, log: int, module: str) -> None:
    """Take the place that a process started by the tests would have."""
    die_with_parent()
    if os.getppid() != order["parent"]:  # it has ended before that
        os._exit(1)
    os.setsid()
    # A shell lets what it runs in its background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv[:] = [module, *order["arguments"]]


class _Tracing:
    """LTTng, which starts two threads when rclpy is loaded, and can take them along at a fork."""

    def __init__(self) -> None:
        mapped = Path("/proc/self/maps").read_text().splitlines()
        paths = {line.split()[-1] for line in mapped if "/liblttng-ust-" in line}
        found = [lib for lib in map(ctypes.CDLL, paths) if hasattr(lib, "ust_before_fork")]
        self._library = found[0] if found else None
        self._signals = ctypes.create_string_buffer(1024)  # a sigset_t has 128
        threads = [(t / "comm").read_text().strip() for t in Path("/proc/self/task").iterdir()]
        assert len(threads) == (3 if found else 1), f"a fork would lose threads: {threads}"

    def before_fork(self) -> None:
        if self._library is not None:
            self._library.ust_before_fork(self._signals)

    def after_fork_in_parent(self) -> None:
        if self._library is not None:
            self._library.ust_after_fork_parent(self._signals)

    def after_fork_in_child(self) -> None:
        if self._library is not None:
            self._library.ust_after_fork_child(self._signals)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())  # as for `python -m`
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
