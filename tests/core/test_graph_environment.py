"""Episodes over a graph that an operator stops, and how they begin, on an arm without a graph."""

from __future__ import annotations

import numpy as np
import pytest

from sinew_core.algorithms.exploration import NoisyPolicy
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import ConfigError
from sinew_core.robots.catalogue import load_robot
from sinew_core.tasks.setup import TaskSetup
from sinew_core.training.graph.environment import ArmState, Closed, GraphEnv, Interrupted
from sinew_core.training.graph.runner import collect_episode, run_job
from sinew_core.training.jobs import CollectJob, JudgeJob, ObserveJob

PERIOD_S, PERIOD_NS = 0.04, 40_000_000
SETUPS = {
    mode: TaskSetup.make(load_robot("panda"), mode)
    for mode in ("joint_velocity", "joint_position", "joint_effort")
}
ROBOT = SETUPS["joint_velocity"].robot
STEPS = SETUPS["joint_velocity"].task.episode_ticks
AWAY = ROBOT.home_rad + 0.4


class IdealArm:
    """Follows commands at once, until it is disturbed.

    `ends` says of each episode in turn after how many steps the filter ceased to be armed, and how
    many more steps the trainer takes before it learns of that; None: never.
    """

    def __init__(self, ends=(), mode="joint_velocity", start=ROBOT.home_rad, blocked=False):
        self.ends, self.mode, self.start, self.blocked = list(ends), mode, start, blocked
        self.stamp, self.commands, self.begun = 0, [], 0
        self.position, self.velocity = np.array(start), np.zeros(ROBOT.n_joints)

    def state(self):
        return ArmState(
            stamp_ns=self.stamp,
            position=self.position.copy(),
            velocity=self.velocity.copy(),
            effort=np.zeros(ROBOT.n_joints),
        )

    def begin(self):
        self.begun += 1
        self.disturbed = self.ends.pop(0) if self.ends else None
        if self.disturbed == "closed":
            raise Closed
        self.position, self.velocity = np.array(self.start), np.zeros(ROBOT.n_joints)
        self.first = self.stamp = self.stamp + PERIOD_NS
        return self.state()

    def step(self, command):
        self.commands.append(np.array(command))
        steps = (self.stamp - self.first) // PERIOD_NS
        if self.disturbed and steps >= sum(self.disturbed):
            raise Interrupted("stopped")
        if self.blocked or (self.disturbed and steps >= self.disturbed[0]):
            command = self.position if self.mode == "joint_position" else 0.0 * self.velocity
        if self.mode == "joint_position":
            self.velocity = (command - self.position) / PERIOD_S
        else:
            self.velocity = np.array(command)
        self.position = self.position + self.velocity * PERIOD_S
        self.stamp += PERIOD_NS
        return self.state()

    def end(self):
        return self.first + self.disturbed[0] * PERIOD_NS if self.disturbed else self.stamp


def network():
    rng = np.random.default_rng(3)
    size = SETUPS["joint_velocity"].observation_spec.size
    return PolicyNetwork(
        layers=((rng.normal(0.0, 0.2, (7, size)).astype(np.float32), np.zeros(7, np.float32)),),
        hidden_activation="relu",
        output_activation="tanh",
        observation_mean=np.zeros(size, np.float32),
        observation_std=np.ones(size, np.float32),
    )


EXPLORER = NoisyPolicy(network=network(), process="gaussian", sigma=(0.3,) * 7, as_drawn=False)


def env_of(world, reset="teleport", mode="joint_velocity"):
    return GraphEnv(SETUPS[mode], world, reset)


def assert_equal(ours, theirs, steps):
    for name, values in vars(ours.transitions).items():
        assert values.tobytes() == getattr(theirs.transitions, name)[:steps].tobytes(), name


@pytest.mark.parametrize("unnoticed", [0, 1, 5, STEPS])
def test_a_stopped_episode_is_the_undisturbed_one_up_to_the_stop(unnoticed):
    whole = collect_episode(env_of(IdealArm()), EXPLORER, seed=5)
    stopped = collect_episode(env_of(IdealArm([(30, unnoticed)])), EXPLORER, seed=5)
    assert len(whole.transitions.reward) == STEPS
    assert len(stopped.transitions.reward) == 30
    assert_equal(stopped, whole, 30)
    assert not stopped.transitions.terminated.any()
    assert stopped.total_reward == pytest.approx(whole.transitions.reward[:30].sum())


def test_an_episode_without_an_undisturbed_step_begins_again():
    world = IdealArm([(0, 3), (0, 0)])
    again = collect_episode(env_of(world), EXPLORER, seed=5)
    assert world.begun == 3
    assert_equal(again, collect_episode(env_of(IdealArm()), EXPLORER, seed=5), STEPS)


def test_a_disturbed_evaluation_is_judged_anew():
    job = JudgeJob(network=network(), seeds=(1, 2))
    plain = run_job(env_of(IdealArm()), job)
    world = IdealArm([(STEPS - 1, 1), (10, 2)])
    assert run_job(env_of(world), job) == plain
    assert world.begun == 4


def test_a_world_that_ends_leaves_the_whole_episodes_and_no_half_evaluation():
    job = CollectJob(explorer=EXPLORER, seeds=(1, 2, 3))
    assert len(run_job(env_of(IdealArm([None, "closed"])), job)) == 1
    with pytest.raises(Closed):
        run_job(env_of(IdealArm(["closed"])), JudgeJob(network=network(), seeds=(1,)))


def test_golden_pairs_are_of_what_was_seen_and_move_no_arm():
    world = IdealArm()
    env = env_of(world)
    collect_episode(env, EXPLORER, seed=5)
    before = len(world.commands)
    seen = run_job(env, ObserveJob(network=network()))
    assert seen.shape == (64, SETUPS["joint_velocity"].observation_spec.size)
    assert len(world.commands) == before


@pytest.mark.parametrize("mode", ["joint_velocity", "joint_position"])
def test_home_drives_there_slowly_and_begins_at_rest(mode):
    world = IdealArm(mode=mode, start=AWAY)
    env_of(world, "home", mode).reset(seed=1)
    assert np.abs(world.position - ROBOT.home_rad).max() < 0.05
    assert np.abs(world.velocity).max() < 0.05
    driven = np.array(world.commands)
    if mode == "joint_position":
        driven = np.diff(np.vstack([AWAY, driven]), axis=0) / PERIOD_S
    assert (np.abs(driven) <= 0.3 * ROBOT.limits.velocity_rad_s + 1e-9).all()


def test_a_stop_on_the_way_home_leaves_nothing_of_it():
    world = IdealArm([(2, 1)], start=AWAY)
    episode = collect_episode(env_of(world, "home"), EXPLORER, seed=5)
    assert world.begun == 2
    assert len(episode.transitions.reward) == STEPS


def test_an_arm_that_cannot_come_home_is_told_of():
    with pytest.raises(ConfigError, match="off home after 30 s: free its way"):
        env_of(IdealArm(start=AWAY, blocked=True), "home").reset(seed=1)


def test_none_begins_where_the_arm_stands():
    world = IdealArm(start=AWAY)
    observation, _ = env_of(world, "none").reset(seed=1)
    assert world.commands == []
    expected, _ = env_of(IdealArm(start=AWAY)).reset(seed=1)
    assert observation.tobytes() == expected.tobytes()


def test_efforts_do_not_drive_home():
    with pytest.raises(ConfigError, match="take teleport or none"):
        env_of(IdealArm(), "home", "joint_effort")
