import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.prepare import labels
from vasa_jax import landmarks

AT = {index: landmarks.MEDIAPIPE_INDICES.index(index) for index in landmarks.MEDIAPIPE_INDICES}


def _face(angles=(0.0, 0.0), rotation=(0.0, 0.0, 0.0), scale=1.0, shift=(0.0, 0.0, 0.0)) -> np.ndarray:
    """The template whose eyes look at `angles` relative to the head, posed, [K, 3]."""
    points = landmarks.template().astype(np.float64).copy()
    direction = schema.gaze_direction(np.asarray(angles) + [0, labels.RESTING_ELEVATION])
    for iris, outer, inner in ((468, 33, 133), (473, 263, 362)):
        a, b = points[AT[outer]], points[AT[inner]]
        radius = labels.EYE_RADIUS * np.linalg.norm(a - b)
        points[AT[iris], :2] = ((a + b) / 2 + radius * direction)[:2]
    matrix = Rotation.from_euler("xyz", rotation).as_matrix()
    return scale * points @ matrix.T + shift


@pytest.mark.parametrize("angles", [(0, 0), (0.3, 0), (-0.3, 0.1), (0.1, -0.25)])
@pytest.mark.parametrize("rotation", [(0, 0, 0), (0.1, 0.3, -0.05), (-0.2, -0.25, 0.1)])
def test_eyes_relative_to_the_head(angles, rotation):
    points = _face(angles, rotation, 1.1, (0.05, -0.02, 0.1))[None]
    found = labels.eye_angles(points, landmarks.fit_pose(points))[0]
    np.testing.assert_allclose(found, angles, atol=1e-4)  # float32 pose, 1e-6, over an eye's radius of 0.1


def test_signs_in_the_image():
    """Iris to the image's right: theta +. Iris up: phi +. A head that turns takes the gaze along."""
    faces = [_face(), _face((0.2, 0)), _face((0, 0.2)), _face(rotation=(0, -0.3, 0)), _face(rotation=(-0.3, 0, 0))]
    assert faces[1][AT[468], 0] > faces[0][AT[468], 0] and faces[2][AT[468], 1] < faces[0][AT[468], 1]
    # Nose tip right of (above) its place in the frontal face: the head has turned right (up).
    assert faces[3][AT[1], 0] > faces[0][AT[1], 0] and faces[4][AT[1], 1] < faces[0][AT[1], 1]
    gaze = labels.label_frames(np.asarray(faces, np.float32), np.ones(5, bool))["gaze"]
    np.testing.assert_allclose(gaze, [[0, 0], [0.2, 0], [0, 0.2], [0.3, 0], [0, 0.3]], atol=1e-3)


def test_head_and_eyes_that_cancel_look_at_the_camera():
    gaze = labels.label_frames(_face((0.25, 0), (0, 0.25, 0))[None].astype(np.float32), np.ones(1, bool))["gaze"]
    # Up to the resting elevation, which tilts the plane in which the eye turns: cos(8.3 degrees) is 0.99.
    np.testing.assert_allclose(gaze[0], 0, atol=0.01)


def test_lids_close_from_zero_to_one():
    t = 50
    points = np.repeat(_face()[None], t, 0)
    upper_left, lower_left = [AT[i] for i in (160, 159, 158)], [AT[i] for i in (144, 145, 153)]
    points[20, upper_left] = points[20, lower_left]  # the eye on the image's left blinks
    closure = labels.lid_closure(landmarks.lids(points), np.ones(t, bool))
    assert closure[20, 0] == 1 and closure[20, 1] == 0 and closure[[0, 49]].max() == 0
    half = labels.lid_closure(np.asarray([[0.32, 0.32]] * 20 + [[0.22, 0.12]]), np.ones(21, bool))
    np.testing.assert_allclose(half[-1], [0.5, 1.0])


def test_lids_of_a_clip_with_closed_eyes_stay_finite():
    closure = labels.lid_closure(np.full((10, 2), 0.1), np.ones(10, bool))
    assert np.isfinite(closure).all() and (closure > 0.9).all()


def test_mouth_opens_and_rounds():
    closed, opened, pursed = (_face() for _ in range(3))
    gap = 0.1 * landmarks.face_height(closed)
    opened[AT[14]] = opened[AT[13]] + [0, gap, 0]
    closed[AT[14]] = closed[AT[13]]
    middle = (pursed[AT[61]] + pursed[AT[291]]) / 2
    for corner in (61, 291):
        pursed[AT[corner]] = middle + 0.5 * (pursed[AT[corner]] - middle)
    shapes = labels.mouth_shape(np.asarray([closed, opened, pursed]))
    np.testing.assert_allclose(shapes[:2, 0], [0, 0.1], atol=1e-6)
    assert shapes[2, 1] > shapes[0, 1] + 0.5 and (shapes[:, 1] <= 1).all()


def test_gaps_are_filled_in_time():
    points = np.arange(5.0)[:, None, None] * np.ones((5, landmarks.COUNT, 3))
    valid = np.asarray([False, True, False, True, False])
    broken = np.where(valid[:, None, None], points, 99).astype(np.float32)
    filled = labels.fill_gaps(broken, valid)
    np.testing.assert_allclose(filled[:, 0, 0], [1, 1, 2, 3, 3])


def test_all_labels_have_the_shapes_of_the_schema():
    points = np.repeat(_face()[None], 4, 0).astype(np.float32)
    smiles = np.zeros((4, 52), np.float32)
    smiles[:, [44, 45]] = 0.6
    found = labels.label_frames(points, np.asarray([True, True, False, True]), smiles)
    assert set(found) == set(schema.PER_FRAME) - {"phonemes"}
    for name, value in found.items():
        shape, dtype = schema.PER_FRAME[name]
        assert value.shape == (4, *shape) and value.dtype == dtype
    for labelled, smile in ((found, 0.6), (labels.label_frames(points, np.ones(4, bool)), 0.0)):
        np.testing.assert_allclose(labelled["emotion"].sum(1), 1)
        np.testing.assert_allclose(labelled["emotion"][:, [4, 5]], np.tile([smile, 1 - smile], (4, 1)), atol=1e-6)
    np.testing.assert_allclose(found["distance"], 0, atol=1e-6)


def test_nearer_is_more():
    faces = np.asarray([_face(), _face(scale=1.2)], np.float32)
    distance = labels.label_frames(faces, np.ones(2, bool))["distance"]
    np.testing.assert_allclose(distance, [0, np.log(1.2)], atol=1e-5)
