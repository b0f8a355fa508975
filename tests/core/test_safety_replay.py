"""Records of a supervised arm, and their replay: every output again, or the reason why not."""

from __future__ import annotations

import math
import random

import pytest

from sinew_core.errors import ConfigError, ReplayError
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.filter import VelocityFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.record import CycleRecord, RecordedFilter, text_check
from sinew_core.safety.replay import Output, Replayer
from sinew_core.safety.scaling import SpeedScaling
from sinew_core.safety.supervisor import State, Supervisor, SupervisorParameters

ROBOT = load_robot("panda")
NAMES = ROBOT.joint_names
MS = 1_000_000
PERIOD = 10 * MS
SAFETY = SafetyParameters(max_latency_periods=4)


def make(check=""):
    if check not in ("", "c"):
        raise ConfigError(f"no configuration {check}")
    scaling = SpeedScaling("joint_velocity", ROBOT.limits, SAFETY, PERIOD / 1e9)
    return VelocityFilter(ROBOT.limits, SAFETY, PERIOD / 1e9), scaling


class World:
    """An arm, the supervisor, and what a recorder would have written of both."""

    def __init__(self, *, lockstep):
        arm_filter, scaling = make()
        self.filter = RecordedFilter(arm_filter, scaling, len(NAMES), "c")
        self.supervisor = Supervisor(
            NAMES,
            self.filter,
            SupervisorParameters(missed_cycles=50, command_timeout_s=10.0, state_timeout_s=10.0),
            period_ns=PERIOD,
            control_period_ns=4 * PERIOD,
            lockstep=lockstep,
            latched=None,
            set_latch=lambda reason: None,
        )
        self.now = self.stamp = 1_000 * MS
        self.position = ROBOT.home_rad.tolist()
        self.velocity = [0.0] * 7
        self.recorded = []

    def state(self):
        self.recorded.append(("state", self.now, self.stamp, tuple(self.position)))
        self.supervisor.observe(self.now, self.stamp, self.position, self.velocity)

    def command(self, values):
        self.recorded.append(("command", self.now, self.stamp, tuple(values)))
        self.supervisor.command(self.now, self.stamp, "policy", NAMES, [values])

    def cycle(self):
        values = self.supervisor.cycle(self.now)
        if values is None:
            return
        record, _ = self.filter.take()
        self.recorded.append(
            (
                "output",
                self.now,
                self.supervisor.answered_stamp_ns,
                self.supervisor.command_stamp_ns,
                values,
                record,
            )
        )
        self.velocity = list(values)

    def pass_time(self):
        self.now += PERIOD
        self.stamp += PERIOD
        self.position = [
            q + v * PERIOD / 1e9 for q, v in zip(self.position, self.velocity, strict=True)
        ]

    def run(self, cycles, values=None, rng=None):
        for _ in range(cycles):
            self.state()
            self.command(values or [rng.uniform(-5, 5) for _ in NAMES])
            self.cycle()
            self.pass_time()

    def arm(self):
        self.state()
        assert self.supervisor.arm(self.now) == ""


def outputs(recorded):
    return [entry for entry in recorded if entry[0] == "output"]


def replay(recorded, began=0):
    replayer = Replayer(NAMES, make)
    changes = []
    for entry in recorded:
        if entry[0] == "state":
            replayer.state(*entry[2:])
        elif entry[0] == "command":
            replayer.command(*entry[2:])
        else:
            _, now, state_ns, command_ns, values, record = entry
            replayer.output(Output(now, state_ns, command_ns, values, CycleRecord.parse(record)))
        changes.extend(replayer.advance(entry[1]))
    changes.extend(replayer.advance(None))
    return replayer, changes


def pressed(seed=0):
    """A run in real time with all that a record can tell."""
    rng = random.Random(seed)
    world = World(lockstep=False)
    world.run(5, rng=rng)
    world.arm()
    world.run(40, rng=rng)
    for _ in range(3):
        world.pass_time()
    world.filter.scaling.value = 0.3
    world.run(20, rng=rng)
    for _ in range(5):
        world.cycle()
        world.pass_time()
    world.filter.scaling.value = 1.0
    world.run(20, values=[3.0] * 7)
    world.supervisor.stop("pressed")
    world.run(40, rng=rng)
    assert world.supervisor.state is State.LATCHED
    assert world.supervisor.clear(world.now) == ""
    world.arm()
    world.run(10, rng=rng)
    return world


@pytest.mark.parametrize("seed", range(10))
def test_every_output_of_a_run_in_real_time_is_made_again(seed):
    world = pressed(seed)
    replayer, changes = replay(world.recorded)
    made = outputs(world.recorded)
    assert replayer.reproduced == len(made)
    assert replayer.unchecked == replayer.missing == replayer.repeated == 0
    counted = sum(sum(c.values()) for c in world.supervisor.interventions)
    assert sum(replayer.totals.values()) == len(changes) == counted > 0
    by_cause = {
        (name, cause): n
        for name, causes in zip(NAMES, world.supervisor.interventions, strict=True)
        for cause, n in causes.items()
    }
    assert dict(replayer.totals) == by_cause
    records = [CycleRecord.parse(entry[5]) for entry in made]
    assert {r.kind for r in records} == set("sbi")
    assert {r.scale for r in records} == {0.3, 1.0}
    assert {r.held for r in records} == {0, 3}


