"""What makes a picture of the software renderer pleasant: a soft shadow on the floor, and haze.

The renderer's own shadows stripe floor and arm, so the shadow is a mask seen from the light.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinew_core.robots.arrays import Array

_HORIZON = np.array([205.0, 214.0, 226.0])
_ZENITH = np.array([140.0, 164.0, 192.0])
_HAZE_M = (2.4, 5.5)
"""The floor fades into the horizon between these distances from the camera."""
_SHADOW = 0.36
_BLUR_PIXELS = 2


def floor_points(view: Array, projection: Array, width: int, height: int) -> tuple[Array, Array]:
    """Return where each pixel's ray meets z = 0, (h, w, 3) m, and how far off, (h, w) m.

    Rays that do not meet it are infinitely long.

    Args:
        view: (4, 4) world to camera.
        projection: (4, 4) camera to clip space.
        width: pixels.
        height: pixels.
    """
    inverse = np.linalg.inv(projection @ view)
    x = (np.arange(width) + 0.5) / width * 2.0 - 1.0
    y = 1.0 - (np.arange(height) + 0.5) / height * 2.0
    clip = np.empty((2, height, width, 4))
    clip[..., 0], clip[..., 1], clip[..., 3] = x, y[:, None], 1.0
    clip[0, ..., 2], clip[1, ..., 2] = -1.0, 1.0
    ends = clip @ inverse.T
    near, far = ends[..., :3] / ends[..., 3:]
    drop = near[..., 2] - far[..., 2]
    share = np.where(drop > 1e-9, near[..., 2] / np.where(drop > 1e-9, drop, 1.0), np.inf)
    reach = np.linalg.norm(far - near, axis=-1)
    meets = np.isfinite(share)
    points = near + np.where(meets, share, 0.0)[..., None] * (far - near)
    return points, np.where(meets, share * reach, np.inf)


def floor_shade(points: Array, light: Array, mask: NDArray[np.bool_]) -> Array:
    """Return the brightness (h, w) of floor points under what the light sees.

    Args:
        points: (h, w, 3) m.
        light: (4, 4) world to the light's clip space.
        mask: (m, m) what the light sees of bodies above the floor.
    """
    soft = _blurred(mask.astype(np.float64))
    seen = points @ light[:, :3].T + light[:, 3]
    seen = seen[..., :2] / np.maximum(seen[..., 3:], 1e-6)
    size = mask.shape[0]
    column = np.floor((seen[..., 0] + 1.0) * 0.5 * size)
    row = np.floor((1.0 - seen[..., 1]) * 0.5 * size)
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    index = (np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int))
    return np.asarray(1.0 - _SHADOW * np.where(inside, soft[index], 0.0))


def blend(
    colours: Array, floor: NDArray[np.bool_], sky: NDArray[np.bool_], shade: Array, distance: Array
) -> Array:
    """Return colours (h, w, 3) with the floor shaded and hazy, and with a sky.

    Args:
        colours: (h, w, 3), 0 to 255.
        floor: (h, w) pixels that show the floor.
        sky: (h, w) pixels that show nothing.
        shade: (h, w) brightness of the floor.
        distance: (h, w) m of the floor from the camera.
    """
    near, far = _HAZE_M
    haze = np.where(floor, np.clip((distance - near) / (far - near), 0.0, 1.0), 0.0)
    haze = np.where(sky, 1.0, haze)[..., None]
    lit = colours * np.where(floor, shade, 1.0)[..., None]
    height = np.linspace(1.0, 0.0, colours.shape[0])[:, None, None]
    return np.asarray((1.0 - haze) * lit + haze * (_HORIZON + height * (_ZENITH - _HORIZON)))


def _blurred(image: Array) -> Array:
    """Return a square image after two box filters along each axis."""
    kernel = np.ones(2 * _BLUR_PIXELS + 1) / (2 * _BLUR_PIXELS + 1)
    kernel = np.convolve(kernel, kernel)
    for axis in (0, 1):
        image = np.apply_along_axis(np.convolve, axis, image, kernel, mode="same")
    return image
