"""The state machine of the safety filter when commands are efforts, around a simulated arm."""

from __future__ import annotations

import numpy as np
import pytest

from sinew_core.safety.supervisor import State
from sinew_core.simulation import make_engine
from supervised_world import PERIOD, ROBOT, World

SETTLED_RAD = 0.05


class HeavyWorld(World):
    """A world whose arm has masses; in silence its motors keep the last effort."""

    def __init__(self, **arguments):
        super().__init__("joint_effort", **arguments)
        self.engine = make_engine("mujoco", ROBOT, 500)
        self.measured = [np.zeros(7) for _ in range(3)]

    def cycle(self):
        output = self.supervisor.cycle(self.now)
        self.outputs.append(output)
        if output is not None:
            self.engine.command_effort(np.array(output), gravity_compensation=True)
        return output

    def pass_time(self):
        self.now += PERIOD
        self.stamp += PERIOD
        self.engine.step(5)
        self.engine.read_state(*self.measured)
        self.position, self.velocity = self.measured[0].tolist(), self.measured[1].tolist()

    def command(self, values=None, **arguments):
        return super().command([2.0, 0.0, 2.0, 0.0, 0.5, 0.0, 0.2] if values is None else values)

    def off(self, position):
        return np.abs(np.subtract(self.position, position)).max()


@pytest.fixture
def world():
    made = HeavyWorld()
    yield made
    made.engine.close()


def test_nothing_is_published_before_a_state_is_known(world):
    assert world.cycle() is None


def test_disarmed_and_armed_without_a_command_the_arm_stays_where_it_is(world):
    world.run(50)
    assert world.supervisor.state is State.DISARMED
    assert world.off(ROBOT.home_rad) < 1e-3
    world.armed()
    world.run(50, commands=False)
    assert world.supervisor.state is State.ARMED
    assert world.off(ROBOT.home_rad) < 1e-3
    assert not any(world.supervisor.interventions)


def test_commands_move_the_arm_and_stop_brings_it_to_rest(world):
    world.run(2)
    world.armed()
    world.run(15)
    assert max(map(abs, world.velocity)) > 0.1
    world.supervisor.stop("pressed")
    world.run(100)
    assert world.supervisor.state is State.LATCHED
    at = list(world.position)
    world.run(100)
    assert world.off(at) < SETTLED_RAD
    assert max(map(abs, world.velocity)) < 0.01


def test_silence_brakes_and_latches(world):
    world.run(2)
    world.armed()
    world.run(15)
    world.run(100, commands=False)
    assert "command is stale" in world.supervisor.reason
    assert world.supervisor.state is State.LATCHED


def test_an_arm_that_was_placed_elsewhere_is_held_there(world):
    world.run(10)
    placed = ROBOT.home_rad + 0.3
    world.engine.reset(placed)
    world.pass_time()
    world.run(100)
    assert world.off(placed) < SETTLED_RAD


def test_frozen_positions_brake_while_the_arm_says_that_it_moves(world):
    world.run(2)
    world.armed()
    world.run(15)
    for _ in range(8):
        frozen, speed = list(world.position), list(world.velocity)
        world.run(1)
        world.position, world.velocity = frozen, speed
    assert "frozen" in world.supervisor.reason
