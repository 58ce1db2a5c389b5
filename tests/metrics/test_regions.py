import numpy as np
import pytest

from vasa_jax import landmarks
from vasa_jax.losses.reconstruction import region_boxes
from vasa_jax.metrics import regions

SIZE = 64


@pytest.fixture
def points():
    return np.repeat(landmarks.template()[None], 3, 0)


def test_error_is_where_the_difference_is(points):
    real = np.random.default_rng(0).random((3, SIZE, SIZE, 3)).astype(np.float32)
    mouth = regions.region_masks(points, SIZE)["mouth"]
    made = np.where(mouth[..., None], real + 0.25, real)
    found = regions.region_error(made, real, points)
    assert found["mouth"] == pytest.approx(0.25, abs=1e-5) and found["eyes"] == 0.0
    assert found["whole"] == pytest.approx(0.25 * mouth.mean(), abs=1e-5)


def test_boxes_are_those_of_the_loss(points):
    masks, centres = regions.region_masks(points, SIZE), (np.arange(SIZE) + 0.5) * 2 / SIZE - 1
    x0, y0, x1, y1 = np.asarray(region_boxes(points))[0, 0]
    rows, columns = np.nonzero(masks["mouth"][0])
    pixel = 2 / SIZE
    for found, bound in ((centres[columns.min()], x0), (centres[rows.min()], y0)):
        assert bound <= found < bound + pixel
    for found, bound in ((centres[columns.max()], x1), (centres[rows.max()], y1)):
        assert bound - pixel < found <= bound


def test_frames_whose_boxes_are_outside_are_left_out(points):
    points = points.copy()
    points[1] += 5
    real = np.zeros((3, SIZE, SIZE, 3), np.float32)
    made = real.copy()
    made[1] = 1.0
    assert regions.region_error(made, real, points)["mouth"] == 0.0
