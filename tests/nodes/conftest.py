"""Fixtures for tests with real ROS 2 processes: own domain, matched subscriptions, clean ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from node_server import ForkedProcess, NodeServers

ROOT = Path(__file__).resolve().parents[2]
STOP_WITHIN_S = 5.0


def _domain_id() -> int:
    """Return a domain of this process's own: runs differ by pid, workers of a run by their number.

    Domains above 101 collide with ephemeral ports on Linux.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return 1 + os.getpid() % 100
    return 1 + (os.getppid() + 37 * int(worker.removeprefix("gw"))) % 100


# Before rclpy is imported anywhere: the middleware reads the environment once.
os.environ["ROS_DOMAIN_ID"] = str(_domain_id())
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["PYTHONFAULTHANDLER"] = "1"


class NodeProcess:
    """One node in its own process."""

    def __init__(self, module: str, process: ForkedProcess, log: Path):
        self.module = module
        self.log_path = log
        self.supervised = True
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return self.log_path.read_text(errors="replace")

    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, timeout_s: float = 40.0) -> int:
        """Return the exit status of a process that ends by itself."""
        return self._process.wait(timeout_s)

    def interrupt(self) -> int:
        """Send Ctrl-C and return the exit status; a process that hangs fails the test."""
        self.ask_to_end()
        return self.interrupted()

    def ask_to_end(self) -> None:
        """Send Ctrl-C."""
        self.supervised = False
        self._process.send_signal(signal.SIGINT)

    def interrupted(self) -> int:
        """Return the exit status after Ctrl-C; a process that hangs fails the test."""
        try:
            return self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGABRT)  # what each thread was at is in its output then
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_WITHIN_S)
            self.kill()
            pytest.fail(f"{self.module} ignored SIGINT for {STOP_WITHIN_S} s:\n{self.output}")

    def kill(self) -> None:
        """End at once, as a crash does."""
        self.supervised = False
        if self.running():
            self._process.kill()
        self._process.wait(STOP_WITHIN_S)

    def signal(self, number: signal.Signals) -> None:
        """Send any signal."""
        self._process.send_signal(number)


def parameter_arguments(parameters: dict[str, object]) -> list[str]:
    """Return the command line that sets these parameters."""
    shown = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in parameters.items()}
    pairs = [a for k, v in shown.items() for a in ("-p", f"{k}:={v}")]
    return ["--ros-args", *pairs] if pairs else []


@pytest.fixture(scope="session")
def node_servers() -> Iterator[NodeServers]:
    """Return what starts processes quickly, for all tests of this worker."""
    servers = NodeServers()
    yield servers
    servers.close()


@pytest.fixture
def started() -> list[NodeProcess]:
    """Return the processes that the test has started so far."""
    return []


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of the processes: our packages, and a ROS home of the test's own."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            map(str, [*sorted((ROOT / "src").iterdir()), ROOT / "tests"])
        ),
        "ROS_HOME": str(tmp_path / "ros_home"),
        "ROS_LOG_DIR": str(tmp_path / "ros_log"),
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def start_node(
    tmp_path: Path,
    started: list[NodeProcess],
    environment: dict[str, str],
    node_servers: NodeServers,
) -> Iterator[Callable[..., NodeProcess]]:
    """Return `start(module, parameters, *extra arguments) -> NodeProcess`.

    Everything started is ended afterwards. A process that is still running at the end of the
    test must exit 0 on Ctrl-C within seconds.
    """

    def start(module: str, parameters: dict[str, object] | None = None, *extra: str) -> NodeProcess:
        arguments = parameter_arguments(parameters or {})
        if extra and not arguments:
            arguments = ["--ros-args"]
        log = tmp_path / f"{len(started)}_{module}.log"
        process = node_servers.start(module, [*arguments, *extra], environment, log)
        started.append(NodeProcess(module, process, log))
        return started[-1]

    yield start
    problems = []
    running = [process for process in started if process.running()]
    for process in running:  # all at once, as Ctrl-C in a terminal does
        process.ask_to_end()
    for process in running:
        status = process.interrupted()
        if status != 0:
            problems.append(f"{process.module} exited {status} on SIGINT:\n{process.output}")
    assert not problems, "\n".join(problems)


