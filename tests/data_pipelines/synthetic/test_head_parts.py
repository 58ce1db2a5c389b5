"""Parts are whole meshes."""

import numpy as np
import pytest

from data_pipelines.synthetic import head_parts

_PARTS = {
    "eyeball": head_parts.eyeball(),
    "ear": head_parts.ear(1, 1.0, 0.0),
    "teeth": head_parts.teeth(True),
    "tongue": head_parts.tongue(),
    "neck": head_parts.neck(0.0)[0],
    "shoulders": head_parts.shoulders(0.0, 0.03),
    "curtain": head_parts.curtain(1.1, 0.9, 0.1, 0.02, 0.1),
    "bun": head_parts.bun(1.0),
    "glasses": head_parts.glasses(1.0, 0.5),
}


@pytest.mark.parametrize("name", _PARTS)
def test_vertices_and_triangles_fit_together(name):
    points, triangles, patch = _PARTS[name]
    assert points.shape == (len(patch), 3)
    assert patch.shape[1] == 2
    assert np.isfinite(points).all()
    assert set(np.unique(triangles)) == set(range(len(points)))
    assert (0 <= patch).all()
    assert (patch <= 1 + 1e-9).all()


def test_eyeball_looks_to_the_viewer_and_faces_outwards():
    points, triangles, _ = head_parts.eyeball()
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 1, atol=1e-9)
    a, b, c = np.moveaxis(points[triangles], 1, 0)
    outward = (-np.cross(b - a, c - a) * (a + b + c)).sum(-1)
    assert (outward >= -1e-12).all()
    np.testing.assert_allclose(points[0], [0, 0, -1])
