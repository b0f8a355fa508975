"""A supervisor and an ideal arm on a clock made by hand."""

from __future__ import annotations

from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.command_mode import make_command_mode
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.supervisor import Supervisor
from sinew_core.safety.watchdogs import SupervisorParameters

ROBOT = load_robot("panda")
NAMES = ROBOT.joint_names
MS = 1_000_000
PERIOD = 10 * MS
SAFETY = SafetyParameters()
SAMPLES = 4
"""Joint states that persist: they span 30 ms."""
FIRST_SAMPLES = 31
"""Joint states of which the first hold of a position is made."""
SPEED = [0.2, 0.1, -0.1, 0.1, 0.2, -0.1, 0.3]


class World:
    """An ideal arm that follows the supervisor's output, one period at a time."""

    def __init__(
        self,
        mode="joint_velocity",
        *,
        lockstep=False,
        latched=None,
        shadow=False,
        safety=SAFETY,
        command_mode=None,
        sent="",
        **parameters,
    ):
        self.mode, self.sent = mode, sent or mode
        self.latches = []
        self.supervisor = Supervisor(
            NAMES,
            command_mode or make_command_mode(mode, ROBOT, safety, PERIOD / 1e9),
            SupervisorParameters(**parameters),
            safety=safety,
            period_ns=PERIOD,
            control_period_ns=4 * PERIOD,
            lockstep=lockstep,
            latched=latched,
            set_latch=self.latches.append,
            shadow=shadow,
        )
        self.now = self.stamp = 1_000 * MS
        self.lockstep = lockstep
        self.position = ROBOT.home_rad.tolist()
        self.velocity = [0.0] * len(NAMES)
        self.outputs = []

    def state(self):
        return self.supervisor.observe(self.now, self.stamp, self.position, self.velocity)

    def ahead(self, speeds):
        """Positions a control period ahead of the measured ones, as a policy asks for them."""
        return [q + 0.04 * v for q, v in zip(self.position, speeds, strict=True)]

    def command(self, values=None, *, stamp=None, source="policy", names=NAMES):
        if values is None:
            values = SPEED if self.mode == "joint_velocity" else self.ahead(SPEED)
        stamp = self.stamp if stamp is None else stamp
        return self.supervisor.command(self.now, stamp, source, names, [values])

    def cycle(self):
        output = self.supervisor.cycle(self.now)
        self.outputs.append(output)
        if output is not None and self.sent == "joint_velocity":
            self.velocity = list(output)
        elif output is not None and self.sent == "joint_position":
            pairs = zip(output, self.position, strict=True)
            self.velocity = [(p - q) / (PERIOD / 1e9) for p, q in pairs]
        return output

    def pass_time(self):
        self.now += PERIOD
        self.stamp += PERIOD
        self.position = [
            q + v * PERIOD / 1e9 for q, v in zip(self.position, self.velocity, strict=True)
        ]

    def run(self, cycles, *, states=True, commands=True):
        for _ in range(cycles):
            if states:
                self.state()
            if commands:
                self.command()
            self.cycle()
            self.pass_time()

    def known(self):
        """Let measured positions persist until a hold may be made of them."""
        self.run(FIRST_SAMPLES if self.sent == "joint_position" else SAMPLES, commands=False)
        self.outputs.clear()
        return self

    def armed(self):
        if not self.lockstep and self.supervisor.stamp_ns == 0:
            self.known()
        self.state()
        assert self.supervisor.arm(self.now) == ""
        return self
