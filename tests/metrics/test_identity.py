import cv2
import numpy as np
import pytest

from vasa_jax import landmarks
from vasa_jax.errors import InputError
from vasa_jax.metrics import identity


def test_similarity_is_found_exactly():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(4, 2))
    a, b, shift = 1.7, 0.4, np.asarray([3.0, -2.0])
    target = source @ np.asarray([[a, -b], [b, a]]).T + shift
    found = identity.similarity(source, target)
    assert np.allclose(found, [[a, -b, 3.0], [b, a, -2.0]])


def test_aligned_face_undoes_place_size_and_roll():
    """Dots at eyes and corners of the mouth come to the same places wherever the face was in the image."""
    points = landmarks.template() * 0.8
    for angle, scale, shift in ((0.0, 1.0, 0.0), (0.3, 0.8, 0.1)):
        turn = np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moved = points.copy()
        moved[:, :2] = scale * points[:, :2] @ turn.T + shift
        image = np.zeros((256, 256, 3), np.uint8)
        for x, y in (identity.alignment_points(moved) + 1) * 128 - 0.5:
            cv2.circle(image, (round(x), round(y)), 4, (255, 255, 255), -1)
        face = identity.aligned_face(image, moved)[..., 0].astype(float)
        for x, y in _places(points):
            # Within 2.5 px of 112: rounding to whole pixels, and the dot's own radius.
            assert face[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].max() > 128


def _places(points):
    marks = identity.alignment_points(points)
    matrix = identity.similarity(marks, identity.TEMPLATE)
    return marks @ matrix[:, :2].T + matrix[:, 2]


def test_cosine():
    a, b = np.asarray([1.0, 0.0]), np.asarray([1.0, 1.0])
    assert identity.cosine(a, a) == pytest.approx(1.0) and identity.cosine(a, b) == pytest.approx(np.sqrt(0.5))
    assert identity.cosine(a, np.zeros(2)) == 0.0


def test_a_file_that_is_no_network(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        identity.FaceRecogniser(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(InputError, match="cannot read"):
        identity.FaceRecogniser(tmp_path / "text.onnx")


def test_a_network_tells_people_apart(shared):
    path = shared / "weights" / "MobileFaceNet.onnx"
    if not path.exists():
        pytest.skip(f"needs {path}")
    recogniser = identity.FaceRecogniser(path)
    rng = np.random.default_rng(0)
    face = cv2.resize(rng.integers(0, 255, (14, 14, 3), np.uint8), (112, 112))
    other = cv2.resize(rng.integers(0, 255, (14, 14, 3), np.uint8), (112, 112))
    code = recogniser.code(face)
    assert np.linalg.norm(code) == pytest.approx(1.0)
    assert identity.cosine(code, recogniser.code(face)) > identity.cosine(code, recogniser.code(other))