def test_lockstep_with_disarming_in_motion_and_a_reset_of_the_world():
    rng = random.Random(3)
    world = World(lockstep=True)
    world.arm()
    world.run(30, rng=rng)
    world.state()
    world.supervisor.disarm()
    world.arm()  # the world stood still, in motion
    world.filter.scaling.value = 0.5
    # 5 rad/s at most to 0.1 rad/s: at half of 7.5 rad/s², joint 2 takes 60 cycles.
    world.run(80, values=[0.2] * 7)
    assert world.velocity == [0.1] * 7
    world.stamp += 1_000 * MS  # a jump: a fault, braking
    world.run(40, rng=rng)
    assert world.supervisor.state is State.LATCHED
    replayer, _ = replay(world.recorded)
    assert replayer.reproduced == len(outputs(world.recorded)) > 50
    records = [CycleRecord.parse(entry[5]) for entry in outputs(world.recorded)]
    assert sum(r.moving for r in records) == 1
    assert sum(bool(r.reset) for r in records) == 3


def test_a_repeated_output_counts_once_and_must_be_the_same():
    recorded = pressed().recorded
    place = recorded.index(outputs(recorded)[30])
    again = [*recorded[: place + 1], recorded[place], *recorded[place + 1 :]]
    replayer, _ = replay(again)
    assert (replayer.repeated, replayer.reproduced) == (1, len(outputs(recorded)))
    again[place + 1] = (*recorded[place][:4], (0.0,) * 7, recorded[place][5])
    with pytest.raises(ReplayError, match=r"panda_joint1 was sent 0\.0, the replay gives"):
        replay(again)


def test_inputs_may_be_recorded_after_the_output_that_they_made():
    recorded = pressed().recorded
    late, inputs = [], []
    for entry in recorded:
        if entry[0] == "output":
            late += [entry, *inputs]
            inputs = []
        else:
            inputs.append(entry)
    replayer, _ = replay(late)
    assert replayer.reproduced == len(outputs(recorded))


def test_outputs_before_the_first_arming_of_the_recording_cannot_be_checked():
    recorded = pressed().recorded
    began = recorded.index(outputs(recorded)[20])
    replayer, _ = replay(recorded[began:])
    # The next start is at the second arming, of the last ten outputs; idle ones need no filter.
    idle = sum(CycleRecord.parse(entry[5]).kind == "i" for entry in outputs(recorded)[20:-10])
    assert replayer.reproduced == 10 + idle
    assert replayer.unchecked == len(outputs(recorded)) - 20 - 10 - idle
    assert replayer.missing == 0


def test_missing_outputs_are_counted_and_what_follows_is_not_checked():
    recorded = pressed().recorded
    lost = outputs(recorded)[20:22]
    replayer, _ = replay([entry for entry in recorded if entry not in lost])
    assert replayer.missing == 2
    assert replayer.unchecked > 0
    assert replayer.reproduced + replayer.unchecked + 2 == len(outputs(recorded))


def is_used(entry, index, recorded):
    """Tell whether an output was made of this entry, or is it."""
    if entry[0] == "output":
        return True
    following = next((e for e in recorded[index:] if e[0] == "output"), None)
    if following is None or CycleRecord.parse(following[5]).kind == "i":
        return False
    return entry[0] == "state" or (following[3] == entry[2] and " s" in following[5])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("state", r"output \d+, .* no joint state of stamp"),
        ("command", r"output \d+, .* no command of stamp"),
        ("output", r"output \d+, \d.\d+ s into the recording: panda_joint\d was sent"),
    ],
)
def test_a_value_that_was_changed_by_one_bit_is_found(kind, expected):
    recorded = pressed().recorded
    used = [
        index
        for index, entry in enumerate(recorded)
        if entry[0] == kind and is_used(entry, index, recorded)
    ]
    for index in used[::9]:
        entry = recorded[index]
        at = 4 if kind == "output" else 3
        values = list(entry[at])
        values[index % 7] = math.nextafter(values[index % 7], 9.0)
        changed = [*recorded[:index], (*entry[:at], tuple(values), *entry[at + 1 :])]
        with pytest.raises(ReplayError, match=expected):
            replay(changed + recorded[index + 1 :])


def test_an_unknown_configuration_is_refused():
    recorded = pressed().recorded
    other = [
        (*e[:5], e[5].replace(" cc", " cdeadbeef")) if e[0] == "output" else e for e in recorded
    ]
    with pytest.raises(ConfigError, match="no configuration deadbeef"):
        replay(other)


@pytest.mark.parametrize(
    "record",
    [
        CycleRecord(number=1, configuration="0"),
        CycleRecord(number=7, kind="b", measured="0abc", configuration="1"),
        CycleRecord(number=8, held=3, kind="s", desired="12", scale=0.1, configuration="1"),
        CycleRecord(number=9, reset="ff", moving=True, kind="s", desired="1", configuration="1"),
    ],
)
def test_a_record_survives_its_text(record):
    assert CycleRecord.parse(str(record)) == record


@pytest.mark.parametrize("text", ["", "n1", "n1 s12 b c0", "n1 i", "nx i c0", "n1 i c0 z"])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(ValueError, match=r"no record|invalid literal"):
        CycleRecord.parse(text)


def test_a_check_is_crc_32():
    # The standard check value of CRC-32 is that of "123456789".
    assert text_check("123456789") == "cbf43926"
