"""Records of a supervised arm, and their replay: every output again, or the reason why not."""

from __future__ import annotations

import functools
import math
import random

import numpy as np
import pytest

from sinew_core.errors import ConfigError, ReplayError
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.command_mode import make_command_mode
from sinew_core.safety.make import FILTERED_MODES
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.record import CycleRecord, RecordedMode, text_check
from sinew_core.safety.recording import Output
from sinew_core.safety.replay import Replayer
from sinew_core.safety.scaling import SpeedScaling
from sinew_core.safety.supervisor import State, Supervisor
from sinew_core.safety.watchdogs import SupervisorParameters
from sinew_core.simulation import make_engine

ROBOT = load_robot("panda")
NAMES = ROBOT.joint_names
HOME = ROBOT.home_rad.tolist()
MS = 1_000_000
PERIOD = 10 * MS
SAFETY = SafetyParameters(max_latency_periods=4)
# Beyond what the filter passes on, and full speed or effort in one direction.
WILD = {"joint_velocity": 5.0, "joint_position": 1.0, "joint_effort": 60.0}
PUSH = {
    "joint_velocity": [3.0] * 7,
    "joint_position": [q + 0.5 for q in HOME],
    "joint_effort": [50.0, 0.0, 50.0, 0.0, 5.0, 0.0, 5.0],
}
modes = pytest.mark.parametrize("mode", FILTERED_MODES)
parsed = functools.cache(CycleRecord.parse)


def make(mode):
    def made(check=""):
        if check not in ("", "c"):
            raise ConfigError(f"no configuration {check}")
        scaling = SpeedScaling(mode, ROBOT.limits, SAFETY, PERIOD / 1e9)
        return make_command_mode(mode, ROBOT, SAFETY, PERIOD / 1e9), scaling

    return made


class World:
    """An arm, the supervisor, and what a recorder would have written of both.

    Under velocities and positions the arm is an ideal one, under efforts a simulated one.
    """

    def __init__(self, mode="joint_velocity", *, lockstep=False):
        self.name = mode
        self.mode = RecordedMode(*make(mode)(), len(NAMES), "c")
        self.supervisor = Supervisor(
            NAMES,
            self.mode,
            SupervisorParameters(missed_cycles=50, command_timeout_s=10.0, state_timeout_s=10.0),
            safety=SAFETY,
            period_ns=PERIOD,
            control_period_ns=4 * PERIOD,
            lockstep=lockstep,
            latched=None,
            set_latch=lambda reason: None,
        )
        self.now = self.stamp = 1_000 * MS
        self.position, self.velocity = list(HOME), [0.0] * 7
        self.driven = [0.0] * 7
        self.recorded = []
        self.engine = make_engine("mujoco", ROBOT, 500) if mode == "joint_effort" else None

    def state(self):
        values = tuple(self.position), tuple(self.velocity)
        self.recorded.append(("state", self.now, self.stamp, *values))
        self.supervisor.observe(self.now, self.stamp, self.position, self.velocity)

    def command(self, values):
        self.recorded.append(("command", self.now, self.stamp, tuple(values)))
        self.supervisor.command(self.now, self.stamp, "policy", NAMES, [values])

    def cycle(self):
        values = self.supervisor.cycle(self.now)
        if values is None:
            return
        record, _ = self.mode.take()
        stamps = self.supervisor.answered_stamp_ns, self.supervisor.command_stamp_ns
        self.recorded.append(("output", self.now, *stamps, values, record))
        if self.engine is not None:
            self.engine.command_effort(np.array(values), gravity_compensation=True)
        elif self.name == "joint_velocity":
            self.driven = list(values)
        else:
            pairs = zip(values, self.position, strict=True)
            self.driven = [(p - q) / (PERIOD / 1e9) for p, q in pairs]

    def pass_time(self):
        self.now += PERIOD
        self.stamp += PERIOD
        if self.engine is not None:
            measured = [np.zeros(7) for _ in range(3)]
            self.engine.step(5)
            self.engine.read_state(*measured)
            self.position, self.velocity = measured[0].tolist(), measured[1].tolist()
            return
        self.velocity = self.driven
        self.position = [
            q + v * PERIOD / 1e9 for q, v in zip(self.position, self.velocity, strict=True)
        ]
        if self.name == "joint_position":
            self.driven = [0.0] * 7  # where nothing comes, a reference that was reached holds

    def wish(self, rng):
        middle = HOME if self.name == "joint_position" else [0.0] * 7
        return [q + rng.uniform(-1.0, 1.0) * WILD[self.name] for q in middle]

    def run(self, cycles, values=None, rng=None):
        for _ in range(cycles):
            self.state()
            self.command(values or self.wish(rng))
            self.cycle()
            self.pass_time()

    def arm(self):
        self.state()
        assert self.supervisor.arm(self.now) == ""

    def scale(self, value):
        if self.name != "joint_effort":
            self.mode.scaling.value = value


