"""Pictures: the labels point at what they name."""

import numpy as np
import pytest

from data_pipelines.schema import MARGIN
from data_pipelines.synthetic import expression_basis, scene
from data_pipelines.synthetic.head import FrameState, Head
from data_pipelines.synthetic.traits import sample
from vasa_jax import landmarks

_SIZE = 160


def _photo_identity() -> int:
    return next(
        i for i in range(50) if sample(i).style == "photo" and sample(i).glasses is None and sample(i).fringe < 0.2
    )


@pytest.fixture(scope="module")
def renderer() -> scene.Renderer:
    return scene.Renderer(Head(_photo_identity()), scene.sample_scene(3), _SIZE)


def _draw(renderer, rotation=(0, 0, 0), gaze=(0, 0), **strengths):
    expression = np.zeros(len(expression_basis.NAMES))
    for name, amount in strengths.items():
        expression[expression_basis.NAMES.index(name)] = amount
    rotation = np.asarray(rotation, float)
    posed = renderer.head.pose(
        FrameState(expression, rotation, np.zeros(3), 1.0, np.asarray(gaze, float), 0.3 * rotation)
    )
    pixels = (posed.landmarks[:, :2] / MARGIN + 1) * _SIZE / 2 - 0.5
    return renderer(posed).astype(float), pixels


def _at(image, points):
    x, y = np.round(points).astype(int).T
    return image[y, x].mean(-1)


def test_irises_are_darker_than_the_white_beside_them(renderer):
    for gaze in ((0, 0), (0.35, 0), (-0.35, 0)):
        image, points = _draw(renderer, gaze=gaze)
        iris = points[landmarks.SLICES["irises"]]
        brightest = [image[int(y) - 2 : int(y) + 3, int(x) - 6 : int(x) + 7].mean(-1).max() for x, y in iris]
        assert (_at(image, iris) < 0.75 * np.asarray(brightest)).all()


def test_an_open_mouth_is_dark_inside(renderer):
    closed, points = _draw(renderer)
    opened, moved = _draw(renderer, jaw=0.7)
    inner = landmarks.SLICES["lips_inner"]
    below = moved[inner].mean(0, keepdims=True) + [[0, 3]]
    assert _at(opened, below) < 0.5 * _at(closed, points[inner].mean(0, keepdims=True) + [[0, 3]])


def test_a_closed_lid_hides_the_eye(renderer):
    opened, points = _draw(renderer)
    closed, _ = _draw(renderer, lid_left=1, lid_right=1)
    ring = points[landmarks.SLICES["eye_left"]]
    (x0, y0), (x1, y1) = ring.min(0).astype(int), ring.max(0).astype(int) + 1
    contrast = [np.ptp(p[y0:y1, x0:x1].mean(-1)[:-2]) for p in (opened, closed)]
    assert contrast[1] < 0.75 * contrast[0]


def test_scenes_differ_and_repeat():
    a, b = scene.sample_scene(1), scene.sample_scene(2)
    assert not np.allclose(a.key_direction, b.key_direction)
    np.testing.assert_array_equal(scene.background(1, 32), scene.background(1, 32))
    assert np.abs(scene.background(1, 32) - scene.background(2, 32)).max() > 0.02


@pytest.mark.parametrize("size", [80, 96])
def test_any_size(size):
    drawer = scene.Renderer(Head(1, texture_size=128), scene.sample_scene(1), size)
    still = np.zeros(3)
    posed = drawer.head.pose(FrameState(np.zeros(len(expression_basis.NAMES)), still, still, 1.0, np.zeros(2), still))
    image = drawer(posed)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
