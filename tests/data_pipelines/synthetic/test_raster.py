"""The rasteriser against its definition."""

import numpy as np
import pytest

from data_pipelines.synthetic.raster import rasterise


def _image(points, triangles, values, size=32, two_sided=None):
    points, triangles = np.asarray(points, float), np.asarray(triangles)
    two_sided = np.ones(len(triangles), bool) if two_sided is None else two_sided
    seen = rasterise(points, triangles, two_sided, size, size)
    image = np.full(size * size, -1.0)
    image[seen.pixel] = (np.asarray(values, float)[triangles[seen.triangle]].T * seen.weights).sum(0)
    return image.reshape(size, size)


def test_covers_and_interpolates_like_the_half_plane_definition():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    for _ in range(20):
        p = np.concatenate([rng.uniform(-4, 36, (3, 2)), rng.normal(0, 1, (3, 1))], -1)
        edges = np.roll(p, -1, 0)[:, :2] - p[:, :2]
        side = [e[0] * (y - q[1]) - e[1] * (x - q[0]) for e, q in zip(edges, p, strict=True)]
        area = edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0]
        inside = np.all([s * np.sign(area) >= 0 for s in side], axis=0)
        image = _image(p, [[0, 1, 2]], p[:, 0])
        # Pixels within 1e-4 of an edge may fall either way: that is the slack of the spans.
        sure = np.min(np.abs(side), axis=0) > 1e-2 * np.abs(area) ** 0.5
        np.testing.assert_array_equal((image > -1e9)[sure] & (image != -1)[sure], inside[sure])
        np.testing.assert_allclose(image[inside & sure], x[inside & sure], atol=2e-3)


def test_the_nearer_triangle_wins_whatever_the_order():
    near = [[2, 2, 0.0], [30, 2, 0.0], [2, 30, 0.0]]
    far = [[2, 2, 1.0], [30, 2, 1.0], [2, 30, 1.0]]
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        image = _image(near + far, order, [5] * 3 + [9] * 3)
        assert image[8, 8] == pytest.approx(5, abs=1e-4)


def test_backs_are_seen_only_if_two_sided():
    points, back = [[2, 2, 0], [30, 2, 0], [2, 30, 0]], [[0, 2, 1]]
    assert (_image(points, back, [1] * 3, two_sided=np.array([False])) == -1).all()
    assert (_image(points, back, [1] * 3) > 0.9).any()


def test_points_outside_the_image_do_no_harm():
    image = _image([[-100, -100, 0], [500, -90, 0], [-90, 500, 0]], [[0, 1, 2]], [1] * 3)
    np.testing.assert_allclose(image, 1, atol=1e-5)
    assert (_image([[-9, -9, 0], [-5, -9, 0], [-9, -5, 0]], [[0, 1, 2]], [1] * 3) == -1).all()
