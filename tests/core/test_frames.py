import pytest

from sinew_core.frames import pose_frames


@pytest.mark.parametrize(
    ("given", "frames"),
    [
        (("base_link",), ("", "base_link")),
        (("base_link", "left_"), ("", "base_link", "left_base_link")),
        # A URDF of one's own may have the prefix already.
        (("left_base_link", "left_"), ("", "left_base_link")),
        (("base_link", "left_", "table"), ("", "table")),
    ],
)
def test_the_base_has_these_names(given, frames):
    assert pose_frames(*given) == frames