@pytest.fixture
def probe(started: list[NodeProcess], start_node: Callable[..., NodeProcess]) -> Iterator[Probe]:
    """Return a node of this process that publishes, subscribes and calls services.

    It leaves before the nodes do, which would wait for it to acknowledge what they sent last.
    """
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    made = Probe(started)
    yield made
    made.close()
    rclpy.try_shutdown()


def _ended(process: NodeProcess) -> str:
    return "" if process.running() else " ended"


class Probe:
    """The test's own node: everything waits for a condition, nothing sleeps a fixed time."""

    def __init__(self, started: list[NodeProcess]) -> None:
        from rclpy.node import Node

        from sinew_ros.executor import WaitSetExecutor

        self._started = started
        self.context: Callable[[], object] = str
        self._clients: dict[str, tuple] = {}
        self.node = Node("probe")
        self.executor = WaitSetExecutor()
        self.executor.add_node(self.node)

    def until(
        self, condition: Callable[[], object], what: str = "condition", timeout_s: float = 20.0
    ) -> None:
        """Spin until the condition holds; fail the test when it does not in time."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            crashed = [p for p in self._started if p.supervised and not p.running()]
            if crashed or time.monotonic() > deadline:
                told = "".join(f"\n{p.module}{_ended(p)}:\n{p.output}" for p in self._started)
                pytest.fail(f"waited {timeout_s} s in vain for: {what}\n{self.context()}{told}")
            self.executor.spin_once(0.02)

    def listen(self, kind, topic, qos) -> list:
        """Collect the messages of a topic in the list returned."""
        heard: list = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def publisher(self, kind, topic, qos):
        """Return a publisher that already has a subscriber."""
        made = self.node.create_publisher(kind, topic, qos)
        self.until(made.get_subscription_count, f"a subscriber of {topic}")
        return made

    def call(self, kind, name, request=None, timeout_s: float = 20.0):
        """Call a service and return its response."""
        client = self._introduced(kind, name, timeout_s)
        future = client.call_async(request if request is not None else kind.Request())
        self.until(future.done, f"an answer of {name}", timeout_s)
        return future.result()

    def _introduced(self, kind, name, timeout_s):
        """Return a client that the server knows, also one that was started since the last call.

        The middleware drops an answer when the server has not discovered the client's reader within
        100 ms. Discovery is in order, so a server that answers a later client knows this one, too.
        Clients are kept: the middleware has hung in creating one of many.
        """
        from rcl_interfaces.srv import ListParameters

        if name not in self._clients:
            listing = f"{name.rpartition('/')[0]}/list_parameters"
            client = self.node.create_client(kind, name)
            self._clients[name] = (client, self.node.create_client(ListParameters, listing))
        client, later = self._clients[name]
        asked = []

        def known():
            ready = client.service_is_ready() and later.service_is_ready()
            if ready and (not asked or time.monotonic() - asked[-1][0] > 1.0):
                asked.append((time.monotonic(), later.call_async(ListParameters.Request())))
            return any(future.done() for _, future in asked)

        self.until(known, f"service {name}", timeout_s)
        return client

    def forget(self) -> None:
        """Drop subscriptions and publishers, to begin again with new processes."""
        for subscription in list(self.node.subscriptions):
            self.node.destroy_subscription(subscription)
        for publisher in list(self.node.publishers):
            if not publisher.topic_name.startswith(("/rosout", "/parameter_events")):
                self.node.destroy_publisher(publisher)

    def close(self) -> None:
        self.executor.shutdown(0)
        self.node.destroy_node()
