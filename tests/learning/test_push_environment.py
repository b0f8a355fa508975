"""Push can be done: a hand-written controller does it through filter, Jacobian and contact."""

import contextlib

import numpy as np

from sinew_core.environments import ArmEnv
from sinew_core.safety.parameters import SafetyParameters

HEIGHT_M = 0.05
TOUCH_M = 0.05  # half of the cube's 0.06 and the ball's 0.02


def steer(tool, place, target):
    """Return the action (3,): around the cube to behind it, then through it to the target."""
    way = (target - place)[:2]
    left = np.linalg.norm(way)
    if left < 0.02:
        return np.zeros(3)
    ahead = way / left
    offset = (tool - place)[:2]
    along = offset @ ahead
    aside = offset - along * ahead
    off_line = np.linalg.norm(aside)
    outward = aside / off_line if off_line > 1e-6 else np.array([-ahead[1], ahead[0]])
    if along < -TOUCH_M + 0.01 and off_line < 0.025:
        across = 8.0 * (min(TOUCH_M - 0.02, left) * ahead - TOUCH_M * ahead - offset)
        velocity = across - 8.0 * aside
    elif along > -TOUCH_M and off_line < 0.07:
        velocity = 0.3 * outward - ahead if off_line > 0.055 else 0.5 * outward - 0.3 * ahead
    else:
        velocity = 8.0 * (-1.5 * TOUCH_M * ahead - offset)
    return np.clip(np.append(velocity, 8.0 * (HEIGHT_M - tool[2])), -1.0, 1.0)


def test_a_hand_written_controller_pushes_the_cube_to_its_target():
    env = ArmEnv(
        engine="mujoco",
        task="push",
        action_mode="tool_velocity",
        safety=SafetyParameters(limiting="scale"),
    )
    successes = 0
    with contextlib.closing(env):
        for seed in range(5):
            _, info = env.reset(seed=seed)
            ended = False
            while not (ended or info["is_success"]):
                places = info["tool_position"], info["achieved_goal"], info["target_position"]
                _, _, _, ended, info = env.step(steer(*places))
                assert info["filter_fault"] == 0
            successes += bool(info["is_success"])
    assert successes == 5
