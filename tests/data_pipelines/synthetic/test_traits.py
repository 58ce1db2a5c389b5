"""Identities are many, repeatable and keep faces whole."""

import numpy as np

from data_pipelines.synthetic import head_mesh
from data_pipelines.synthetic.traits import deform, sample


def test_identities_repeat_and_differ():
    assert sample(7).shape == sample(7).shape
    colours = np.array([sample(i).skin for i in range(200)])
    assert len(np.unique(colours.round(4), axis=0)) == 200
    assert len({sample(i).hair_style for i in range(200)}) == 9
    assert {sample(i).style for i in range(200)} == {"photo", "cartoon", "painting"}


def test_deformation_moves_points_smoothly_and_moderately():
    points = head_mesh.skin().points
    for identity in range(20):
        moved = deform(sample(identity), points)
        assert np.isfinite(moved).all()
        # Neighbours stay neighbours: no edge shrinks to nothing or more than doubles.
        a, b = head_mesh.skin().triangles[:, 0], head_mesh.skin().triangles[:, 1]
        before, after = (np.linalg.norm(p[a] - p[b], axis=-1) for p in (points, moved))
        ratio = (after / before)[before > 0.01]
        assert ratio.min() > 0.4
        assert ratio.max() < 2.0


def test_two_identities_have_different_faces():
    points = head_mesh.skin().points
    a, b = deform(sample(1), points), deform(sample(2), points)
    assert np.abs(a - b).max() > 0.03
