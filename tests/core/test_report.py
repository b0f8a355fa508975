import numpy as np

from sinew_core.graph_record import EpisodeTrace
from sinew_core.report.page import Page
from sinew_core.report.training import TrainingReport, evaluation_rows
from sinew_core.training.progress import CurvePoint

FIGURES = {
    "run": "first",
    "robot": "panda",
    "task": "reach",
    "engine": "pybullet",
    "algorithm": "ddpg",
    "action_mode": "joint_velocity",
    "seed": 0,
    "env_steps": 12_345,
    "train_wall_s": 10.0,
    "env_steps_per_s": 1234.5,
    "eval_env": {
        "episodes": 200,
        "successes": 198,
        "success_rate": 0.99,
        "success_ci95": [0.964, 0.997],
        "return_mean": -3.25,
        "return_std": 0.5,
        "length_mean": 33.0,
    },
    "eval_graph": None,
    "graph_note": "The graph was not evaluated.",
}


def test_text_is_escaped():
    page = Page("<b>", "a & b")
    page.text("<script>")
    assert "<script>" not in page.html()
    assert "a &amp; b" in page.html()


def test_rows_without_any_figure_are_left_out():
    names = [row[0] for row in evaluation_rows(FIGURES)]
    assert "success" in names
    assert "limit violations" not in names


def test_success_shows_count_rate_and_interval():
    (row,) = [row for row in evaluation_rows(FIGURES) if row[0] == "success"]
    assert row[1] == "198 of 200 = 99.0% [96.4%, 99.7%]"


def test_the_page_stands_alone():
    trace = EpisodeTrace(
        time_s=np.array([0.0, 0.01]),
        distance_m=np.array([0.3, 0.2]),
        velocity_rad_s=np.zeros((2, 2)),
        success=True,
    )
    page = TrainingReport(
        figures=FIGURES,
        curve=[
            CurvePoint(env_steps=100, wall_s=0.1, success_rate=0.5, return_mean=-1.0, episodes=20)
        ],
        traces=[trace],
        tolerance_m=0.02,
        velocity_limit_rad_s=np.ones(2),
        joint_names=["one", "two"],
        picture_png=None,
        configuration="seed: 0\n",
    ).html()
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page
    assert "12,345 environment steps" in page