def outputs(recorded):
    return [entry for entry in recorded if entry[0] == "output"]


def records(recorded):
    return [parsed(entry[5]) for entry in outputs(recorded)]


def replay(recorded, mode="joint_velocity"):
    replayer = Replayer(NAMES, make(mode))
    changes = []
    for entry in recorded:
        if entry[0] == "state":
            replayer.state(*entry[2:])
        elif entry[0] == "command":
            replayer.command(*entry[2:])
        else:
            _, now, state_ns, command_ns, values, record = entry
            replayer.output(Output(now, state_ns, command_ns, values, parsed(record)))
        changes.extend(replayer.advance(entry[1]))
    changes.extend(replayer.advance(None))
    return replayer, changes


@functools.cache
def pressed(mode="joint_velocity", seed=0):
    """A run in real time with all that a record can tell."""
    rng = random.Random(seed)
    world = World(mode)
    world.run(33 if mode == "joint_position" else 6, rng=rng)  # until a hold is known
    world.arm()
    for _ in range(3):  # armed without a command
        world.state()
        world.cycle()
        world.pass_time()
    world.run(40, rng=rng)
    for _ in range(3):
        world.pass_time()
    world.scale(0.3)
    world.run(20, rng=rng)
    for _ in range(3):
        world.cycle()
        world.pass_time()
    world.scale(1.0)
    world.run(20, values=PUSH[mode])
    world.supervisor.stop("pressed")
    while world.supervisor.state is not State.LATCHED:
        assert world.supervisor.state is State.BRAKING
        world.run(1, rng=rng)
    world.run(10, rng=rng)
    assert world.supervisor.clear(world.now) == ""
    world.arm()
    world.run(10, rng=rng)
    return world


@modes
@pytest.mark.parametrize("seed", range(10))
def test_every_output_of_a_run_in_real_time_is_made_again(mode, seed):
    world = pressed(mode, seed)
    replayer, changes = replay(world.recorded, mode)
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
    told = records(world.recorded)
    assert {r.kind for r in told} == set("sbi")
    assert {r.scale for r in told} == ({1.0} if mode == "joint_effort" else {0.3, 1.0})
    assert {r.held for r in told} == {0, 3}
    assert sum(bool(r.start) for r in told) == 2
    assert any(r.kind == "s" and not r.desired for r in told)
    assert any(r.kind == "s" and not r.measured for r in told)


@modes
def test_lockstep_with_disarming_in_motion_and_a_reset_of_the_world(mode):
    rng = random.Random(3)
    world = World(mode, lockstep=True)
    world.arm()
    world.run(30, rng=rng)
    world.state()
    world.supervisor.disarm()
    world.arm()  # the world stood still, in motion
    world.scale(0.5)
    # 5 rad/s at most to 0.1 rad/s: at half of 7.5 rad/s², joint 2 takes 60 cycles.
    world.run(80, values=[0.2] * 7 if mode == "joint_velocity" else PUSH[mode])
    if mode == "joint_velocity":
        assert world.velocity == [0.1] * 7
    world.stamp += 1_000 * MS  # a jump: a fault, braking
    while world.supervisor.state is not State.LATCHED:
        world.run(1, rng=rng)
    replayer, _ = replay(world.recorded, mode)
    assert replayer.reproduced == len(outputs(world.recorded)) > 100
    # A jump of the clock may be a reset, so both starts owe nothing to what was sent before.
    starts = [r for r in records(world.recorded) if r.start]
    assert [r.forgot for r in starts] == [True, True]
    assert sum(r.forgot for r in records(world.recorded)) == 2


def test_a_repeated_output_counts_once_and_must_be_the_same():
    recorded = pressed().recorded
    place = recorded.index(outputs(recorded)[30])
    again = [*recorded[: place + 1], recorded[place], *recorded[place + 1 :]]
    replayer, _ = replay(again)
    assert (replayer.repeated, replayer.reproduced) == (1, len(outputs(recorded)))
    again[place + 1] = (*recorded[place][:4], (0.0,) * 7, recorded[place][5])
    with pytest.raises(ReplayError, match=r"panda_joint1 was sent 0\.0, the replay gives"):
        replay(again)


