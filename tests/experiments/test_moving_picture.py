"""Videos beside each other as one moving image."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from experiments import moving_picture
from tests.test_media import write_video
from vasa_jax.errors import UsageError


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    made = []
    for name, count, shade in (("long", 12, 40), ("short", 9, 200)):
        frames = [np.full((64, 64, 3), shade, np.uint8) for _ in range(count)]
        made.append(folder / f"{name}.mp4")
        write_video(made[-1], frames)
    return made


def test_every_second_frame_of_each_side_by_side_as_long_as_the_shortest(videos, tmp_path):
    images = moving_picture.beside([videos, videos[::-1]], side=32, seconds=4.0)
    assert images.shape == (5, 64, 64, 3)
    corners = [images[:, y : y + 32, x : x + 32].mean() for y in (0, 32) for x in (0, 32)]
    np.testing.assert_allclose(corners, [40, 200, 200, 40], atol=6)
    assert len(moving_picture.beside([videos], side=32, seconds=0.2)) == 3
    output = tmp_path / "moving.webp"
    moving_picture.write(output, images)
    with Image.open(output) as image:
        assert image.size == (64, 64)
    moving_picture.write(
        output, np.arange(0, 250, 50, np.uint8)[:, None, None, None] + np.zeros((5, 8, 8, 3), np.uint8)
    )
    with Image.open(output) as image:
        shades = [np.asarray(frame.convert("RGB")).mean() for frame in ImageSequence.Iterator(image)]
    np.testing.assert_allclose(shades, range(0, 250, 50), atol=6)


def test_the_command_writes_the_image(videos, tmp_path):
    """As a child: other commands of this process may have a flag of the same name."""
    words = [f"--rows={videos[0]},{videos[1]}", f"--output={tmp_path / 'm.webp'}", "--side=32"]
    subprocess.run([sys.executable, "-m", "experiments.moving_picture", *words], check=True)
    assert (tmp_path / "m.webp").stat().st_size > 0


def test_an_image_that_stays_too_large_and_rows_of_other_lengths_are_refused(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(moving_picture, "MOST_BYTES", 10)
    with pytest.raises(UsageError, match=r"lower --side or --seconds"):
        moving_picture.write(tmp_path / "moving.webp", np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(UsageError, match="as many videos as the first"):
        moving_picture.beside([videos, videos[:1]], side=32, seconds=1.0)
