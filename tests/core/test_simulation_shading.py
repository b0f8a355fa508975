"""The arithmetic of the picture's floor, on cameras that can be followed by hand."""

import numpy as np
import pytest

from sinew_core.simulation.shading import blend, floor_points, floor_shade

# From 5 m above the origin straight down, image up is +y: the camera's axes are the world's.
VIEW_DOWN = np.eye(4)
VIEW_DOWN[2, 3] = -5.0
NEAR, FAR = 1.0, 11.0
# A field of view of 90 degrees: at 5 m the picture spans -5 to 5 m.
PROJECTION = np.array(
    [
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, -(FAR + NEAR) / (FAR - NEAR), -2.0 * FAR * NEAR / (FAR - NEAR)],
        [0.0, 0.0, -1.0, 0.0],
    ]
)


def test_pixels_meet_the_floor_where_the_rays_of_the_camera_do():
    points, distance = floor_points(VIEW_DOWN, PROJECTION, 4, 2)
    # Pixel centres are at -0.75, -0.25, 0.25, 0.75 across and 0.5, -0.5 up, times 5 m.
    np.testing.assert_allclose(points[0, :, 0], [-3.75, -1.25, 1.25, 3.75])
    np.testing.assert_allclose(points[:, 0, 1], [2.5, -2.5])
    np.testing.assert_allclose(points[..., 2], 0.0, atol=1e-12)
    # The ray starts on the near plane, a fifth of the way to the floor.
    expected = 0.8 * np.linalg.norm([3.75, 2.5, 5.0])
    assert distance[0, 0] == pytest.approx(expected)


def test_rays_above_the_horizon_never_meet_the_floor():
    level = np.array(
        [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    )
    distance = floor_points(level, PROJECTION, 1, 2)[1]
    assert distance[0, 0] == np.inf
    assert np.isfinite(distance[1, 0])


def test_the_floor_is_darker_under_what_the_light_sees():
    mask = np.zeros((100, 100), dtype=bool)
    mask[:40, 60:] = True
    points = np.array([[[4.0, 4.0, 0.0], [-4.0, -4.0, 0.0], [40.0, 0.0, 0.0]]])
    shade = floor_shade(points, PROJECTION @ VIEW_DOWN, mask)[0]
    assert shade[0] < 0.8
    np.testing.assert_array_equal(shade[1:], 1.0)


def test_only_the_floor_is_shaded_and_only_the_far_floor_hazy():
    colours = np.full((1, 3, 3), 100.0)
    floor = np.array([[False, True, True]])
    shade = np.array([[0.5, 0.5, 1.0]])
    distance = np.array([[1.0, 1.0, np.inf]])
    picture = blend(colours, floor, np.zeros_like(floor), shade, distance)
    np.testing.assert_array_equal(picture[0, 0], 100.0)
    np.testing.assert_array_equal(picture[0, 1], 50.0)
    sky = blend(colours, np.zeros_like(floor), np.ones_like(floor), shade, distance)
    np.testing.assert_array_equal(picture[0, 2], sky[0, 2])
