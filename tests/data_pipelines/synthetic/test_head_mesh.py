"""The mesh: landmarks are its vertices, its surface is closed but for mouth and eyes, and it faces outwards."""

import numpy as np

from data_pipelines.synthetic import expression_basis, head_mesh
from vasa_jax import landmarks


def test_landmarks_are_vertices_at_the_template():
    mesh = head_mesh.skin()
    surface = [i for i, m in enumerate(landmarks.MEDIAPIPE_INDICES) if m < 468]
    # The two templates are rounded to four digits and symmetrised separately.
    np.testing.assert_allclose(mesh.points[mesh.landmarks], landmarks.template()[surface], atol=1e-3)


def test_open_edges_are_mouth_eyes_and_the_pole():
    mesh = head_mesh.skin()
    edges = np.sort(
        np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]]), axis=1
    )
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2
    boundary = set(unique[counts == 1].ravel().tolist())
    holes = set(np.concatenate([mesh.rings[n] for n in ("lips_inner", "eye_left", "eye_right")]).tolist())
    pole = set(range(len(mesh.points) - len(mesh.rings["oval"]), len(mesh.points)))
    assert boundary == holes | pole


def test_triangles_face_outwards():
    mesh = head_mesh.skin()
    a, b, c = np.moveaxis(mesh.points[mesh.triangles], 1, 0)
    outward = -np.cross(b - a, c - a)
    away = (a + b + c) / 3 - head_mesh.SKULL_CENTRE
    # A nose has an underside: a few triangles of a face look back at the skull's centre.
    assert np.mean((outward * away).sum(-1) > 0) > 0.97


def test_basis_has_a_field_for_every_name():
    mesh = head_mesh.skin()
    assert mesh.basis.shape == (len(expression_basis.NAMES), len(mesh.points), 3)
    assert np.isfinite(mesh.basis).all()
