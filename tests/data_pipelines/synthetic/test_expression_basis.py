"""Displacement fields do what their names say, at the template's points."""

import numpy as np
import pytest

from data_pipelines.synthetic import expression_basis, head_mesh
from vasa_jax import landmarks

_POINTS, _LAYOUT = head_mesh.template_points(), head_mesh.template_layout()
_FIELDS = dict(zip(expression_basis.NAMES, expression_basis.deltas(_POINTS, _LAYOUT), strict=True))


def _measure(**strengths):
    points = _POINTS + sum(a * _FIELDS[n] for n, a in strengths.items())
    return landmarks.from_mediapipe(np.concatenate([points, np.zeros((10, 3))]))


def test_pose_points_never_move():
    rigid = [landmarks.MEDIAPIPE_INDICES[i] for i in landmarks.RIGID]
    for name, field in _FIELDS.items():
        assert np.abs(field[rigid]).max() == 0, name


def test_jaw_opens_the_mouth_and_the_seal_closes_it_again():
    openings = [landmarks.mouth(_measure(jaw=a))[0] for a in (0, 0.2, 0.4, 0.6, 0.8)]
    assert (np.diff(openings) > 0.02).all()
    assert landmarks.mouth(_measure(jaw=0.6, seal=0.6))[0] < openings[0] + 0.01


def test_lip_widths():
    width = landmarks.mouth(_measure())[1]
    assert landmarks.mouth(_measure(round=1))[1] < 0.85 * width
    assert landmarks.mouth(_measure(wide=1))[1] > 1.05 * width
    assert landmarks.mouth(_measure(smile=1))[1] > 1.1 * width


@pytest.mark.parametrize(("name", "side"), [("lid_left", 0), ("lid_right", 1)])
def test_each_lid_closes_its_own_eye(name, side):
    neutral, closed = landmarks.lids(_measure()), landmarks.lids(_measure(**{name: 1}))
    assert closed[side] < 0.02
    assert closed[1 - side] == pytest.approx(neutral[1 - side], rel=1e-6)


def test_fields_are_symmetric_under_mirroring():
    for name in ("jaw", "seal", "round", "smile", "brow_up"):
        x = _measure(**{name: 1})
        mirrored = x[landmarks.flip_permutation()] * [-1, 1, 1]
        surface = np.arange(landmarks.COUNT) < landmarks.SLICES["irises"].start
        # The template itself is symmetric to 1e-3.
        np.testing.assert_allclose(mirrored[surface], x[surface], atol=4e-3)
