import numpy as np

from vasa_jax.metrics import chroma


def test_grey_has_none_and_a_small_coloured_mouth_counts():
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (3, 50, 50, 1), np.uint8), 3, -1)
    assert chroma.highest(grey) == 0
    mouth = grey.copy()
    mouth[:, 30:33, 20:30] = 60, 100, 40  # 30 of 2,500 pixels
    assert chroma.highest(mouth) == 60


def test_what_is_not_seen_does_not_count():
    images = np.zeros((2, 10, 10, 3), np.uint8)
    images[:, 0, :, 1] = 200
    seen = np.ones((10, 10), bool)
    seen[0] = False
    assert chroma.highest(images) == 200 and chroma.highest(images, seen) == 0