@modes
def test_inputs_may_be_recorded_after_the_output_that_they_made(mode):
    recorded = pressed(mode).recorded
    late, inputs = [], []
    for entry in recorded:
        if entry[0] == "output":
            late += [entry, *inputs]
            inputs = []
        else:
            inputs.append(entry)
    replayer, _ = replay(late, mode)
    assert replayer.reproduced == len(outputs(recorded))


@modes
def test_outputs_before_the_first_arming_of_the_recording_cannot_be_checked(mode):
    recorded = pressed(mode).recorded
    began = recorded.index(outputs(recorded)[20])
    replayer, _ = replay(recorded[began:], mode)
    told = records(recorded)[20:]
    start = next(i for i, r in enumerate(told) if r.start)
    # Holds before it need no filter, but for those of efforts.
    holds = sum(r.kind == "i" for r in told[:start]) if mode != "joint_effort" else 0
    assert replayer.reproduced == len(told) - start + holds
    assert replayer.unchecked == start - holds > 50
    assert replayer.missing == 0


@modes
def test_holds_from_the_first_of_a_recording_on(mode):
    world = World(mode)
    world.run(60, rng=random.Random(0))
    recorded = world.recorded
    # Where the arm is has to persist for 30 ms, and for 300 ms until a position is held.
    made = {"joint_velocity": 60, "joint_position": 30, "joint_effort": 57}[mode]
    replayer, _ = replay(recorded, mode)
    assert (replayer.reproduced, replayer.unchecked) == (made, 0)
    # A recorder that finds the states a little later than the outputs: 5 more.
    first = outputs(recorded)[10]
    late = [e for e in recorded[recorded.index(first) :] if e[0] != "state" or e[1] > first[1]]
    replayer, _ = replay(late, mode)
    # Zero needs nothing, a held position the one before, an effort all since the start.
    unchecked = {"joint_velocity": 0, "joint_position": 1, "joint_effort": made - 10}[mode]
    assert (replayer.reproduced, replayer.unchecked) == (made - 10 - unchecked, unchecked)


@modes
def test_a_node_that_was_started_again_begins_anew(mode):
    first, second = pressed(mode, 1).recorded, pressed(mode, 2).recorded
    later = first[-1][1] + 1_000 * MS
    replayer, _ = replay(
        [*first, *((kind, now + later, *rest) for kind, now, *rest in second)], mode
    )
    assert replayer.reproduced == len(outputs(first)) + len(outputs(second))
    assert replayer.unchecked == replayer.missing == 0


@modes
def test_missing_outputs_are_counted_and_what_follows_is_not_checked(mode):
    recorded = pressed(mode).recorded
    lost = outputs(recorded)[20:22]
    replayer, _ = replay([entry for entry in recorded if entry not in lost], mode)
    assert replayer.missing == 2
    assert replayer.unchecked > 0
    assert replayer.reproduced + replayer.unchecked + 2 == len(outputs(recorded))


def is_used(index, recorded, mode):
    """Tell whether an output was made of this entry, or is it."""
    entry = recorded[index]
    if entry[0] == "output":
        return True
    following = next((e for e in recorded[index:] if e[0] == "output"), None)
    if following is None:
        return False
    record = parsed(following[5])
    if entry[0] == "command":
        return following[3] == entry[2] and bool(record.desired)
    if record.kind == "i" and mode == "joint_velocity":
        return False  # zero needs no state
    # Before the first start a state may be lacking because the recording began later.
    started = any(r.start for r in records(recorded[:index]))
    return bool(record.start) or (started and bool(record.measured))


@modes
@pytest.mark.parametrize(
    ("kind", "at", "expected"),
    [
        ("state", 3, r"output \d+, .* no joint state of stamp"),
        ("state", 4, r"output \d+, .* no joint state of stamp"),
        ("command", 3, r"output \d+, .* no command of stamp"),
        ("output", 4, r"output \d+, \d.\d+ s into the recording: panda_joint\d was sent"),
    ],
)
def test_a_value_that_was_changed_by_one_bit_is_found(mode, kind, at, expected):
    recorded = pressed(mode).recorded
    used = [
        index
        for index, entry in enumerate(recorded)
        if entry[0] == kind and is_used(index, recorded, mode)
    ]
    assert len(used) > 30
    for index in used[::9]:
        entry = recorded[index]
        values = list(entry[at])
        values[index % 7] = math.nextafter(values[index % 7], 999.0)
        changed = [*recorded[:index], (*entry[:at], tuple(values), *entry[at + 1 :])]
        with pytest.raises(ReplayError, match=expected):
            replay(changed + recorded[index + 1 :], mode)


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
        CycleRecord(number=9, forgot=True, start="ff", kind="s", configuration="1"),
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
