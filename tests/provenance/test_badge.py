"""The badge can be read at 128 pixels and leaves the rest of the image alone."""

import numpy as np
import pytest

from vasa_jax.provenance import badge


@pytest.mark.parametrize("size", [128, 256, 512])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_letters_stand_out_on_any_ground(size, level):
    frame = np.full((size, size, 3), level, np.uint8)
    drawn = badge.draw(frame)
    rows, columns, *_ = badge.mask(size, size)
    inside = drawn[rows, columns].astype(int)
    assert inside.max() >= 250 and inside.min() <= 80  # white on dark, whatever lies behind
    assert (inside.max(-1) > 200).mean() > 0.08  # strokes, not specks
    assert rows.stop - rows.start >= 12
    assert columns.start > size / 2 and rows.stop < size / 4
    outside = np.ones(frame.shape[:2], bool)
    outside[rows, columns] = False
    assert (drawn[outside] == level).all() and (frame == level).all()


def test_two_letters_are_apart():
    """Between A and I a column of the plate shows through, from top to bottom."""
    rows, columns, *_ = badge.mask(128, 128)
    inside = badge.draw(np.zeros((128, 128, 3), np.uint8))[rows, columns, 0] > 128
    used = inside.any(0).astype(int)
    assert (np.diff(used) == 1).sum() == 2


def test_a_tiny_image_is_left_alone():
    frame = np.zeros((10, 10, 3), np.uint8)
    assert badge.draw(frame) is frame
