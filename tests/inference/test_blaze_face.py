"""BlazeFace as OpenCV reads it: what the file holds, how places are decoded, merged and turned back."""

import hashlib
import importlib.resources

import numpy as np
import pytest

from vasa_jax import images
from vasa_jax.inference import blaze_face


@pytest.fixture(scope="module")
def image():
    asset = importlib.resources.files("vasa_jax").joinpath("assets/portrait.jpg")
    with importlib.resources.as_file(asset) as path:
        return images.read_image(path)


def test_the_file_is_the_published_one_and_its_notice_says_so():
    folder = importlib.resources.files("vasa_jax").joinpath("assets/blaze_face")
    digest = hashlib.sha256(folder.joinpath("blaze_face_short_range.tflite").read_bytes()).hexdigest()
    notice = folder.joinpath("NOTICE").read_text()
    assert digest in notice and "Apache License, Version 2.0" in notice
    assert "Apache License" in folder.joinpath("LICENSE").read_text()


def test_anchors_lie_in_the_middle_of_their_cells():
    anchors = blaze_face._anchors()
    assert anchors.shape == (896, 2)
    fine, coarse = anchors[:512], anchors[512:]
    np.testing.assert_allclose(np.unique(fine), (np.arange(16) + 0.5) / 16)
    np.testing.assert_allclose(np.unique(coarse), (np.arange(8) + 0.5) / 8)
    assert (fine[0] == fine[1]).all() and (np.ptp(coarse[:6], axis=0) == 0).all()  # two, then six to a cell
    np.testing.assert_allclose(fine[2] - fine[0], [1 / 16, 0])  # x runs first


def test_the_portrait_of_the_demo(image):
    (face,) = blaze_face.detect(image, (1.0,))
    right_eye, left_eye, nose, mouth, right_ear, left_ear = face.points
    assert face.score > 0.8 and (face.box[:2] < face.points.min(0)).any()
    assert right_eye[0] < nose[0] < left_eye[0] and right_ear[0] < right_eye[0] and left_eye[0] < left_ear[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < mouth[1]


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_turned_images_give_the_same_places(image, turn):
    (upright,) = blaze_face.detect(image, (1.0,))
    turned = np.rot90(image, -turn)
    (face,) = blaze_face.detect(turned, (1.0,), turn)
    height, width = image.shape[:2]
    x, y = upright.points.T
    there = {1: (height - y, x), 2: (width - x, height - y), 3: (y, width - x)}[turn]
    np.testing.assert_allclose(face.points, np.stack(there, -1), atol=1e-6)
    assert face.turn == turn and face.score == upright.score


def test_windows_agree_where_a_face_is(image):
    """The same face through a wide window, a near one and from a corner of a larger image."""
    wide = np.zeros((900, 1300, 3), np.uint8)
    wide[300:812, 700:1212] = image
    (first,) = blaze_face.detect(image, (1.0,))
    for found, shift in (
        (blaze_face.detect(image, (1.6,)), 0),
        (blaze_face.detect(image, (1.6, 1.0)), 0),
        (blaze_face.detect(wide, (0.5,)), [700, 300]),
        ([face.moved(np.asarray([-700, -300])) for face in blaze_face.detect(wide, (0.5,))], 0),
    ):
        assert len(found) == 1
        assert np.abs(found[0].points - shift - first.points)[:4].max() < 0.1 * (first.box[2] - first.box[0])


def test_nothing_in_nothing():
    assert blaze_face.detect(np.zeros((50, 80, 3), np.uint8), (1.6, 1.0, 0.5)) == []


def test_overlap_is_intersection_over_union():
    boxes = np.asarray([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 1, 1]], float)
    np.testing.assert_allclose(blaze_face.overlap(boxes[0], boxes), [1, 1 / 3, 0, 1 / 4])


def test_readings_of_one_face_are_averaged_by_score():
    scores = np.asarray([0.5, 0.9, 0.8])
    boxes = np.asarray([[1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], float)
    points = np.repeat(boxes[:, None, :2], 6, axis=1)
    first, second = blaze_face._merged(scores, boxes, points)
    assert first[0] == 0.9 and second[0] == 0.8
    np.testing.assert_allclose(first[1][0], 0.5 / 1.4)
    np.testing.assert_allclose(second[1], boxes[2])
